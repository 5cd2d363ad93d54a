"""Money and time, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.calls import Price, Usage
from weighbridge.planning.cost import (
    CatalogueEstimate,
    Pace,
    QuestionLoad,
    cacheable_tokens,
    call_cost_usd,
    estimate_catalogue,
    scaled,
)
from weighbridge.planning.grouping import Group

PRICE = Price(input_usd=0.40, cached_input_usd=0.10, output_usd=1.60)
UNKNOWN_PRICE = Price(0.0, 0.0, 0.0, known=False)
UNBOUND = Pace(1_000_000, 1_000_000_000, latency_s=4.0)


def groups(count: int, size: int = 5, tokens: int = 1_000) -> list[Group]:
    return [Group(tuple(range(index * size, (index + 1) * size)), tokens) for index in range(count)]


def test_a_call_is_priced_with_the_discount_on_cached_tokens() -> None:
    # 1,000 × 0.40 + 2,000 × 0.10 + 500 × 1.60 = 400 + 200 + 800, per million
    assert call_cost_usd(Usage(3_000, 500, 2_000), PRICE) == pytest.approx(0.0014)


def test_more_cached_than_read_gives_no_refund() -> None:
    assert call_cost_usd(Usage(100, 0, 500), PRICE) == pytest.approx(100 * 0.10 / 1e6)


def test_a_model_without_a_price_has_unknown_cost() -> None:
    assert call_cost_usd(Usage(3_000, 500), UNKNOWN_PRICE) == 0


@pytest.mark.parametrize(
    ("prompt", "cached"), [(1_023, 0), (1_024, 1_024), (1_151, 1_024), (1_152, 1_152)]
)
def test_the_cache_holds_long_prefixes_in_whole_steps(prompt: int, cached: int) -> None:
    assert cacheable_tokens(prompt) == cached


def test_a_catalogue_is_estimated_by_its_calls() -> None:
    steps = [QuestionLoad(2_048, 40, 60), QuestionLoad(500, 300.5, 400, data_tokens_per_product=10)]
    estimate = estimate_catalogue(groups(10), steps, PRICE, UNBOUND)
    assert estimate.products == 50
    assert estimate.requests == 20
    # 10 × (2,048 + 1,000) + 10 × (500 + 1,000) + 50 × 10
    assert estimate.input_tokens == 30_480 + 15_000 + 500
    assert estimate.cached_input_tokens == 9 * 2_048
    assert estimate.output_tokens == 50 * 40 + 50 * 300.5
    uncached = 45_980 - 18_432
    assert estimate.cost_usd == pytest.approx(
        (uncached * 0.40 + 18_432 * 0.10 + 17_025 * 1.60) / 1e6
    )
    assert estimate.price_known


def test_range_goes_from_short_answers_to_long_ones_without_the_cache() -> None:
    steps = [QuestionLoad(2_048, 40, 60)]
    estimate = estimate_catalogue(groups(10), steps, PRICE, UNBOUND)
    # 10 × (2,048 + 1,000) input, 9 × 2,048 of it cached; 50 × 40 output
    cached = 18_432
    assert estimate.low_usd == pytest.approx(
        ((30_480 - cached) * 0.40 + cached * 0.10 + 0.7 * 2_000 * 1.60) / 1e6
    )
    assert estimate.high_usd == pytest.approx((30_480 * 0.40 + 1.6 * 2_000 * 1.60) / 1e6)


@given(
    st.integers(1, 40), st.integers(1, 5), st.integers(0, 9_000), st.floats(0, 900),
    st.sampled_from([None, 0.40, 0.50]),
)  # fmt: skip
def test_the_figure_lies_in_its_range_however_small_the_catalogue(
    count: int, size: int, prompt: int, output: float, cache_write_usd: float | None
) -> None:
    price = replace(PRICE, cache_write_usd=cache_write_usd)
    steps = [QuestionLoad(prompt, output, 2 * output)]
    estimate = estimate_catalogue(groups(count, size), steps, price, UNBOUND)
    assert estimate.low_usd <= estimate.cost_usd <= estimate.high_usd


def test_same_calls_are_priced_in_each_tier_with_a_known_price() -> None:
    dear = replace(PRICE, input_usd=0.80, cached_input_usd=0.20, output_usd=3.20)
    tiers = {"cheap": PRICE, "dear": dear, "unpublished": UNKNOWN_PRICE}
    steps = [QuestionLoad(2_048, 40, 60)]
    estimate = estimate_catalogue(groups(10), steps, dear, UNBOUND, tiers)
    cheap, chosen = estimate.tiers
    assert (cheap.tier, chosen.tier) == ("cheap", "dear")
    assert chosen.cost_usd == estimate.cost_usd == pytest.approx(2 * cheap.cost_usd)
    doubled = scaled(estimate, 100, 50)
    assert doubled.tiers[0].high_usd == pytest.approx(2 * cheap.high_usd)
    assert doubled.low_usd == pytest.approx(2 * estimate.low_usd)


@pytest.mark.parametrize(
    ("pace", "seconds"),
    [
        pytest.param(Pace(60, 10**9, 1.0), 100, id="requests"),
        pytest.param(Pace(10**6, 60_000, 1.0), 100 * 1_500 / 1_000, id="tokens and allowances"),
        pytest.param(Pace(10**6, 10**9, 4.0, concurrency=10), 40, id="calls at a time"),
        pytest.param(Pace(10**6, 10**9, 4.0), 4, id="one call's latency"),
    ],
)
def test_the_slowest_bound_sets_the_time(pace: Pace, seconds: float) -> None:
    steps = [QuestionLoad(prompt_tokens=200, output_tokens_per_product=1, allowance_per_product=60)]
    estimate = estimate_catalogue(groups(100), steps, PRICE, pace)
    assert estimate.hours * 3600 == pytest.approx(seconds)


def test_an_empty_catalogue_costs_nothing() -> None:
    estimate = estimate_catalogue([], [QuestionLoad(2_048, 40, 60)], UNKNOWN_PRICE, UNBOUND)
    assert estimate == CatalogueEstimate(0, 0, 0, 0, 0, 0.0, 0.0, price_known=False)


@given(st.integers(0, 50), st.integers(0, 50))
def test_estimates_add_up_except_for_the_first_call(one: int, other: int) -> None:
    steps = [QuestionLoad(500, 40, 60)]  # too short for the cache
    first = estimate_catalogue(groups(one), steps, PRICE, UNBOUND)
    second = estimate_catalogue(groups(other), steps, PRICE, UNBOUND)
    both = estimate_catalogue(groups(one + other), steps, PRICE, UNBOUND)
    assert both.cost_usd == pytest.approx(first.cost_usd + second.cost_usd)
