"""A product is not asked for ever, however slow and odd the server is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import AnswerMalformed, ProviderTimeout
from weighbridge.limits.retries import MAX_ATTEMPTS, TIME_FACTOR, GiveUp, MoreTime, decide
from weighbridge.limits.time_spent import MAX_TIME_LIMITS, TimeSpent

LIMIT_S = 600.0
LONGEST_S = 2 * LIMIT_S
STEPS = 3


@given(st.lists(st.sampled_from(["timeout", "unusable", "usable"]), min_size=200, max_size=200))
def test_a_product_alone_ends_within_a_known_time_whatever_the_server_does(
    replies: list[str],
) -> None:
    spent = TimeSpent(MAX_TIME_LIMITS * LONGEST_S)
    in_vain_s, attempts, done, had_more_time = 0.0, 0, 0, False
    for reply in replies:
        limit_s = LIMIT_S * (TIME_FACTOR if had_more_time else 1.0)
        if reply == "usable":
            attempts, done = 0, done + 1
            if done == STEPS:
                break
            continue
        in_vain_s += limit_s
        spent.add([1], limit_s)
        if reply == "timeout":
            error = ProviderTimeout("late")
            action = decide(error, 0, 1, 0.5, is_stuck=True, had_more_time=had_more_time)
            had_more_time = isinstance(action, MoreTime)
        else:
            action = decide(AnswerMalformed("odd"), attempts, 1, 0.5)
            attempts, had_more_time = attempts + 1, False
            if spent.reason_to_give_up(1):
                break
        if isinstance(action, GiveUp):
            break
    else:
        raise AssertionError("it would have been asked for ever")
    assert attempts <= MAX_ATTEMPTS + 1
    assert in_vain_s <= MAX_TIME_LIMITS * LONGEST_S + (1 + TIME_FACTOR) * LIMIT_S


def test_the_time_of_one_product_is_not_that_of_another() -> None:
    spent = TimeSpent(60.0)
    spent.add([1, 2], 40.0)
    spent.add([2], 40.0)
    assert spent.reason_to_give_up(1) is None
    assert "WEIGHBRIDGE_CALL_TIMEOUT_S" in (spent.reason_to_give_up(2) or "")
    spent.forget([2])
    assert spent.reason_to_give_up(2) is None
