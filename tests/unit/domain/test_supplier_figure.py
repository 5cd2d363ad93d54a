"""A supplier's own figure takes precedence where it can be true, and nothing of it is silent."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.support.carbon_builders import bill, footprint, material, table
from weighbridge.carbon.explanation import explain
from weighbridge.domain.answers import Confidence, ManufacturingProcesses
from weighbridge.domain.facts import FootprintBoundary, FootprintUnit, ProductFacts
from weighbridge.domain.results import Provenance, RouteName
from weighbridge.domain.supplier_figure import with_supplier_figure
from weighbridge.store.stored_detail import StoredDetail, read_detail, write_detail

if TYPE_CHECKING:
    from weighbridge.domain.results import Footprint
    from weighbridge.store.rates import Rate

STEEL = bill(("steel", 2.0))
COMPUTED = footprint(table([material("steel")]), STEEL)  # 4 kg CO2e
TO_GATE = FootprintBoundary.CRADLE_TO_GATE


def _with(
    stated: float,
    boundary: FootprintBoundary | None = TO_GATE,
    per: FootprintUnit | None = FootprintUnit.PIECE,
) -> Footprint:
    facts = ProductFacts(
        supplier_footprint_kg_co2e=stated,
        supplier_footprint_per=per,
        supplier_footprint_boundary=boundary,
    )
    return with_supplier_figure(COMPUTED, facts)


def test_the_figure_is_the_suppliers_and_the_estimate_stays_beside_it() -> None:
    found = _with(6.0)
    assert found.emissions_kg_co2e == 6.0
    assert found.low_kg_co2e < 6.0 < found.high_kg_co2e
    assert found.primary_data == found.dominance == "supplier's figure"
    assert found.estimate_kg_co2e == COMPUTED.emissions_kg_co2e == 4.0
    assert found.disagreement == 1.5
    assert [route.weight for route in found.routes] == [0.0, 1.0]
    assert found.routes[0].emissions_kg_co2e == 4.0
    assert sum(found.shares) == pytest.approx(1.0)
    assert (found.data_quality.technological, found.data_quality.temporal) == (1.0, 3.0)


def test_a_figure_per_kilogram_is_multiplied_by_the_mass() -> None:
    assert _with(3.5, per=FootprintUnit.KG).emissions_kg_co2e == 7.0


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        (4.1, "the estimate of 4 kg CO2e agrees"),
        (40.0, "the estimate of 4 kg CO2e by a factor of 10"),
    ],
)
def test_a_note_says_how_far_the_estimate_is_from_it(stated: float, says: str) -> None:
    assert says in _with(stated).notes[0]


def test_a_boundary_that_nobody_states_is_noted() -> None:
    found = _with(6.0, boundary=None)
    assert found.emissions_kg_co2e == 6.0
    assert "the supplier's figure states no boundary: taken as cradle-to-gate" in found.notes


@pytest.mark.parametrize(
    "boundary", [FootprintBoundary.CRADLE_TO_GRAVE, FootprintBoundary.GATE_TO_GATE]
)
def test_a_figure_of_another_boundary_does_not_count_and_a_note_says_so(
    boundary: FootprintBoundary,
) -> None:
    found = _with(6.0, boundary=boundary)
    assert replace(found, notes=COMPUTED.notes) == COMPUTED
    assert f"does not count: it is {boundary.value}" in found.notes[0]


@pytest.mark.parametrize("stated", [6000.0, 0.004, -6.0, 0.0, float("inf"), float("nan")])
def test_a_figure_that_cannot_be_true_does_not_count_and_a_note_says_so(stated: float) -> None:
    found = _with(stated)
    assert replace(found, notes=COMPUTED.notes) == COMPUTED
    assert "does not count" in found.notes[0]


@pytest.mark.parametrize("stated", [6.0, 6000.0])
def test_what_is_stored_reads_back_the_same(stated: float) -> None:
    detail = StoredDetail(_with(stated), {}, Provenance("4", "a table", {}))
    rates: dict[int, Rate] = {}
    stored: dict[str, Any] = orjson.loads(
        orjson.dumps({**write_detail(detail, rates), "provenance": _no_answers()})
    )
    assert asdict(read_detail(stored, rates).footprint) == asdict(detail.footprint)


def test_earlier_programs_find_only_routes_and_contributions_that_they_know() -> None:
    stored = write_detail(StoredDetail(_with(6.0), {}, Provenance("4", "a table", {})), {})
    written = stored["footprint"]
    assert [route.name for route in written["routes"]] == [RouteName.BILL]
    assert [route.weight for route in written["routes"]] == [1.0]
    assert len(written["contributions"]) == len(COMPUTED.contributions)


def test_the_explanation_shows_the_figure_as_primary_data() -> None:
    nothing_done = ManufacturingProcesses((), Confidence.HIGH)
    tree = explain(_with(6.0), STEEL, nothing_done)
    assert tree.arithmetic == "6 kg CO2e: supplier's figure alone"
    (line,) = tree.routes[-1].lines
    assert line.share == pytest.approx(1.0)
    assert line.terms[0].marks == ("primary data",)
    assert line.terms[0].arithmetic == "1 piece × 6 kg CO2e/piece = 6 kg CO2e"
    assert tree.narrowing == ()


def _no_answers() -> dict[str, Any]:
    return {
        "method": "4",
        "factors": "a table",
        "steps": {},
        "answers": [],
        "provider": "",
        "model": "",
        "simulated": False,
    }
