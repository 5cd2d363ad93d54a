from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.support.carbon_builders import bill, footprint, material, process, table, worked
from weighbridge.carbon.explanation import Explanation, explain
from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import Contribution, ContributionKind, Footprint, Route, RouteName

FACTORS = table(
    [material("resin", 2.0), material("guess", 9.0, 8.9, 9.1, proxy_reason="nobody publishes it")],
    [process("mould", 1.8, 0.04, yield_fraction=0.9)],
)
BILL = bill(("resin", 0.3), ("guess", 0.1), ("resin", 0.2))
USES = worked(("mould", "resin"))


def _explained() -> tuple[Footprint, Explanation]:
    figure = footprint(FACTORS, BILL, USES)
    return figure, explain(figure, BILL, USES)


def _with_class_route(figure: Footprint) -> Footprint:
    (own,) = figure.routes
    reference = Contribution(
        ContributionKind.CLASS_REFERENCE,
        "class",
        "unit",
        8.0,
        "a maker",
        "1",
        "2020",
        "GLO",
        "CC0",
        False,
        "A chair of a maker",
        1.0,
        8.0,
        4.0,
        16.0,
    )
    other = Route(RouteName.CLASS, 8.0, 4.0, 16.0, 0.5, 0.35, 0.6, "1 maker")
    return replace(
        figure,
        routes=(replace(own, weight=0.4), other),
        contributions=(*figure.contributions, reference),
    )


def test_lines_add_up_to_their_route_and_terms_to_their_line() -> None:
    figure, tree = _explained()
    (route,) = tree.routes
    assert math.isclose(
        math.fsum(line.emissions_kg_co2e for line in route.lines), figure.emissions_kg_co2e
    )
    for line in route.lines:
        assert line.emissions_kg_co2e == math.fsum(term.emissions_kg_co2e for term in line.terms)
    assert math.isclose(math.fsum(line.share for line in route.lines), 1.0)


def test_processes_stand_with_the_material_that_they_work() -> None:
    _, tree = _explained()
    resin, guess = tree.routes[0].lines
    assert "0.3 kg" in resin.title and "0.2 kg" in resin.title  # noqa: PT018
    assert {term.kind for term in resin.terms} > {ContributionKind.PROCESS_ELECTRICITY}
    assert [term.factor_key for term in guess.terms] == ["guess"]


def test_the_arithmetic_of_a_term_is_activity_times_factor() -> None:
    figure, tree = _explained()
    terms = [term for line in tree.routes[0].lines for term in line.terms]
    assert len(terms) == len(figure.contributions)
    for term in terms:
        left, right = term.arithmetic.split(" = ")
        first, second = (float(part.split()[0]) for part in left.split(" × "))
        assert first * second == pytest.approx(float(right.split()[0]), rel=2e-3)
        assert term.source and term.year and term.region and term.licence  # noqa: PT018


def test_a_factor_that_stands_in_for_another_is_marked_as_a_proxy() -> None:
    _, tree = _explained()
    marks = {term.factor_key: term.marks for line in tree.routes[0].lines for term in line.terms}
    assert marks["guess"] == ("inferred", "proxy")
    assert marks["resin"] == ("inferred",)


def test_narrowing_is_ordered_and_never_wider_than_the_range_itself() -> None:
    figure, _ = _explained()
    for each in (figure, _with_class_route(figure)):
        tree = explain(each, BILL, USES)
        factors = [one.range_factor for one in tree.narrowing if one.range_factor is not None]
        assert factors == sorted(factors)
        assert factors
        assert tree.range_factor is None or all(one < tree.range_factor for one in factors)


def test_the_factor_with_the_widest_range_is_named_before_a_well_known_one() -> None:
    _, tree = _explained()
    named = [one.what for one in tree.narrowing]
    assert any("Some resin" in what for what in named)
    assert not any("Some guess" in what for what in named)


def test_a_mass_that_the_model_estimated_comes_first() -> None:
    figure, _ = _explained()
    inferred = replace(figure, mass=replace(figure.mass, origin=Origin.INFERRED))
    assert "weight" in explain(inferred, BILL, USES).narrowing[0].what


def test_both_routes_are_shown_with_the_formula_that_joins_them() -> None:
    figure = _with_class_route(_explained()[0])
    tree = explain(figure, BILL, USES)
    assert [route.name for route in tree.routes] == [RouteName.BILL, RouteName.CLASS]
    assert "^0.400 × 8^0.600 = " in tree.arithmetic
    assert [line.title for line in tree.routes[1].lines] == ["A chair of a maker"]


def test_a_footprint_of_an_earlier_method_has_the_bill_as_its_only_route() -> None:
    figure, _ = _explained()
    earlier = replace(figure, routes=(), dominance="")
    (route,) = explain(earlier, BILL, USES).routes
    assert route.name is RouteName.BILL
    assert route.weight == 1.0
