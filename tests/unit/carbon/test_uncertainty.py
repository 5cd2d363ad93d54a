from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.carbon.factors import RangedValue
from weighbridge.carbon.uncertainty import (
    DRAWS,
    MODEL_ERROR_GSD,
    Spread,
    UncertainTerm,
    _bounds_of,
    _likely_tails,
    _model_errors,
    _multiples,
    bounds,
    interval,
    log_sigma,
    spread,
)

if TYPE_CHECKING:
    import random

MODEL_SIGMA = math.log(MODEL_ERROR_GSD)
TERMS = st.lists(
    st.builds(
        lambda value, sigma, factor: UncertainTerm(value, (Spread(f"f{factor}", sigma),)),
        st.floats(min_value=1e-6, max_value=1e6),
        st.floats(min_value=0, max_value=2),
        st.integers(min_value=0, max_value=50),
    ),
    min_size=1,
    max_size=50,
)


def term(value: float, *spreads: Spread) -> UncertainTerm:
    return UncertainTerm(value, spreads)


def test_a_factor_without_a_range_leaves_only_the_model_error() -> None:
    low, high = interval([term(10.0)])
    assert high / 10 == pytest.approx(MODEL_ERROR_GSD**1.96, rel=0.005)
    assert 10 / low == pytest.approx(MODEL_ERROR_GSD**1.96, rel=0.005)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_one_lognormal_factor_gives_the_exact_interval(sigma: float) -> None:
    low, high = interval([term(10.0, Spread("steel", sigma))])
    expected = math.exp(1.96 * math.hypot(sigma, MODEL_SIGMA))
    assert high / 10 == pytest.approx(expected, rel=0.05)
    assert 10 / low == pytest.approx(expected, rel=0.05)


def test_independent_factors_average_out_and_a_shared_one_does_not() -> None:
    apart = interval([term(1.0, Spread(f"factor {n}", 0.8)) for n in range(10)])
    together = interval([term(1.0, Spread("grid", 0.8)) for _ in range(10)])
    one = interval([term(10.0, Spread("grid", 0.8))])
    assert together == pytest.approx(one)
    assert apart[1] < together[1]
    assert apart[0] > together[0]


def test_a_product_of_two_factors_combines_their_spread() -> None:
    low, high = interval([term(1.0, Spread("process", 0.6), Spread("grid", 0.8))])
    one_low, one_high = interval([term(1.0, Spread("both", 1.0))])
    # Chance moves the bounds of so wide a spread by 4 % (root mean square).
    assert (low, high) == pytest.approx((one_low, one_high), rel=0.15)


def test_interval_matches_a_large_simulation() -> None:
    values = [5.0, 3.0, 2.0]
    sigmas = [0.2, 0.6, 0.9]
    generator = np.random.default_rng(7)
    draws = generator.standard_normal((3, 400_000))
    totals = sum(v * np.exp(s * z) for v, s, z in zip(values, sigmas, draws, strict=True))
    totals = totals * np.exp(MODEL_SIGMA * generator.standard_normal(400_000))
    expected = np.quantile(totals, [0.025, 0.975])
    computed = interval([term(v, Spread(f"f{s}", s)) for v, s in zip(values, sigmas, strict=True)])
    # The shuffled quantiles leave the bounds about 2 % of chance (root mean square).
    assert computed == pytest.approx(tuple(expected), rel=0.1)


@settings(max_examples=50, deadline=None)
@given(TERMS)
def test_the_interval_contains_the_value(terms: list[UncertainTerm]) -> None:
    value = math.fsum(each.emissions_kg_co2e for each in terms)
    low, high = interval(terms)
    assert 0 < low <= value <= high


@settings(max_examples=30, deadline=None)
@given(TERMS, st.randoms(use_true_random=False))
def test_the_order_of_the_terms_does_not_matter(
    terms: list[UncertainTerm], shuffler: random.Random
) -> None:
    shuffled = list(terms)
    shuffler.shuffle(shuffled)
    assert interval(shuffled) == pytest.approx(interval(terms))


