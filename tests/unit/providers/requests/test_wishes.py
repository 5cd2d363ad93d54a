"""How long a call may take: by default by tier, place of the server, and length of the answer."""

from __future__ import annotations

import pytest

from tests.support.scripted_provider import REQUEST
from weighbridge.providers.requests.wishes import (
    FLEX_TIMEOUT_S,
    LOCAL_TIMEOUT_S,
    STANDARD_TIMEOUT_S,
    Wishes,
    WritingPace,
)

SHORT = REQUEST._replace(max_output_tokens=0)
LONG = REQUEST._replace(max_output_tokens=1_000)


@pytest.mark.parametrize(
    ("tier", "is_local", "limit_s"),
    [
        (None, False, STANDARD_TIMEOUT_S),
        ("flex", False, FLEX_TIMEOUT_S),
        (None, True, LOCAL_TIMEOUT_S),
    ],
)
def test_the_limit_follows_tier_and_place(tier: str | None, is_local: bool, limit_s: float) -> None:
    wishes = Wishes(tier=tier)
    assert wishes.timeout_s_for(SHORT, is_local=is_local) == limit_s
    assert limit_s < wishes.timeout_s_for(LONG, is_local=is_local) < limit_s * 1.2


def test_a_slow_server_gets_time_for_the_answer_up_to_twice_the_limit() -> None:
    pace = WritingPace()
    pace.observe(100.0, 200)  # half a second a token, with the reading of the prompt
    limit_s = Wishes().timeout_s_for(LONG, is_local=True, pace_s=pace.seconds_per_token)
    assert limit_s == 2 * 0.5 * 1_000
    pace.observe(1_000.0, 200)
    limit_s = Wishes().timeout_s_for(LONG, is_local=True, pace_s=pace.seconds_per_token)
    assert limit_s == Wishes().longest_s(is_local=True) == 2 * LOCAL_TIMEOUT_S


def test_a_limit_that_was_set_is_never_lengthened_but_for_a_product_alone() -> None:
    wishes = Wishes(timeout_s=60.0)
    assert wishes.timeout_s_for(LONG, is_local=True, pace_s=9.0) == 60.0
    alone = LONG._replace(time_factor=3.0)
    assert wishes.timeout_s_for(alone, is_local=True, pace_s=9.0) == 180.0


def test_a_server_that_slows_down_is_believed_at_once_and_one_that_recovers_slowly() -> None:
    pace = WritingPace()
    for seconds in (10.0, 100.0, 10.0):
        pace.observe(seconds, 100)
    assert 0.5 < pace.seconds_per_token < 1.0
    pace.observe(500.0, 3)  # too short to tell
    assert pace.seconds_per_token < 1.0
