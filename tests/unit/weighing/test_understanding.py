"""Names in the place of keys are understood wherever a value is chosen from a list, and said."""

from __future__ import annotations

from typing import Any

import pytest

from weighbridge.domain.corrections import read_change
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy
from weighbridge.steps import STEPS, Steps
from weighbridge.weighing.understanding import in_keys

FACTORS = BundledFactors().load()


@pytest.fixture(scope="module")
def steps() -> Steps:
    return Steps(STEPS, FACTORS.vocabulary(load_taxonomy()))


@pytest.mark.parametrize(
    ("target", "value", "meant"),
    [
        ("bill_of_materials.lines.2.material", "Recycled aluminium", "aluminium_recycled"),
        ("bill_of_materials.lines.2.material", "paint", "paint_waterbased"),
        (
            "bill_of_materials.lines",
            [{"material": "ABS resin", "mass_kg": 1.0}, {"material": "mdf", "mass_kg": 2.0}],
            [{"material": "abs_resin", "mass_kg": 1.0}, {"material": "mdf", "mass_kg": 2.0}],
        ),
        ("manufacturing.lines.1", ["Injection moulding"], ["injection_moulding"]),
        (
            "manufacturing.lines.1",
            [{"process": "injection moulding", "country": "DE"}],
            [{"process": "injection_moulding", "country": "DE"}],
        ),
        ("manufacturing.lines.1.country", "Germany", "DE"),
        ("classification.subcategory", "laptops", "Laptops"),
    ],
)
def test_a_name_is_taken_for_its_key_and_said(
    steps: Steps, target: str, value: Any, meant: Any
) -> None:
    (made,), said = in_keys([read_change(target, value)], steps)
    assert made.value == meant
    assert said
    assert all(" was taken as " in sentence for sentence in said)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("bill_of_materials.lines.2.material", "steel"),
        ("bill_of_materials.lines.2.material", "aluminium_recycled"),
        ("bill_of_materials.lines.2.component", "paint"),
        ("bill_of_materials.mass_kg", 1.5),
        ("bill_of_materials.lines", [{"mass_kg": 1.0}, 7, None]),
        ("factors.steel", {"value": 2.0}),
        ("no_such_step.at_all", "paint"),
    ],
)
def test_keys_and_what_may_mean_several_stay_as_they_are(
    steps: Steps, target: str, value: Any
) -> None:
    change = read_change(target, value)
    (made,), said = in_keys([change], steps)
    assert (made, said) == (change, ())
