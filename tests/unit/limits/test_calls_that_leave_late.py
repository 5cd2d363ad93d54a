"""A provider counts calls as they arrive; ours may leave later than they were granted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.provider_bucket import ProviderBucket
from weighbridge.domain.calls import Cost
from weighbridge.limits.limiter import Limiter, Limits, NotBefore, Reservation
from weighbridge.limits.window import Window

LIMITS = Limits(requests_per_minute=60, tokens_per_minute=6_000)


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 2), st.integers(1, 400)), min_size=100, max_size=250
    )
)
def test_no_minute_of_departures_holds_more_than_the_limits(
    calls: list[tuple[float, float, int]],
) -> None:
    limiter = Limiter(LIMITS, 0.0)
    now_s = 0.0
    left: list[tuple[float, int]] = []
    for gap_s, lag_s, tokens in calls:
        now_s += gap_s
        outcome = limiter.reserve(Cost(1, tokens), now_s)
        while isinstance(outcome, NotBefore):
            now_s = max(now_s, outcome.at_s)
            outcome = limiter.reserve(Cost(1, tokens), now_s)
        now_s += lag_s
        limiter.sent(outcome, now_s, now_s)
        left.append((now_s, tokens))
    for index, (last_s, _) in enumerate(left):
        minute = [t for at_s, t in left[: index + 1] if at_s > last_s - 60]
        assert len(minute) <= LIMITS.requests_per_minute
        assert sum(minute) <= LIMITS.tokens_per_minute


def test_a_late_call_is_settled_when_it_is_counted() -> None:
    limiter = Limiter(LIMITS, 0.0)
    granted = limiter.reserve(Cost(1, 1_000), 0.0)
    assert isinstance(granted, Reservation)
    late = limiter.sent(granted, 1.0, 1.0)
    limiter.settle(late, Cost(1, 400), 2.0)
    assert limiter.used(60.5) == Cost(1, 400)
    assert limiter.used(62.0) == Cost(0, 0)


def test_a_call_counts_from_its_departure_even_if_known_late() -> None:
    limiter = Limiter(LIMITS, 0.0)
    first = limiter.reserve(Cost(1, 300), 0.0)
    assert isinstance(first, Reservation)
    for second in range(1, 5):
        assert isinstance(limiter.reserve(Cost(1, 10), float(second)), Reservation)
    limiter.sent(first, 0.5, 4.5)
    assert limiter.used(60.4) == Cost(5, 340)
    assert limiter.used(60.6) == Cost(4, 40)


@pytest.mark.parametrize("lag_s", [0.0, 0.2, 1.0, 5.0])
def test_late_calls_are_not_mistaken_for_another_program(lag_s: float) -> None:
    """A few large calls a minute: the header of each shows what it took itself, however late it was
    admitted.
    """
    per_minute, tokens, calls, latency_s = 60_000, 9_500, 40, 4.0
    provider = ProviderBucket(500, per_minute, burst_s=10.0)
    limiter = Limiter(Limits(500, per_minute))
    now_s = 0.0
    for _ in range(calls):
        outcome = limiter.reserve(Cost(1, tokens), now_s)
        while isinstance(outcome, NotBefore):
            now_s = outcome.at_s
            outcome = limiter.reserve(Cost(1, tokens), now_s)
        now_s += lag_s
        verdict = provider.arrive(now_s, tokens)
        granted = limiter.sent(outcome, now_s, now_s)
        now_s += latency_s if verdict.admitted else 0.05
        limiter.observe(verdict.headers, now_s, granted)
        if not verdict.admitted:
            limiter.refused(verdict.retry_after_s, now_s, granted)
    admitted_at_s = provider.admitted_at()
    assert len(admitted_at_s) >= calls - 3
    # While a call is on its way the bucket is full already, and refills no further.
    least_s = len(admitted_at_s) * (tokens / per_minute * 60 + lag_s)
    assert admitted_at_s[-1] <= 1.1 * least_s


@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.floats(0, 4), st.integers(1, 400)), min_size=5, max_size=200
    )
)
def test_late_feedback_is_applied_retroactively(
    calls: list[tuple[float, float, int]],
) -> None:
    window, expected = Window(), []
    now_s = 100.0
    began_s = now_s + calls[0][0]  # nothing is booked before the first charge that is held
    for gap_s, age_s, tokens in calls:
        now_s += gap_s
        at_s = max(began_s, now_s - age_s)
        window.charge(Cost(1, 1), now_s)
        window.charge_at(Cost(1, tokens), at_s)
        expected += [(now_s, 1), (at_s, tokens)]
    for later_s in (0.0, 20.0, 59.0, 61.0, 100.0):
        window.forget(now_s + later_s)
        least = sum(tokens for at_s, tokens in expected if at_s >= now_s + later_s - 60)
        most = sum(tokens for at_s, tokens in expected if at_s >= now_s + later_s - 60.5)
        assert least <= window.tokens <= most
    restored = Window.load(memoryview(window.dump()))
    assert restored.dump() == window.dump()
