"""What is believed of the provider's own budget, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.bucket import (
    AGE_MAX_S,
    ECHO_S,
    FIRST_BURST_S,
    FULL_BURST_S,
    RECOVERY_S,
    Bucket,
)
from weighbridge.limits.headers import HeaderBudget

START_S = 1_700_000_000.0
NOTHING = (0.0, 0.0)


def untested() -> Bucket:
    """600 a minute, 10 a second."""
    return Bucket.untested(600, START_S)


def known(remaining: float = 600, capacity: float = 600) -> Bucket:
    """The same after a first header."""
    bucket = untested()
    bucket.observe(HeaderBudget(remaining, 10.0, capacity), START_S, NOTHING)
    return bucket


def test_the_first_burst_is_a_few_seconds_worth() -> None:
    bucket = untested()
    assert bucket.wait_s(10 * FIRST_BURST_S - 2.5) == 0
    bucket.take(10 * FIRST_BURST_S - 2.5)
    assert bucket.wait_s(1) > 0


def test_the_burst_grows_within_a_second_without_refusals() -> None:
    bucket = untested()
    now_s = START_S
    while now_s < START_S + 1:
        while not bucket.wait_s(1):
            bucket.take(1)
            bucket.departed()
        now_s += bucket.wait_s(1) + 0.001
        bucket.advance(now_s)
    assert bucket.burst == 10 * FULL_BURST_S


def test_the_burst_grows_only_if_it_is_used() -> None:
    bucket = untested()
    bucket.take(30)
    bucket.departed()
    bucket.advance(START_S + 10)
    after_pressure = bucket.burst
    assert 10 * FIRST_BURST_S < after_pressure < 10 * FULL_BURST_S
    bucket.take(1)  # hardly a test
    bucket.departed()
    bucket.advance(START_S + 20)
    assert bucket.burst == after_pressure


@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 60), st.booleans()), max_size=40),
    st.floats(1, 100_000),
)
def test_burst_growth_stops_in_time_for_a_refusal_to_arrive(
    moments: list[tuple[float, int, bool]], per_minute: float
) -> None:
    """A call that was only granted has been asked of nobody: who starts slowly must not be believed
    to be welcome.
    """
    bucket = Bucket.untested(per_minute, START_S)
    freely = Bucket.untested(per_minute, START_S)
    freely.growing_until_s = START_S
    now_s, departed = START_S, 0
    for pause_s, cost, departs in moments:
        now_s += pause_s
        bucket.advance(now_s)
        bucket.take(cost)
        if departs:
            bucket.departed()
            departed += 1
    bucket.advance(now_s + 10)
    freely.growing_until_s += departed * ECHO_S
    freely.advance(START_S + departed * ECHO_S)
    assert bucket.burst <= freely.burst * (1 + 1e-6)


def test_a_wait_estimate_uses_growth_only_while_it_lasts() -> None:
    bucket = untested()
    bucket.take(40)
    assert bucket.wait_s(5) == pytest.approx(0.75)  # as it refills
    bucket.departed()
    assert bucket.wait_s(5) < ECHO_S
    bucket.advance(START_S + ECHO_S + 1)
    bucket.take(bucket.level)
    assert bucket.wait_s(7.5) == pytest.approx(1.0)


def test_a_refusal_takes_back_what_was_assumed() -> None:
    bucket = untested()
    bucket.take(30)
    bucket.refused(1, START_S)
    assert bucket.level == 0
    assert bucket.burst == 40 - 10 - 1


def test_a_lost_burst_recovers_slowly() -> None:
    bucket = untested()
    bucket.take(30)
    bucket.refused(1, START_S)
    bucket.advance(START_S + RECOVERY_S / 10)
    assert bucket.burst == pytest.approx(29 + 6)
    bucket.advance(START_S + RECOVERY_S)
    assert bucket.burst == 600


def test_simultaneous_refusals_count_once() -> None:
    bucket = untested()
    for step in range(10):
        bucket.refused(1, START_S + step * 0.05)
    assert bucket.net_rate == 10


def test_consecutive_refusals_slow_the_refill_without_headers() -> None:
    bucket = untested()
    for second in (0, 2, 4):
        bucket.refused(1, START_S + second)
    assert bucket.net_rate == pytest.approx(10 * 0.85**2)
    bucket.advance(START_S + 4 + RECOVERY_S)
    assert bucket.net_rate == 10


def test_refusals_do_not_slow_a_refill_known_from_headers() -> None:
    bucket = known()
    for second in (0, 2, 4):
        bucket.refused(1, START_S + second)
    assert bucket.net_rate == 10
    assert bucket.burst == 300


def test_the_first_header_is_trusted_fully() -> None:
    assert known(remaining=480).level == 480


def test_calls_not_yet_in_the_header_are_subtracted() -> None:
    bucket = known(remaining=600)
    bucket.advance(START_S + 4)
    bucket.observe(HeaderBudget(500, 10.0, 600), START_S, (100, 120))
    # 500 were left (or a fraction more), 40 were refilled, at least 100 went.
    assert bucket.level == 441
    bucket.level = 415
    bucket.observe(HeaderBudget(500, 10.0, 600), START_S, (100, 120))
    # 120 at most went.
    assert bucket.level == 420


def test_a_level_within_the_headers_range_is_kept() -> None:
    bucket = known(remaining=300)
    bucket.advance(START_S + 1)
    bucket.take(20)
    level = bucket.level
    bucket.observe(HeaderBudget(300, 10.0, 600), START_S, (10, 30))
    assert bucket.level == level


def test_a_header_raises_the_level_by_a_second_at_most() -> None:
    bucket = known(remaining=100)
    bucket.observe(HeaderBudget(500, 10.0, 600), START_S, NOTHING)
    assert bucket.level == 110


def test_a_header_that_refusals_contradict_does_not_raise_the_level() -> None:
    bucket = untested()
    bucket.refused(1, START_S)
    bucket.observe(HeaderBudget(20, 10.0, 600), START_S, NOTHING)
    level = bucket.level
    bucket.observe(HeaderBudget(500, 10.0, 600), START_S, NOTHING)
    assert bucket.level == level


@pytest.mark.parametrize("granted_s", [START_S - 1, START_S + 200 - AGE_MAX_S - 1])
def test_a_stale_header_is_ignored(granted_s: float) -> None:
    bucket = known(remaining=600)
    bucket.advance(START_S + 200)
    bucket.observe(HeaderBudget(1, 10.0, 600), granted_s, NOTHING)
    assert bucket.level == 600


def test_use_by_other_programs_is_learned_and_forgotten() -> None:
    bucket = known(remaining=300)
    for second in range(1, 61):  # the level stays where it is, although nothing was granted
        bucket.advance(START_S + second)
        bucket.observe(HeaderBudget(300, 10.0, 600), START_S + second, NOTHING)
    assert bucket.net_rate == pytest.approx(0, abs=0.6)
    level = 300.0
    for second in range(61, 121):  # and now it rises as it should
        level = min(level + 10, 600)
        bucket.advance(START_S + second)
        bucket.observe(HeaderBudget(level, 10.0, 600), START_S + second, NOTHING)
    assert bucket.net_rate > 8


def test_a_burst_of_another_program_is_not_a_lasting_drain() -> None:
    bucket = known(remaining=600)
    bucket.advance(START_S + 1)
    bucket.observe(HeaderBudget(100, 10.0, 600), START_S + 1, NOTHING)
    assert bucket.level == pytest.approx(101)
    assert bucket.net_rate > 9


def test_a_header_without_a_limit_still_gives_the_level() -> None:
    bucket = untested()
    bucket.observe(HeaderBudget(3, 0, 0), START_S, NOTHING)
    assert bucket.level == 4
    assert bucket.rate == 10
    assert bucket.capacity == 600


def test_a_cost_beyond_the_burst_waits_for_a_full_bucket_only() -> None:
    bucket = known(remaining=20, capacity=20)
    assert bucket.wait_s(500) == 0
    bucket.take(500)
    assert bucket.wait_s(1) == pytest.approx(48.35)


def test_settling_refunds_only_without_a_header() -> None:
    bucket = untested()
    bucket.take(30)
    bucket.give_back(5)
    assert bucket.level == 15
    bucket.give_back(100)
    assert bucket.level == 40
    bucket = known(remaining=300)
    bucket.give_back(5)
    assert bucket.level == 300
    bucket.give_back(-5)
    assert bucket.level == 295


def test_a_header_replaces_the_configured_limit() -> None:
    bucket = untested()
    bucket.relimit(1_200)
    assert (bucket.rate, bucket.level, bucket.burst) == (20, 80, 80)
    bucket = known()
    bucket.relimit(1_200)
    assert bucket.rate == 10


def test_a_clock_running_backwards_is_ignored() -> None:
    bucket = known(remaining=600)
    bucket.take(100)
    bucket.advance(START_S - 5)
    assert (bucket.level, bucket.at_s) == (500, START_S)
