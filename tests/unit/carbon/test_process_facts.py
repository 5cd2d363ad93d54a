"""What is known of a process, where it is done and with which energy, in the place of the grid of
the product's country and of the factor table: for that process alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.carbon_builders import (
    HEAT,
    bill,
    footprint,
    material,
    process,
    table,
    worked_lines,
)
from weighbridge.carbon.catalogue_facts import with_catalogue_facts
from weighbridge.carbon.explanation import STATED, explain
from weighbridge.domain.answers import ManufacturingProcesses
from weighbridge.domain.facts import ENERGY_FIGURES, NO_FACTS, ProcessFacts

if TYPE_CHECKING:
    from weighbridge.domain.results import Contribution, Footprint

RESIN = material("resin", 2.0)
MOULD = process("mould", electricity_kwh=3.0, heat_kwh=1.0, direct_kg=0.5)
TURN = process("turn", electricity_kwh=2.0)
FACTORS = table([RESIN, material("other")], [MOULD, TURN])
BILL = bill(("resin", 1.0), ("resin", 0.5), ("other", 0.25))
USES = worked_lines(BILL.lines, [("mould", 1), ("turn", 1), ("mould", 2), ("turn", 3)])
GRIDS = {"DE": 0.4, "FR": 0.05, "GLO": 0.5}


def _known(number: int, **facts: Any) -> ManufacturingProcesses:
    """The uses, of which one (from 0) has these facts."""
    uses = list(USES.uses)
    uses[number] = uses[number]._replace(known=ProcessFacts(**facts))
    return replace(USES, uses=tuple(uses))


def _of(figure: Footprint, kind: str, process: str) -> list[Contribution]:
    return [
        one
        for one in figure.contributions
        if one.kind == kind and one.factor_key.startswith(f"{process}+")
    ]


def test_the_electricity_of_a_process_comes_from_the_grid_of_its_country() -> None:
    before = footprint(FACTORS, BILL, USES)
    after = footprint(FACTORS, BILL, _known(0, country="FR"))
    moved = set(after.contributions) - set(before.contributions)
    (there,) = (one for one in moved if one.kind == "process electricity")
    assert (there.activity, there.factor) == (3.0, 0.05)
    assert "Grid of FR" in there.label
    assert there.region.startswith("FR")
    assert after.emissions_kg_co2e - before.emissions_kg_co2e == pytest.approx(3.0 * (0.05 - 0.4))


def test_stated_energy_and_its_own_factor_are_taken_as_they_are() -> None:
    facts = {
        "electricity_kwh_per_kg": 1.25,
        "electricity_kg_co2e_per_kwh": 0.02,
        "heat_kwh_per_kg": 0.0,
        "energy_source": "Meter 4711, hydropower contract 2025",
    }
    after = footprint(FACTORS, BILL, _known(0, **facts))
    (stated,) = (one for one in _of(after, "process electricity", "mould") if one.factor == 0.02)
    assert (stated.activity, stated.emissions_kg_co2e) == (1.25, 0.025)
    assert stated.low_kg_co2e == stated.high_kg_co2e == pytest.approx(0.025)
    assert stated.source == "Meter 4711, hydropower contract 2025"
    assert (stated.year, stated.region) == ("2025", "DE")
    assert [one.activity for one in _of(after, "process heat", "mould")] == [0.5]
    terms = [
        term
        for route in explain(after, BILL, USES).routes
        for line in route.lines
        for term in line.terms
    ]
    assert [term.marks for term in terms if term.factor == 0.02] == [(STATED,)]


def test_lines_of_one_material_stay_apart_where_more_is_known_of_one() -> None:
    after = footprint(FACTORS, BILL, _known(2, electricity_kwh_per_kg=5.0))
    amounts = [one.activity for one in _of(after, "process electricity", "mould")]
    assert sorted(amounts) == [2.5, 3.0]


@st.composite
def _facts(draw: st.DrawFn) -> ProcessFacts:
    numbers = {
        name: draw(st.none() | st.floats(0, most, width=32))
        for name, most in ENERGY_FIGURES.items()
    }
    return ProcessFacts(
        country=draw(st.sampled_from([None, "DE", "FR"])),
        energy_source=draw(st.none() | st.text(max_size=10)),
        **numbers,
    )


@given(st.lists(_facts(), min_size=4, max_size=4), st.sampled_from([None, "DE", "FR"]))
def test_the_figure_is_the_sum_of_what_is_known_and_what_the_table_has(
    facts: list[ProcessFacts], country: str | None
) -> None:
    uses = [use._replace(known=known) for use, known in zip(USES.uses, facts, strict=True)]
    by_hand = sum(line.mass_kg * 2.0 for line in BILL.lines)
    for use in uses:
        used, known = FACTORS.process(use.process), use.known
        assert use.line is not None
        mass_kg = BILL.lines[use.line - 1].mass_kg
        kwh = [known.electricity_kwh_per_kg, known.heat_kwh_per_kg]
        usual = [used.kwh_electricity_per_kg, used.kwh_heat_per_kg]
        factor = [known.electricity_kg_co2e_per_kwh, known.heat_kg_co2e_per_kwh]
        grid = GRIDS[known.country or country or "GLO"]
        table_factor = [grid, HEAT.kg_co2e_per_kwh.value]
        by_hand += mass_kg * used.kg_co2e_per_kg
        for own_kwh, table_kwh, own, other in zip(kwh, usual, factor, table_factor, strict=True):
            energy = table_kwh if own_kwh is None else own_kwh
            by_hand += mass_kg * energy * (other if own is None else own)
    figure = footprint(FACTORS, BILL, replace(USES, uses=tuple(uses)), country=country)
    assert figure.emissions_kg_co2e == pytest.approx(by_hand)
    assert figure.low_kg_co2e <= figure.emissions_kg_co2e <= figure.high_kg_co2e


def test_the_world_average_is_noted_only_where_it_counts() -> None:
    world = "no country of origin: world average electricity"
    uses = tuple(use._replace(known=ProcessFacts(country="FR")) for use in USES.uses)
    assert world in footprint(FACTORS, BILL, _known(0, country="FR"), country=None).notes
    everywhere = footprint(FACTORS, BILL, replace(USES, uses=uses), country=None)
    assert world not in everywhere.notes


@pytest.mark.parametrize(
    ("kwh", "doubted"), [(3000.0, True), (0.001, True), (9.0, False), (0, False)]
)
def test_energy_far_from_the_usual_is_doubted(kwh: float, doubted: bool) -> None:
    notes = footprint(FACTORS, BILL, _known(0, electricity_kwh_per_kg=kwh)).notes
    assert any("check the unit" in note for note in notes) is doubted


def test_a_proxy_whose_figures_are_all_stated_is_no_longer_noted() -> None:
    proxy = process("proxied", electricity_kwh=2.0, proxy_reason="nobody publishes it")
    factors = table([RESIN], [proxy])
    one = bill(("resin", 1.0))
    uses = worked_lines(one.lines, [("proxied", 1)])
    stated = uses.uses[0]._replace(known=ProcessFacts(electricity_kwh_per_kg=1.0))
    assert any("proxy for" in note for note in footprint(factors, one, uses).notes)
    after = footprint(factors, one, replace(uses, uses=(stated,)))
    assert not any("proxy for" in note for note in after.notes)


def test_what_is_known_follows_a_line_that_becomes_recycled_in_part() -> None:
    virgin = replace(RESIN, key="virgin", recycled_as="resin")
    factors = table([virgin, replace(RESIN, recycled=True)], [MOULD])
    lines = bill(("virgin", 1.0))
    use = worked_lines(lines.lines, [("mould", 1)]).uses[0]
    known = use._replace(known=ProcessFacts(country="FR"))
    facts = replace(NO_FACTS, recycled_share=0.4)
    processes = ManufacturingProcesses((known,), lines.confidence)
    applied = with_catalogue_facts(facts, lines, processes, factors)
    assert [(one.material, one.known.country) for one in applied.processes.uses] == [
        ("virgin", "FR"),
        ("resin", "FR"),
    ]
