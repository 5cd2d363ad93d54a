"""A figure can be worked out again from the line that an export has of it, to the last digit that
matters.

The bundled factors and references, and bills of anything they know.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.export.result_rows import FIELDS, completed
from weighbridge.carbon.calculate import calculate
from weighbridge.domain.answers import (
    Attribute,
    AttributeBasis,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
)
from weighbridge.domain.products import Product
from weighbridge.export.jsonl_writer import as_json_object
from weighbridge.factor_sources.bundled import BundledFactors

if TYPE_CHECKING:
    from weighbridge.domain.results import Footprint

FACTORS = BundledFactors().load()
READ_AGAIN = BundledFactors().load()
"""Equal factors that nothing remembers anything about."""
KINDS = [*sorted(FACTORS.references), ("Tools & hardware", "Hand tools")]
MATERIALS = sorted(FACTORS.materials)
PROCESSES = sorted(FACTORS.processes)


@st.composite
def answers(
    draw: st.DrawFn,
) -> tuple[Product, Classification, BillOfMaterials, ManufacturingProcesses]:
    masses = st.floats(1e-3, 1e3)
    drawn = draw(st.lists(st.tuples(st.sampled_from(MATERIALS), masses), min_size=1, max_size=8))
    lines = tuple(BomLine(key, mass_kg, "part") for key, mass_kg in drawn)
    uses = draw(
        st.lists(st.tuples(st.sampled_from(PROCESSES), st.integers(1, len(lines))), max_size=6)
    )
    named = draw(
        st.dictionaries(st.sampled_from(sorted(FACTORS.components)), st.floats(0, 500), max_size=3)
    )
    bill = BillOfMaterials(
        lines,
        sum(line.mass_kg for line in lines),
        mass_inferred=draw(st.booleans()),
        weight_plausible=draw(st.sampled_from([None, True])),
        confidence=Confidence.HIGH,
        attributes=tuple(Attribute(n, v, AttributeBasis.STATED) for n, v in named.items()),
    )
    country = draw(st.none() | st.sampled_from(sorted(FACTORS.electricity)))
    return (
        Product("P-1", "A product", "", country_of_origin=country),
        Classification(*draw(st.sampled_from(KINDS)), Confidence.HIGH),
        bill,
        ManufacturingProcesses(
            tuple(ProcessUse(key, lines[line - 1].material, line) for key, line in uses),
            Confidence.HIGH,
        ),
    )


def exported(result: Footprint) -> dict[str, Any]:
    row = dataclasses.replace(
        completed(),
        emissions_kg_co2e=result.emissions_kg_co2e,
        low_kg_co2e=result.low_kg_co2e,
        high_kg_co2e=result.high_kg_co2e,
        contributions=result.contributions,
        shares=result.shares,
        routes=result.routes,
    )
    found: dict[str, Any] = json.loads(json.dumps(as_json_object(row, FIELDS)))["footprint"]
    return found


@settings(max_examples=40, deadline=None)
@given(answers())
def test_contributions_add_up_to_their_route_and_routes_to_the_figure(
    given_answers: tuple[Product, Classification, BillOfMaterials, ManufacturingProcesses],
) -> None:
    found = exported(calculate(*given_answers, FACTORS))
    routes = {route["name"]: route for route in found["routes"]}
    for name, route in routes.items():
        own = [one for one in found["contributions"] if one["route"] == name]
        total = math.fsum(one["emissionsKgCo2e"] for one in own)
        size = math.fsum(abs(one["emissionsKgCo2e"]) for one in own)
        assert total == pytest.approx(route["emissionsKgCo2e"], rel=1e-9, abs=1e-9 * size)
        for one in own:
            product = one["activity"] * one["factor"]
            assert product == pytest.approx(one["emissionsKgCo2e"], rel=1e-9)
    counted = [route for route in routes.values() if route["weight"] > 0]
    if len(counted) == 2:
        bill, published = counted
        precision = bill["logSigma"] ** 2 + published["logSigma"] ** 2
        assert published["weight"] == pytest.approx(bill["logSigma"] ** 2 / precision, rel=1e-9)
    figure = math.prod(route["emissionsKgCo2e"] ** route["weight"] for route in counted)
    assert figure == pytest.approx(found["emissionsKgCo2e"], rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(answers())
def test_the_same_answers_give_the_same_figure_to_the_bit(
    given_answers: tuple[Product, Classification, BillOfMaterials, ManufacturingProcesses],
) -> None:
    assert calculate(*given_answers, FACTORS) == calculate(*given_answers, READ_AGAIN)
