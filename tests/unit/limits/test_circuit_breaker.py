"""The queue pauses when the provider is gone, feels its way back, and says why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.circuit_breaker import (
    FAILURES_BEFORE_PAUSE,
    FIRST_PROBE_S,
    LAST_PROBE_S,
    MOST_BILLED_PROBES,
    CircuitBreaker,
    GoAhead,
    PausedUntil,
    Probe,
)

START_S = 1_000.0


def paused(jitter: float = 0.5) -> CircuitBreaker:
    watch = CircuitBreaker()
    for _ in range(FAILURES_BEFORE_PAUSE):
        watch.failed("Connection refused.", START_S, jitter)
    return watch


def test_a_few_failures_do_not_open_the_breaker() -> None:
    watch = CircuitBreaker()
    for _ in range(FAILURES_BEFORE_PAUSE - 1):
        watch.failed("timeout", START_S, 0.5)
    assert watch.permission(START_S) == GoAhead()
    assert watch.paused_reason is None


def test_interleaved_successes_keep_the_breaker_closed() -> None:
    watch = CircuitBreaker()
    for _ in range(20):
        watch.failed("timeout", START_S, 0.5)
        watch.failed("timeout", START_S, 0.5)
        watch.succeeded()
    assert watch.permission(START_S) == GoAhead()


def test_the_fifth_failure_in_a_row_opens_the_breaker() -> None:
    watch = paused()
    assert watch.permission(START_S) == PausedUntil(START_S + FIRST_PROBE_S)
    assert watch.paused_reason == (
        "The last 5 calls got no usable reply from the provider. The last error: Connection refused. "
        "Weighbridge tries again every 3 to 15 s, and resumes processing by itself when the "
        "provider answers."
    )


def probe_in_vain(watch: CircuitBreaker, times: int, *, is_billed: bool) -> None:
    for _ in range(times):
        watch.probe_sent(START_S)
        watch.failed("nothing", START_S, 0.5, is_billed=is_billed)


def test_empty_replies_are_paid_for_some_minutes_and_outages_waited_out_for_ever() -> None:
    down, empty = paused(), paused()
    probe_in_vain(down, 10 * MOST_BILLED_PROBES, is_billed=False)
    assert not down.has_too_many_billed_probes
    probe_in_vain(empty, MOST_BILLED_PROBES - 1, is_billed=True)
    assert not empty.has_too_many_billed_probes
    probe_in_vain(empty, 1, is_billed=True)
    assert empty.has_too_many_billed_probes
    empty.succeeded()
    assert not empty.has_too_many_billed_probes


def test_an_empty_reply_after_an_outage_does_not_count_as_many() -> None:
    watch = paused()
    probe_in_vain(watch, 10 * MOST_BILLED_PROBES, is_billed=False)
    probe_in_vain(watch, 1, is_billed=True)
    assert not watch.has_too_many_billed_probes


def test_one_call_at_a_time_may_probe() -> None:
    watch = paused()
    now_s = START_S + FIRST_PROBE_S
    assert watch.permission(now_s) == Probe()
    watch.probe_sent(now_s)
    assert isinstance(watch.permission(now_s), PausedUntil)


def test_calls_already_in_flight_do_not_delay_the_probe() -> None:
    watch = paused()
    for step in range(100):
        watch.failed("timeout", START_S + step * 0.05, 0.5)
    assert watch.permission(START_S + FIRST_PROBE_S) == Probe()
    assert "last 105 calls" in (watch.paused_reason or "")


def test_the_first_success_closes_the_breaker() -> None:
    watch = paused()
    watch.succeeded()
    assert watch.permission(START_S + 1) == GoAhead()
    assert watch.paused_reason is None
    for _ in range(FAILURES_BEFORE_PAUSE):  # and the next outage starts from the beginning
        watch.failed("timeout", START_S + 2, 0.5)
    assert watch.permission(START_S + 2) == PausedUntil(START_S + 2 + FIRST_PROBE_S)


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_probes_back_off_with_jitter_until_recovery(
    jitters: list[float],
) -> None:
    watch = paused(jitters[0])
    now_s = START_S
    intervals = []
    for jitter in jitters:
        waiting = watch.permission(now_s)
        assert isinstance(waiting, PausedUntil)
        intervals.append(waiting.at_s - now_s)
        now_s = waiting.at_s
        assert watch.permission(now_s) == Probe()
        watch.probe_sent(now_s)
        watch.failed("timeout", now_s, jitter)
    assert all(0.8 * FIRST_PROBE_S - 1e-6 <= x <= 1.2 * LAST_PROBE_S + 1e-6 for x in intervals)
    if len(intervals) > 8:
        assert intervals[-1] >= 0.8 * LAST_PROBE_S - 1e-6


@given(st.lists(st.booleans(), max_size=60))
def test_paused_means_that_the_last_five_failed_and_nothing_has_succeeded_since(
    outcomes: list[bool],
) -> None:
    watch = CircuitBreaker()
    in_a_row = 0
    for second, succeeded in enumerate(outcomes):
        if succeeded:
            watch.succeeded()
            in_a_row = 0
        else:
            watch.failed("timeout", START_S + second, 0.5)
            in_a_row += 1
        assert (watch.paused_reason is not None) == (in_a_row >= FAILURES_BEFORE_PAUSE)
