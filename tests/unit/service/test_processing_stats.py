"""Adding up calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weighbridge.dashboard.formats import cost
from weighbridge.service.processing_stats import figures, quantile
from weighbridge.store.statistics import LATENCY_BOUNDS_S, CallSum

ONE = CallSum(
    step="classification",
    model="gpt",
    outcome="ok",
    simulated=False,
    latency_bucket=10,
    waiting_bucket=0,
    calls=1,
    latency_s=0.6,
    waited_s=0.1,
    estimated_tokens=1000,
    input_tokens=700,
    cached_input_tokens=500,
    output_tokens=200,
    cost_usd=0.01,
)


def test_statistics_of_no_calls_are_empty() -> None:
    nothing = figures([])
    assert (nothing.calls, nothing.cost_usd, nothing.latency_p50_s) == (0, 0, None)


def test_latency_covers_only_calls_with_a_reply() -> None:
    slow_failure = replace(ONE, outcome="ProviderTimeout", latency_bucket=30, latency_s=120.0)
    both = figures([ONE, slow_failure])
    assert both.latency_mean_s == pytest.approx(0.6)
    assert both.calls == 2
    assert both.failed_calls == 1


def test_a_final_refusal_does_not_count_as_a_retry() -> None:
    refused = replace(ONE, outcome="RequestRefused")
    limited = replace(ONE, outcome="RateLimited", calls=3)
    counted = figures([refused, limited])
    assert (counted.retries, counted.rate_limited, counted.failed_calls) == (3, 3, 4)


def test_a_quantile_lies_in_its_bucket() -> None:
    histogram = [0] * (len(LATENCY_BOUNDS_S) + 1)
    histogram[5] = 95
    histogram[20] = 5
    half = quantile(histogram, 0.5)
    nearly_all = quantile(histogram, 0.99)
    assert half is not None
    assert nearly_all is not None
    assert LATENCY_BOUNDS_S[4] < half <= LATENCY_BOUNDS_S[5]
    assert LATENCY_BOUNDS_S[19] < nearly_all <= LATENCY_BOUNDS_S[20]


def test_latencies_beyond_the_last_bound_count_as_the_last_bound() -> None:
    histogram = [0] * (len(LATENCY_BOUNDS_S) + 1)
    histogram[-1] = 7
    assert quantile(histogram, 0.5) == LATENCY_BOUNDS_S[-1]


def test_a_price_that_nobody_knows_is_no_price_of_zero() -> None:
    unknown = replace(ONE, cost_usd=0.0, unpriced_calls=1)
    assert figures([unknown]).known_cost_usd is None
    some = figures([unknown, ONE])
    assert (some.known_cost_usd, some.unpriced_calls) == (0.01, 1)
    assert cost(figures([unknown])) == "unknown"
    assert cost(some) == "$0.0100 + unknown"
    assert cost(figures([ONE])) == "$0.0100"
