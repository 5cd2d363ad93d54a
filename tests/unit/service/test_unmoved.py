"""A correction that leaves the figure as it was says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.carbon_builders import bill, footprint, worked
from weighbridge.domain.answers import Attribute, AttributeBasis
from weighbridge.domain.corrections import read_change
from weighbridge.factor_sources.bundled import BundledFactors
from weighbridge.service.desk.unmoved import reasons_unmoved, remarks

FACTORS = BundledFactors().load()
BOTTLE = bill(("pp_resin", 0.3))


def told(target: str, value: object, **attributes: float) -> str:
    given = tuple(Attribute(n, v, AttributeBasis.STATED) for n, v in attributes.items())
    figure = footprint(
        FACTORS,
        replace(BOTTLE, attributes=given),
        worked(("steel_deep_drawing", "pp_resin")) if "lines" in target else worked(),
        category="Kitchen & household",
        subcategory="Kitchen tools & utensils",
    )
    assert all(route.weight in {0.0, 1.0} for route in figure.routes)
    return " ".join(reasons_unmoved([read_change(target, value)], figure, FACTORS))


@pytest.mark.parametrize(
    ("target", "value", "attributes", "said"),
    [
        (
            "bill_of_materials.attributes.display_lcd_inch",
            100,
            {"display_lcd_inch": 100.0},
            "it would weigh more than the 0.3 kg of the whole product.",
        ),
        (
            "bill_of_materials.attributes.pieces_per_pack",
            6,
            {"pieces_per_pack": 6.0},
            "Pieces per pack only matter where published figures",
        ),
        (
            "bill_of_materials.attributes.fabric_g_per_m2",
            200,
            {"fabric_g_per_m2": 200.0},
            "Nothing is calculated from fabric g per m2 any more.",
        ),
        ("bill_of_materials.lines.1.component", "body", {}, "The name of a part is a label"),
        ("classification.subcategory", "Cutlery", {}, "and this product uses none"),
        ("manufacturing.lines.1", ["steel_deep_drawing"], {}, "Not counted: Deep drawing, steel"),
        ("bill_of_materials.mass_kg", 0.3, {}, "The changed value is not part of the calculation."),
    ],
)
def test_a_correction_that_moves_nothing_says_why(
    target: str, value: object, attributes: dict[str, float], said: str
) -> None:
    assert said in told(target, value, **attributes)


@pytest.mark.parametrize(
    ("note", "is_said"),
    [
        ("the catalogue says 0.3 kg, the figure is for 300 kg: check the weight", True),
        ("no country of origin: world average electricity", False),
    ],
)
def test_what_to_check_is_said_at_once_and_once(note: str, is_said: bool) -> None:
    figure = replace(footprint(FACTORS, BOTTLE, worked()), notes=(note,))
    said = remarks(["bill_of_materials.mass_kg"], True, (), figure, FACTORS)
    assert any("Check" in one or "check" in one for one in said) is is_said
    assert remarks(["bill_of_materials.mass_kg"], True, (note,), figure, FACTORS) == ()
