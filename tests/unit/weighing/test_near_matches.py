"""What a person calls a material, a process or a category is found, or the nearest words are."""

from __future__ import annotations

import pytest

from weighbridge.factor_sources.bundled import BundledFactors
from weighbridge.weighing.near_matches import did_you_mean, find_key, near_matches

MATERIALS = {key: one.name for key, one in BundledFactors().load().materials.items()}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("aluminium_primary", "aluminium_primary"),
        ("virgin aluminium", "aluminium_primary"),
        ("recycled aluminium", "aluminium_recycled"),
        ("Recycled Aluminum", "aluminium_recycled"),
        ("Aluminium, primary ingot", "aluminium_primary"),
    ],
)
def test_a_material_is_found_by_key_name_or_words(text: str, key: str) -> None:
    assert find_key(text, MATERIALS) == key


@pytest.mark.parametrize("text", ["", " ", "aluminium", "unobtainium", "steel"])
def test_what_may_mean_several_is_not_guessed(text: str) -> None:
    assert find_key(text, MATERIALS) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("aluminum_primary", "aluminium_primary"),
        ("aluminum recycld", "aluminium_recycled"),
        ("pmma", "pmma_resin"),
        ("Stainles steel 304, EAF", "stainless_304_eaf"),
    ],
)
def test_a_slip_of_the_pen_finds_what_was_meant_first(text: str, key: str) -> None:
    assert near_matches(text, MATERIALS)[0] == key


def test_what_is_like_nothing_gets_no_suggestion() -> None:
    assert did_you_mean(["qqqqzzzz"], MATERIALS) == ""
    assert did_you_mean(["aluminium_primary"], MATERIALS) == ""
