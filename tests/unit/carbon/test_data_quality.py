from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.carbon_builders import bill, footprint, material, process, table, worked
from weighbridge.carbon.data_quality import (
    Rating,
    doubt,
    geographical_rating,
    overall_quality,
    temporal_rating,
)

FACTORS = table([material("resin")])
SOUND = bill(("resin", 1.0))


@pytest.mark.parametrize(
    ("region", "country", "rating"),
    [
        ("DE", "DE", 1),
        ("CN;DE;TW", "DE", 1),
        ("FR", "DE", 2),
        ("EU", "DE", 2),
        ("TW", "DE", 3),
        ("GLO", "DE", 3),
        ("EU", None, 3),
        ("DE", "XX", 3),
    ],
)
def test_a_factor_from_nearer_by_is_rated_better(
    region: str, country: str | None, rating: int
) -> None:
    assert geographical_rating(region, country, FACTORS) == rating


@pytest.mark.parametrize(
    ("year", "rating"),
    [
        ("2026", 1),
        ("2025", 1),
        ("2024", 2),
        ("2021", 2),
        ("2020", 3),
        ("2000-2012", 3),
        ("1999-2024", 2),
        ("2023; 2010", 3),
        ("unknown", 3),
    ],
)
def test_a_newer_factor_is_rated_better(year: str, rating: int) -> None:
    assert temporal_rating(year) == rating


def test_ratings_are_weighted_by_emissions() -> None:
    quality = overall_quality([Rating(3.0, 1, 2, 3), Rating(1.0, 3, 2, 1)], SOUND)
    assert (quality.technological, quality.geographical, quality.temporal) == (1.5, 2.0, 2.5)


def test_inputs_below_five_percent_are_not_rated() -> None:
    quality = overall_quality([Rating(96.0, 1, 1, 1), Rating(4.0, 3, 3, 3)], SOUND)
    assert (quality.technological, quality.geographical, quality.temporal) == (1.0, 1.0, 1.0)


def test_a_product_of_many_small_inputs_is_rated_by_all_of_them() -> None:
    ratings = [Rating(1.0, 1, 1, 1)] * 20 + [Rating(1.0, 3, 3, 3)] * 20
    assert overall_quality(ratings, SOUND).geographical == pytest.approx(2.0)


def test_a_product_without_emissions_is_still_rated() -> None:
    assert overall_quality([Rating(0.0, 2, 1, 3)], SOUND).temporal == 3.0


@given(
    st.lists(
        st.builds(
            Rating,
            st.floats(min_value=-1e6, max_value=1e6),
            st.integers(1, 3),
            st.integers(1, 3),
            st.integers(1, 3),
        ),
        min_size=1,
    )
)
def test_no_rating_leaves_the_scale(ratings: list[Rating]) -> None:
    quality = overall_quality(ratings, bill(("resin", 1.0), mass_inferred=True))
    for figure in (quality.technological, quality.geographical, quality.temporal):
        assert 1.0 <= figure <= 3.0


@pytest.mark.parametrize(
    ("materials", "expected"),
    [
        (SOUND, 0.0),
        (bill(("resin", 1.0), stated_mass_kg=1.04), 0.0),
        (bill(("resin", 1.0), stated_mass_kg=1.06), 0.5),
        (bill(("resin", 1.0), stated_mass_kg=0.94), 0.5),
        (bill(("resin", 1.0), mass_inferred=True, weight_plausible=None), 0.5),
        (bill(("resin", 1.0), weight_plausible=False), 1.0),
        (bill(("resin", 1.0), stated_mass_kg=2.0, weight_plausible=False), 1.5),
    ],
)
def test_a_doubtful_bill_lowers_data_quality(materials: object, expected: float) -> None:
    assert doubt(materials) == expected  # type: ignore[arg-type]


def test_a_proxy_brings_its_own_technological_rating() -> None:
    factors = table(
        [
            material("resin", technological_quality=2),
            material("guess", technological_quality=3, proxy_reason="none published"),
            material("own", technological_quality=1),
        ]
    )
    for key, rating in [("resin", 2.0), ("guess", 3.0), ("own", 1.0)]:
        assert footprint(factors, bill((key, 1.0))).data_quality.technological == rating


def test_process_energy_is_rated_by_its_older_source_and_its_grid() -> None:
    factors = table([material("resin", 1e-9, region="DE", year="2026")], [process("mould", 1.0)])
    quality = footprint(factors, bill(("resin", 1.0)), worked(("mould", "resin"))).data_quality
    assert quality.geographical == 1.0  # the German grid; the inventory is American
    assert quality.temporal == 3.0  # the inventory of 2010; the grid is of 2023
