"""Composition and recycled share of the catalogue, in the bill and in the figure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.carbon_builders import HEAT, bill, grid, material, process, worked
from weighbridge.carbon.calculate import calculate
from weighbridge.carbon.catalogue_facts import parts_named, with_catalogue_facts
from weighbridge.carbon.factors import FactorTable
from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
)
from weighbridge.domain.facts import ProductFacts
from weighbridge.domain.products import Product
from weighbridge.errors import FactorTableInvalid

if TYPE_CHECKING:
    from weighbridge.domain.results import Footprint

STEEL = replace(material("steel", 2.0, family="steel"), recycled_as="steel_scrap")
SCRAP = replace(material("steel_scrap", 0.5, family="steel"), recycled=True)
MIX = replace(
    material("alu_mix", 6.0, family="aluminium"), recycled_as="alu_scrap", recycled_content=0.25
)
ALU_SCRAP = replace(material("alu_scrap", 0.6, family="aluminium"), recycled=True)
WOOD = material("wood", 0.3, family="wood")
COTTON = material("cotton_knit", 7.0, family="textile_fabric")
POLYESTER = material("polyester_knit", 8.0, family="textile_fabric")
PRESS = process("press", 1.0, families=frozenset({"steel"}))
FACTORS = FactorTable.of(
    "test",
    [STEEL, SCRAP, MIX, ALU_SCRAP, WOOD, COTTON, POLYESTER],
    [PRESS],
    [grid("DE", 0.4), grid("GLO", 0.5, "World")],
    HEAT,
)


def judged(
    facts: ProductFacts, lines: BillOfMaterials, uses: ManufacturingProcesses | None = None
) -> Footprint:
    return calculate(
        Product("P-1", "A product", "", country_of_origin="DE", facts=facts),
        Classification("Tools & hardware", "Hand tools", Confidence.HIGH),
        lines,
        uses or worked(),
        FACTORS,
    )


def masses(facts: ProductFacts, lines: BillOfMaterials) -> dict[str, float]:
    found = with_catalogue_facts(facts, lines, worked(), FACTORS)
    return {line.material: round(line.mass_kg, 9) for line in found.bill.lines}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("80 % cotton, 20 % polyester", {"cotton": 0.8, "polyester": 0.2}),
        ("Cotton 80%, Polyester 20%", {"cotton": 0.8, "polyester": 0.2}),
        ("80% Baumwolle / 20% Polyester", {"baumwolle": 0.8, "polyester": 0.2}),
        ("62,5 % coton; 37,5 % lin", {"coton": 0.625, "lin": 0.375}),
        ("100% cotton, 0% plastic", {"cotton": 1.0}),
        ("cotton and some polyester", {}),
        ("", {}),
    ],
)
def test_compositions_are_read_with_the_number_first_or_last(
    text: str, parts: dict[str, float]
) -> None:
    assert parts_named(text) == pytest.approx(parts)


def test_masses_follow_the_composition_and_the_note_says_so() -> None:
    lines = bill(("cotton_knit", 0.1), ("polyester_knit", 0.1), ("steel", 0.02))
    result = judged(ProductFacts(materials="80 % Baumwolle, 20 % Polyester"), lines)
    assert result.emissions_kg_co2e == pytest.approx(0.16 * 7 + 0.04 * 8 + 0.02 * 2)
    assert result.mass.value == pytest.approx(0.22)
    said = "the masses follow the catalogue's composition: 80% baumwolle, 20% polyester"
    assert said in result.notes


@pytest.mark.parametrize(
    "text",
    [
        "81 % cotton, 19 % polyester",  # the model met it
        "50 % cotton, 20 % polyester",  # no whole
        "50 % cotton, 50 % knit",  # one line belongs to both
        "50 % unobtainium, 50 % kryptonite",  # nothing of it is in the bill
        "cotton, polyester",
    ],
)
def test_a_composition_that_is_met_or_unclear_changes_nothing(text: str) -> None:
    lines = bill(("cotton_knit", 0.16), ("polyester_knit", 0.04))
    found = with_catalogue_facts(ProductFacts(materials=text), lines, worked(), FACTORS)
    assert found.bill == lines


def test_a_composition_of_more_than_a_whole_is_said_and_not_counted() -> None:
    lines = bill(("cotton_knit", 0.5), ("polyester_knit", 0.5))
    facts = ProductFacts(materials="300 % cotton, 20 % polyester")
    assert masses(facts, lines) == {"cotton_knit": 0.5, "polyester_knit": 0.5}
    assert (
        "the catalogue's composition adds up to 320%, more than a whole: not counted"
        in judged(facts, lines).notes
    )


def test_a_part_that_the_bill_lacks_is_said() -> None:
    lines = bill(("cotton_knit", 0.2))
    result = judged(ProductFacts(materials="80 % cotton, 20 % elastane"), lines)
    said = "the catalogue's composition names 20% elastane: not in the bill"
    assert said in result.notes
    assert result.emissions_kg_co2e == pytest.approx(0.2 * 7)


def test_a_recycled_share_takes_the_recycled_factor_for_its_part_of_the_mass() -> None:
    lines = bill(("steel", 1.0), ("wood", 1.0))
    pressed = ManufacturingProcesses((ProcessUse("press", "steel", 1),), Confidence.HIGH)
    result = judged(ProductFacts(recycled_share=0.2), lines, pressed)
    # 0.2 of 2 kg: 0.4 kg of the steel; all of it is pressed with the German grid
    assert result.emissions_kg_co2e == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.3 + 1.0 * 0.4)
    assert result.notes == ()


def test_what_is_recycled_already_counts_towards_the_share() -> None:
    facts = ProductFacts(recycled_share=0.5)
    assert masses(facts, bill(("steel", 1.0), ("steel_scrap", 1.0))) == {
        "steel": 1.0,
        "steel_scrap": 1.0,
    }
    assert masses(ProductFacts(recycled_share=0.25), bill(("alu_mix", 1.0))) == {"alu_mix": 1.0}
    # A quarter of the mix is recycled: for five eighths, half of it has to be replaced.
    assert masses(ProductFacts(recycled_share=0.625), bill(("alu_mix", 1.0))) == {
        "alu_mix": 0.5,
        "alu_scrap": 0.5,
    }


def test_a_share_that_the_bill_cannot_have_is_counted_as_far_as_it_can() -> None:
    lines = bill(("steel", 1.0), ("wood", 3.0))
    pressed = ManufacturingProcesses((ProcessUse("press", "steel", 1),), Confidence.HIGH)
    result = judged(ProductFacts(recycled_share=0.5), lines, pressed)
    assert result.emissions_kg_co2e == pytest.approx(1.0 * 0.5 + 3.0 * 0.3 + 1.0 * 0.4)
    (note,) = result.notes
    assert note.startswith("of the catalogue's recycled share of 50%, 25% is counted")


@example(5e-324, 0.25, 0.125, 0.125)
@given(st.floats(0, 1), st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 100))
def test_mass_is_kept_and_the_share_is_never_exceeded(
    share: float, steel: float, mix: float, wood: float
) -> None:
    lines = bill(("steel", steel), ("alu_mix", mix), ("wood", wood))
    found = with_catalogue_facts(ProductFacts(recycled_share=share), lines, worked(), FACTORS).bill
    assert found.mass_kg == pytest.approx(lines.mass_kg)
    recycled = math.fsum(
        line.mass_kg * (0.25 if line.material == "alu_mix" else 1.0)
        for line in found.lines
        if line.material in ("steel_scrap", "alu_scrap", "alu_mix")
    )
    most = (steel + mix) / lines.mass_kg
    least = 0.25 * mix / lines.mass_kg
    assert recycled / lines.mass_kg == pytest.approx(min(max(share, least), most), abs=1e-9)


def test_a_recycled_counterpart_must_be_there_and_be_recycled() -> None:
    for wrong in ("nothing", "wood"):
        with pytest.raises(FactorTableInvalid, match=f"no recycled '{wrong}'"):
            FactorTable.of(
                "test",
                [replace(STEEL, recycled_as=wrong), WOOD],
                [],
                [grid("GLO", 0.5, "World")],
                HEAT,
            )
