"""Both routes to a figure: each is the sum of its contributions, and the figure follows from what
is exported.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.carbon_builders import bill, cited, footprint, material, table
from weighbridge.carbon.factors import ClassReference, FactorTable
from weighbridge.domain.results import Footprint, RouteName

MASSES = st.floats(min_value=1e-3, max_value=1e4)
PUBLISHED = st.lists(
    st.tuples(
        st.sampled_from(["Acme", "Other", "Third"]),
        st.floats(0.01, 1e4),
        st.none() | st.floats(0.01, 1e3),
    ),
    min_size=1,
    max_size=6,
)


def with_references(published: list[tuple[str, float, float | None]]) -> FactorTable:
    plain = table([material("resin", 2.0), material("laptop", 20.0, complete_article=True)])
    references = [
        ClassReference(
            f"r{n}",
            "Tools & hardware",
            "Hand tools",
            "A tool",
            maker,
            kg,
            False,
            mass,
            0.0,
            1,
            cited(),
        )
        for n, (maker, kg, mass) in enumerate(published)
    ]
    return FactorTable.of(
        "test",
        plain.materials.values(),
        plain.processes.values(),
        plain.electricity.values(),
        plain.heat,
        references=references,
    )


def combined(result: Footprint) -> float:
    return math.exp(
        math.fsum(
            route.weight * math.log(route.emissions_kg_co2e)
            for route in result.routes
            if route.weight > 0
        )
    )


@settings(max_examples=60, deadline=None)
@given(PUBLISHED, MASSES, st.booleans())
def test_routes_are_sums_and_the_figure_their_weighted_geometric_mean(
    published: list[tuple[str, float, float | None]], mass_kg: float, inferred: bool
) -> None:
    lines = bill(
        ("resin", mass_kg), mass_inferred=inferred, weight_plausible=None if inferred else True
    )
    result = footprint(with_references(published), lines)
    for route in result.routes:
        own = [one.emissions_kg_co2e for one in result.contributions if one.route is route.name]
        assert math.fsum(own) == pytest.approx(route.emissions_kg_co2e, rel=1e-9)
        assert 0 < route.low_kg_co2e <= route.emissions_kg_co2e <= route.high_kg_co2e
    assert math.fsum(route.weight for route in result.routes) == pytest.approx(1, rel=1e-9)
    assert combined(result) == pytest.approx(result.emissions_kg_co2e, rel=1e-9)
    assert math.fsum(result.shares) == pytest.approx(1, rel=1e-9)
    lowest, highest = sorted(route.emissions_kg_co2e for route in result.routes)
    assert lowest * (1 - 1e-9) <= result.emissions_kg_co2e <= highest * (1 + 1e-9)


@given(PUBLISHED, MASSES)
def test_the_same_inputs_give_the_same_footprint_to_the_bit(
    published: list[tuple[str, float, float | None]], mass_kg: float
) -> None:
    factors = with_references(published)
    assert footprint(factors, bill(("resin", mass_kg))) == footprint(
        with_references(published), bill(("resin", mass_kg))
    )


def test_a_product_twice_as_heavy_has_a_class_figure_a_little_less_than_twice_as_large() -> None:
    factors = with_references([("Acme", 10.0, 1.0)])
    one, two = (footprint(factors, bill(("resin", kg))).routes[1] for kg in (1.0, 2.0))
    assert one.emissions_kg_co2e == pytest.approx(10.0)
    assert two.emissions_kg_co2e == pytest.approx(10.0 * 2**0.75)


def test_each_maker_counts_once_however_much_it_published() -> None:
    acme = ("Acme", 10.0, 1.0)
    factors = with_references([acme, acme, acme, ("Other", 40.0, 1.0)])
    assert footprint(factors, bill(("resin", 1.0))).routes[1].emissions_kg_co2e == pytest.approx(20)


def test_a_bill_of_whole_articles_shows_the_class_and_does_not_count_it() -> None:
    result = footprint(with_references([("Acme", 10.0, 1.0)]), bill(("laptop", 1.0)))
    assert [(route.name, route.weight) for route in result.routes] == [
        (RouteName.BILL, 1.0),
        (RouteName.CLASS, 0.0),
    ]
    assert result.emissions_kg_co2e == pytest.approx(20.0)
    assert result.disagreement is None


def test_routes_far_apart_are_said_and_cost_quality() -> None:
    near = footprint(with_references([("Acme", 2.0, 1.0)]), bill(("resin", 1.0)))
    far = footprint(with_references([("Acme", 40.0, 1.0)]), bill(("resin", 1.0)))
    assert (near.dominance, near.notes) == ("both agree", ())
    assert far.dominance == "routes disagree ×20"
    assert "disagree ×20" in far.notes[0]
    assert far.disagreement == pytest.approx(20.0)
    assert far.data_quality.technological > near.data_quality.technological
    assert far.high_kg_co2e / far.low_kg_co2e > near.high_kg_co2e / near.low_kg_co2e


def test_reference_of_another_size_counts_less_when_nobody_knows_the_weight() -> None:
    factors = with_references([("Acme", 450.0, 90.0)])
    near, far = (
        footprint(factors, bill(("resin", kg), mass_inferred=True, weight_plausible=None))
        for kg in (90.0, 19.0)
    )
    assert near.routes[1].emissions_kg_co2e == far.routes[1].emissions_kg_co2e == pytest.approx(450)
    assert far.routes[1].weight < near.routes[1].weight
    assert far.emissions_kg_co2e < near.emissions_kg_co2e


def test_figures_in_notes_have_no_exponent() -> None:
    far = footprint(with_references([("Acme", 45_012.0, 1.0)]), bill(("resin", 1.0)))
    assert "2 kg CO2e by the bill of materials, 45,000 by published figures" in far.notes[0]
