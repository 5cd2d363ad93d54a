"""Parts that count by area, capacity or piece: what they replace, what is dropped, and what is said
about them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.carbon_builders import bill, footprint, worked
from weighbridge.carbon.components import count_components, why_not_counted
from weighbridge.carbon.terms import Place
from weighbridge.domain.answers import Attribute, AttributeBasis, BillOfMaterials
from weighbridge.domain.results import ContributionKind, Footprint
from weighbridge.factor_sources.bundled import BundledFactors

if TYPE_CHECKING:
    from weighbridge.carbon.factors import ComponentFactor

FACTORS = BundledFactors().load()
DISPLAY = ("display_module_lcd", 0.3)
REST = ("abs_resin", 1.7)


def with_attributes(lines: BillOfMaterials, **values: float) -> BillOfMaterials:
    attributes = [Attribute(n, v, AttributeBasis.STATED) for n, v in values.items()]
    return replace(lines, attributes=tuple(attributes))


def judged(lines: BillOfMaterials) -> Footprint:
    return footprint(
        FACTORS, lines, category="Consumer electronics", subcategory="Other consumer electronics"
    )


def keys(result: Footprint) -> list[str]:
    return [one.factor_key for one in result.contributions]


def test_a_display_counts_by_its_area_and_its_line_does_not_count_by_mass() -> None:
    result = judged(with_attributes(bill(REST, DISPLAY), display_lcd_inch=24.0))
    (display,) = (one for one in result.contributions if one.kind is ContributionKind.COMPONENT)
    assert "display_module_lcd" not in keys(result)
    # 24 inches of 16 : 9 are 0.531 m x 0.299 m
    assert display.activity == pytest.approx(0.531 * 0.299, rel=2e-3)
    assert display.emissions_kg_co2e == pytest.approx(display.activity * 280)


def test_only_proxies_that_count_are_named() -> None:
    by_mass = judged(bill(REST, DISPLAY))
    by_area = judged(with_attributes(bill(REST, DISPLAY), display_lcd_inch=24.0))
    assert any(note.startswith("proxy for Display module, LCD") for note in by_mass.notes)
    assert not any(note.startswith("proxy for Display module, LCD") for note in by_area.notes)
    assert any(note.startswith("proxy for Display, LCD") for note in by_area.notes)


@pytest.mark.parametrize(
    ("name", "value"),
    [("display_lcd_inch", 600.0), ("display_lcd_inch", 100.0), ("memory_gb", 1e9)],
)
def test_an_attribute_out_of_reason_is_dropped_with_a_note(name: str, value: float) -> None:
    result = judged(with_attributes(bill(REST, DISPLAY), **{name: value}))
    assert "display_module_lcd" in keys(result)
    assert any(note.startswith("dropped: ") for note in result.notes)


@pytest.mark.parametrize(
    ("subcategory", "name", "most"),
    [
        (kind, name, most)
        for name, factor in FACTORS.components.items()
        for kind, most in factor.largest_by_kind
    ],
)
def test_what_no_product_of_the_kind_has_is_dropped_with_a_note(
    subcategory: str, name: str, most: float
) -> None:
    heavy = bill(("abs_resin", 5_000.0))

    def notes(value: float) -> list[str]:
        result = footprint(
            FACTORS,
            with_attributes(heavy, **{name: value}),
            category="Consumer electronics",
            subcategory=subcategory,
        )
        return [note for note in result.notes if note.startswith("dropped: ")]

    assert notes(most) == []
    assert [f"no product of the kind {subcategory}" in note for note in notes(most * 1.01)] == [
        True
    ]


def test_a_phone_with_six_terabytes_of_memory_is_not_heavier_for_it() -> None:
    lines = bill(("glass_display_substrate", 0.1), ("pcb_assembled_phone", 0.1))
    plain, absurd = (
        footprint(
            FACTORS,
            with_attributes(lines, **given),
            category="Consumer electronics",
            subcategory="Smartphones",
        )
        for given in ({}, {"memory_gb": 6_000.0})
    )
    assert absurd.routes[0].emissions_kg_co2e == plain.routes[0].emissions_kg_co2e


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("Computer accessories & peripherals", [("silicone_rubber", 0.033)]),
        ("Chargers & cables", [("cable_insulated", 0.04), ("connector", 0.005)]),
    ],
)
def test_what_has_no_electronics_in_it_is_not_judged_as_a_device(
    kind: str, lines: list[tuple[str, float]]
) -> None:
    result = footprint(FACTORS, bill(*lines), category="Consumer electronics", subcategory=kind)
    assert result.dominance == "bill of materials alone"
    assert not any("likely too low" in note for note in result.notes)
    assert result.emissions_kg_co2e < 0.5


@pytest.mark.parametrize("material", ["stoneware", "porcelain", "brick"])
def test_fired_ceramics_are_not_fired_again(material: str) -> None:
    fired = footprint(FACTORS, bill((material, 1.0)), worked(("ceramic_firing", material)))
    assert fired.emissions_kg_co2e == footprint(FACTORS, bill((material, 1.0))).emissions_kg_co2e
    assert any("left out" in note or "includes" in note for note in fired.notes)


def test_memory_and_storage_are_known_to_about_a_third_to_three_times() -> None:
    for name in ("memory_gb", "flash_gb"):
        ranged = FACTORS.components[name].kg_co2e_per_unit
        assert ranged.value / 3.1 < ranged.low < ranged.high < ranged.value * 3.1


@pytest.mark.parametrize(
    "name", [key for key in FACTORS.components if key.startswith("processors_")]
)
def test_a_processor_counts_by_piece_and_its_line_does_not_count_by_mass(name: str) -> None:
    result = judged(with_attributes(bill(REST, ("ic_logic", 0.045)), **{name: 1.0}))
    assert name in keys(result)
    assert "ic_logic" not in keys(result)


def test_chips_beside_a_board_without_chips_are_those_of_the_board() -> None:
    lines = bill(REST, ("pcb_populated_laptop", 0.1), ("ic_logic", 0.004))
    result = judged(with_attributes(lines, processors_pc=1.0))
    assert {"ic_logic", "processors_pc"} <= set(keys(result))


def test_memory_chips_stay_beside_a_processor() -> None:
    lines = bill(REST, ("ic_logic", 0.03), ("ic_memory", 0.002))
    assert "ic_memory" in keys(judged(with_attributes(lines, processors_pc=1.0)))


def test_a_tray_of_chips_is_not_taken_for_its_one_processor() -> None:
    tray = bill(REST, ("ic_logic", 1.0))
    assert "ic_logic" in keys(judged(with_attributes(tray, processors_pc=1.0)))
    assert "ic_logic" not in keys(judged(with_attributes(tray, processors_pc=8.0)))


@given(
    factor=st.sampled_from(list(FACTORS.components.values())),
    value=st.floats(1e-3, 1e9),
    mass_kg=st.floats(1e-3, 1e3),
    kind=st.sampled_from(["Laptops", "Smartphones", "Monitors", "Kitchen tools & utensils"]),
)
def test_what_is_not_counted_is_refused_and_what_is_said_to_count_does(
    factor: ComponentFactor, value: float, mass_kg: float, kind: str
) -> None:
    lines = with_attributes(bill(("abs_resin", mass_kg)), **{factor.attribute: value})
    place = Place.of(None, FACTORS)
    dropped = count_components(kind, lines, FACTORS, place).notes
    reason = why_not_counted(lines.attributes[0], kind, lines, FACTORS)
    assert bool(dropped) == bool(reason)
    if reason is None:
        return
    said = re.search(r"at most ([\d.e+-]+)[ ,]", reason.partition("Give ")[2])
    assert said, reason
    if (most := float(said[1])) > 0:
        fitting = with_attributes(lines, **{factor.attribute: most})
        assert why_not_counted(fitting.attributes[0], kind, fitting, FACTORS) is None
        assert not count_components(kind, fitting, FACTORS, place).notes