def test_the_same_terms_give_the_same_interval_to_the_last_digit() -> None:
    terms = [term(n + 1.0, Spread(f"f{n}", 0.3)) for n in range(40)]
    first = interval(terms)
    interval([term(1.0, Spread(f"other {n}", 0.5)) for n in range(100)])
    assert interval(terms) == first


def test_the_wider_side_of_a_range_decides() -> None:
    assert log_sigma(RangedValue(2.0, 1.0, 3.0)) == pytest.approx(math.log(2) / 1.96)
    assert log_sigma(RangedValue(2.0, 1.5, 8.0)) == pytest.approx(math.log(4) / 1.96)


def test_a_factor_of_zero_has_no_spread() -> None:
    assert spread("hydropower", RangedValue(0.0, 0.0, 0.0)) == Spread("hydropower", 0.0)
    assert interval([term(0.0, Spread("hydropower", 0.0))]) == (0.0, 0.0)


def test_a_range_reaching_zero_is_normal_not_lognormal() -> None:
    each = spread("cork", RangedValue(1.0, -1.0, 2.0), activity=3.0)
    assert each.log_sigma == 0
    assert each.sigma_kg_co2e == pytest.approx(3 * 2 / 1.96)
    assert bounds([each], 3.0) == pytest.approx((-3.0, 9.0))


def test_a_credit_may_make_the_whole_footprint_negative() -> None:
    stored = spread("stored carbon", RangedValue(-1.0, -1.5, -0.5), activity=10.0)
    low, high = interval([term(-10.0, stored)])
    assert low < -10 < high < 0


def test_a_credit_widens_the_interval_of_the_rest() -> None:
    plain = interval([term(10.0, Spread("steel", 0.2))])
    with_credit = interval([term(10.0, Spread("steel", 0.2)), term(0.0, Spread("cork", 0.0, 4.0))])
    assert with_credit[0] < plain[0]
    assert with_credit[1] > plain[1]


def test_bounds_of_one_term_combine_its_factors() -> None:
    low, high = bounds([Spread("process", 0.3), Spread("grid", 0.4)], 10.0)
    assert high == pytest.approx(10 * math.exp(0.5 * 1.96))
    assert low == pytest.approx(10 / math.exp(0.5 * 1.96))


@pytest.mark.parametrize("seed", range(20))
def test_our_bounds_are_the_quantiles_of_numpy_to_the_last_digit(seed: int) -> None:
    results = np.exp(np.random.default_rng(seed).normal(size=DRAWS) * (seed + 1) / 5)
    expected = np.quantile(results, (0.025, 0.975)).tolist()
    # However good the guess of where the ends begin: just right, too far out, none.
    for ends in ((0.05, 0.95), (0.01, 0.99), (0.05, 0.99)):
        tails = np.quantile(results, ends)
        assert list(_bounds_of(results.copy(), (tails[0], tails[1]))) == expected
    assert list(_bounds_of(results, (math.nan, math.nan))) == expected


@pytest.mark.parametrize("sigma", [0.0, 0.2, 1.0, 3.0])
def test_estimated_tails_leave_a_margin(sigma: float) -> None:
    totals = _multiples((Spread("steel", sigma),)) * 5.0
    low, high = _likely_tails(totals)
    results = totals * _model_errors()
    assert 0.025 < (results < low).mean() < 0.1 or sigma > 2
    assert 0.025 < (results > high).mean() < 0.1 or sigma > 2


def test_products_that_share_a_factor_share_its_draws() -> None:
    first = interval([term(1.0, Spread("grid", 0.8)), term(1.0, Spread("grid", 0.8))])
    assert first == pytest.approx(interval([term(2.0, Spread("grid", 0.8))]))
    # Another factor of the same width is drawn anew: near, and not the same.
    other = interval([term(2.0, Spread("another grid", 0.8))])
    assert other == pytest.approx(first, rel=0.1)
    assert other != first
