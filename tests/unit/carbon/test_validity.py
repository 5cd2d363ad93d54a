from __future__ import annotations

import pytest

from tests.support.carbon_builders import bill, footprint, material, table
from weighbridge.carbon.validity import (
    NO_CHIPS_NOTE,
    TOO_LOW_CATEGORIES,
    TOO_LOW_EXCEPTIONS,
    TOO_LOW_NOTE,
)
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy

FACTORS = table(
    [
        material("resin"),
        material("laptop", complete_article=True),
        material("pcb_populated_laptop"),
        material("ic_logic"),
    ]
)


@pytest.mark.parametrize("category", sorted(TOO_LOW_CATEGORIES))
def test_categories_known_to_be_too_low_carry_a_note(category: str) -> None:
    result = footprint(FACTORS, bill(("resin", 1.0)), category=category, subcategory="Anything")
    assert result.notes == (TOO_LOW_NOTE,)


def test_other_categories_carry_no_note() -> None:
    assert footprint(FACTORS, bill(("resin", 1.0)), category="Metal products").notes == ()


def test_office_chairs_carry_no_note() -> None:
    result = footprint(
        FACTORS, bill(("resin", 1.0)), category="Furniture", subcategory="Office chairs"
    )
    assert result.notes == ()


@pytest.mark.parametrize(("resin_kg", "noted"), [(0.4, False), (0.6, True)])
def test_a_factor_for_the_whole_article_includes_assembly(resin_kg: float, noted: bool) -> None:
    materials = bill(("laptop", 1.0 - resin_kg), ("resin", resin_kg))
    result = footprint(FACTORS, materials, category="Consumer electronics")
    assert (TOO_LOW_NOTE in result.notes) == noted


def test_circuit_boards_without_chips_get_a_note() -> None:
    bare = footprint(FACTORS, bill(("pcb_populated_laptop", 0.2)))
    complete = footprint(FACTORS, bill(("pcb_populated_laptop", 0.2), ("ic_logic", 0.01)))
    assert bare.notes == (NO_CHIPS_NOTE,)
    assert complete.notes == ()


def test_names_exist_in_the_bundled_data() -> None:
    taxonomy = load_taxonomy()
    assert taxonomy.categories.keys() >= TOO_LOW_CATEGORIES
    for category, subcategory in TOO_LOW_EXCEPTIONS:
        assert taxonomy.subcategory(category, subcategory).name == subcategory
    materials = BundledFactors().load().materials
    assert [key for key in materials if key.startswith("pcb_populated")]
    assert {"ic_logic", "ic_memory"} <= materials.keys()
