"""Sessions, and the wait after wrong tokens."""

from __future__ import annotations

import pytest

from tests.support.clocks import SteppedClock
from weighbridge.service.access.sessions import SESSION_S, open_session, session_holds
from weighbridge.service.access.throttle import FREE_TRIES, LONGEST_WAIT_S, LoginThrottle
from weighbridge.service.access.tokens import token_hash

MINE, OTHER = token_hash("token"), token_hash("another token")


def test_a_session_expires() -> None:
    cookie = open_session(1, MINE, 1_000_000.0)
    assert session_holds(cookie, 1, MINE, 1_000_000.0 + SESSION_S - 1)
    assert not session_holds(cookie, 1, MINE, 1_000_000.0 + SESSION_S + 1)


def test_a_session_holds_for_its_own_token_only() -> None:
    cookie = open_session(1, MINE, 1_000_000.0)
    assert not session_holds(cookie, 1, OTHER, 1_000_000.0)
    assert not session_holds(cookie, 2, MINE, 1_000_000.0)


def test_the_cookie_does_not_contain_the_token() -> None:
    assert "secret-token" not in open_session(1, token_hash("secret-token"), 0.0)


@pytest.mark.parametrize(
    "forged",
    ["", ".", "1", "1.99999999999", "1.99999999999.", "x.y", "1.1e9.é", "9" * 5000, "1.9.\udc80"],
)
def test_a_forged_session_does_not_hold(forged: str) -> None:
    assert not session_holds(forged, 1, MINE, 0.0)


def test_a_session_cannot_be_extended() -> None:
    signature = open_session(1, MINE, 0.0).rpartition(".")[2]
    assert not session_holds(f"1.99999999999.{signature}", 1, MINE, 0.0)


def test_each_wrong_token_doubles_the_wait_up_to_a_minute() -> None:
    clock = SteppedClock()
    throttle = LoginThrottle(clock)
    waits = []
    for _ in range(FREE_TRIES + 10):
        throttle.note_wrong("10.0.0.1")
        waits.append(throttle.wait_s("10.0.0.1"))
    assert waits[: FREE_TRIES - 1] == [0.0] * (FREE_TRIES - 1)
    assert waits[FREE_TRIES - 1 : FREE_TRIES + 3] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT_S
    assert throttle.wait_s("10.0.0.2") == 0.0


def test_the_wait_ends_by_itself_and_with_the_right_token() -> None:
    clock = SteppedClock()
    throttle = LoginThrottle(clock)
    for _ in range(FREE_TRIES):
        throttle.note_wrong("10.0.0.1")
    assert throttle.wait_s("10.0.0.1") > 0
    clock.advance(1.0)
    assert throttle.wait_s("10.0.0.1") == 0.0
    throttle.note_wrong("10.0.0.1")
    throttle.note_right("10.0.0.1")
    assert throttle.wait_s("10.0.0.1") == 0.0
