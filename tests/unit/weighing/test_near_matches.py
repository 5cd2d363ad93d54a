"""What a person calls a material, a process or a category is found, or the nearest words are."""

from __future__ import annotations

import pytest

from weighbridge.factor_sources.bundled import BundledFactors
from weighbridge.weighing.near_matches import USUAL, did_you_mean, find_key, near_matches

FACTORS = BundledFactors().load()
MATERIALS = {key: one.name for key, one in FACTORS.materials.items()}


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
        ("cardboard", "corrugated_board"),
        ("aluminum_primry", "aluminium_primary"),
        ("hardwod", "hardwood_sawn"),
        ("coton", "cotton_woven_dyed"),
        ("polyesther", "polyester_woven_dyed"),
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


@pytest.mark.parametrize(
    "text",
    ["wood", "Holz", "PET", "HDPE", "PVC", "motor", "acrylic", "gold", "polystyrene", "latex"],
)
def test_a_word_is_not_taken_for_what_is_recycled_or_only_one_of_several(text: str) -> None:
    assert find_key(text, MATERIALS) is None


OFFERED = {key: one.name for key, one in FACTORS.materials.items() if not one.retired}
MEANT = {
    "solid wood": "hardwood_sawn sawn_softwood_dry_us plywood_indoor",
    "wood": "hardwood_sawn sawn_softwood_dry_us plywood_indoor",
    "Massivholz": "hardwood_sawn sawn_softwood_dry_us plywood_indoor",
    "oak": "hardwood_sawn",
    "pine": "sawn_softwood_dry_us plywood_indoor pulp_softwood_bleached",
    "aluminium": "aluminium_ordinary aluminium_primary aluminium_recycled",
    "stainless": "stainless_304_cold_rolled stainless_304_eaf stainless_430_world",
    "Edelstahl": "stainless_304_cold_rolled stainless_304_eaf stainless_430_world",
    "metal": "steel_cold_rolled aluminium_ordinary stainless_304_cold_rolled",
    "chrome": "chromium leather_chrome_tanned",
    "zinc": "zinc_primary zinc_die_cast zinc_oxide",
    "recycled PET": "pet_recycled_pellet pet_resin",
    "rPET": "pet_recycled_pellet pet_resin",
    "PET": "pet_resin pet_recycled_pellet",
    "HDPE": "hdpe_resin hdpe_recycled_pellet",
    "polypropylene": "pp_resin pp_gf30 nonwoven_pp",
    "Kunststoff": "plastic_average pp_resin",
    "cotton": "cotton_woven_dyed cotton_knit_dyed cotton_fibre",
    "organic cotton": "cotton_fibre_organic cotton_yarn cotton_fibre",
    "denim": "cotton_woven_dyed",
    "fleece": "polyester_knit_dyed",
    "recycled polyester": "polyester_recycled_mechanical polyester_poy polyester_chip",
    "felt": "nonwoven_polyester wool_sheep",
    "leather": "leather_chrome_tanned leather_vegetable_tanned pu_synthetic_leather",
    "faux leather": "pu_synthetic_leather pvc_synthetic_leather leather_chrome_tanned",
    "Kunstleder": "pu_synthetic_leather pvc_synthetic_leather leather_chrome_tanned",
    "glass": "glass_float glass_tempered glass_container_fr",
    "fiberglass": "glass_fibre smc_gf25 pa_gf30",
    "marble": "stone_quarried",
    "granite": "stone_quarried",
    "cardboard": "corrugated_board folding_boxboard greyboard",
    "Pappe": "corrugated_board folding_boxboard greyboard",
    "recycled paper": "greyboard kraft_paper tissue_paper",
    "rubber": "natural_rubber rubber_compound sbr_rubber",
    "silicone": "silicone_rubber",
    "memory foam": "pu_flexible_foam eps_foam eva_foam",
    "bolt": "steel_fasteners",
    "motor": "electric_motor steel_electrical",
    "circuit board": "pcb_bare pcb_assembled_computer pcb_assembled_phone",
    "lithium battery": "battery_liion battery_lfp battery_lead",
    "ceramic": "stoneware porcelain capacitor_mlcc",
}
"""What an analyst types → what a person who knows the list would point at. Looked at one by one."""


@pytest.mark.parametrize("text", MEANT)
def test_what_is_suggested_means_what_was_typed(text: str) -> None:
    wanted = MEANT[text].split()
    assert near_matches(text, OFFERED)[: len(wanted)] == wanted


@pytest.mark.parametrize("key", sorted({key for keys in USUAL.values() for key in keys}))
def test_what_a_word_usually_means_is_in_the_list(key: str) -> None:
    assert key in OFFERED
