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
        ("paint", "paint_waterbased"),
        ("acrylic glass", "pmma_resin"),
        ("  Acrylic   Glass ", "pmma_resin"),
        ("chipboard", "particleboard"),
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
        ("blue paint for walls", "paint_waterbased"),
        ("yogurt", "food_yoghurt_plain"),
        ("Plexiglas", "pmma_resin"),
        ("cardboard", "board_uk"),
    ],
)
def test_a_slip_of_the_pen_finds_what_was_meant_first(text: str, key: str) -> None:
    assert near_matches(text, MATERIALS)[0] == key


@pytest.mark.parametrize(
    "text", ["paint", "steel", "cotton", "Baumwolle", "Kupferdraht", "recycled steel", "leather"]
)
def test_a_whole_word_in_common_comes_before_any_likeness_of_letters(text: str) -> None:
    meant = near_matches(text, MATERIALS)
    assert meant
    for key in meant:
        assert _shares_a_word(text, key), f"{key} for {text}"


def _shares_a_word(text: str, key: str) -> bool:
    english = {"baumwolle": "cotton", "kupferdraht": "copper"}.get(text.casefold(), text)
    return any(word in f"{key} {MATERIALS[key]}".casefold() for word in english.split())


def test_every_key_and_every_name_of_its_own_is_found() -> None:
    names = list(MATERIALS.values())
    for key, name in MATERIALS.items():
        assert find_key(key, MATERIALS) == key
        if names.count(name) == 1:
            assert find_key(name.upper(), MATERIALS) == key


def test_what_is_like_nothing_gets_no_suggestion() -> None:
    assert did_you_mean(["qqqqzzzz"], MATERIALS) == ""
    assert did_you_mean(["aluminium_primary"], MATERIALS) == ""


@pytest.mark.parametrize("wood", ["oak", "Eiche", "oak, solid", "beech"])
def test_a_kind_of_tree_is_one_of_wood(wood: str) -> None:
    assert near_matches(wood, MATERIALS)[0] == "hardwood_sawn"
