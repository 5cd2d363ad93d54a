"""Which header is which field."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import InputError, MissingColumn
from weighbridge.ingest.columns.fields import REQUIRED, SYNONYMS, Field, normalise
from weighbridge.ingest.columns.matching import (
    Wanted,
    find_header,
    match_columns,
    parse_mapping,
)
from weighbridge.ingest.values.units import UNIT_NAMES

PLAIN = ["code", "name", "description"]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("SKU", Field.CODE),
        ("Product Code", Field.CODE),
        ("item_number", Field.CODE),
        ("Article No.", Field.CODE),
        ("\ufeffid", Field.CODE),
        ("Title", Field.NAME),
        ("productName", Field.NAME),
        ("Désignation", Field.NAME),
        ("Long-Description", Field.DESCRIPTION),
        ("Body (HTML)", Field.DESCRIPTION),
        ("Gewicht", Field.WEIGHT),
        ("imageUrl", Field.IMAGE),
        ("image url", Field.IMAGE),
        ("Photo", Field.IMAGE),
        ("countryOfOrigin", Field.COUNTRY),
        ("Made in", Field.COUNTRY),
        ("Pays d'origine", Field.COUNTRY),
    ],
)
def test_headers_match_regardless_of_spelling(header: str, field: Field) -> None:
    others = [name for name in REQUIRED if name != field]
    assert match_columns([*others, header], Wanted()).positions[field] == len(others)


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Weight (kg)", "kg"),
        ("Weight (g)", "g"),
        ("weight_lb", "lb"),
        ("weightOz", "oz"),
        ("Net weight [mg]", "mg"),
        ("mass in tonnes", "t"),
        ("Gewicht (Gramm)", "g"),
        ("Variant Grams", "g"),
    ],
)
def test_the_unit_is_in_the_header(header: str, unit: str) -> None:
    columns = match_columns([*PLAIN, header], Wanted())
    assert columns.positions[Field.WEIGHT] == 3
    assert columns.units.get(Field.WEIGHT) == UNIT_NAMES[unit]


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Gewicht je Stück (g)", "g"), ("Peso (gramos)", "g"), ("Вес, кг", "kg"), ("Вес (г)", "g"), ("重量(克)", "g"), ("重量kg", "kg"),
        ("Poids en grammes", "g"), ("weight_in_g", "g"), ("ItemWeightInKilograms", "kg"), ("Net Weight [KGM]", "kg"), ("무게(g)", "g"),
        ("Weight kg per piece", "kg"), ("Hmotnost [kg]", "kg"), ("Ağırlık (gr)", "g"),
    ],
)  # fmt: skip
def test_the_unit_is_found_in_headers_of_many_wordings_and_languages(
    header: str, unit: str
) -> None:
    columns = match_columns([*PLAIN, header], Wanted())
    assert columns.positions[Field.WEIGHT] == 3
    assert columns.units[Field.WEIGHT] == UNIT_NAMES[unit]


@pytest.mark.parametrize("header", ["weight", "Gewicht", "Peso", "Weight net", "重量"])
def test_a_header_without_a_unit_names_none(header: str) -> None:
    assert match_columns([*PLAIN, header], Wanted()).units == {}


def test_a_gross_weight_is_told_from_a_net_one() -> None:
    columns = match_columns([*PLAIN, "Gross weight (g)", "Net weight (kg)"], Wanted())
    assert columns.positions[Field.GROSS_WEIGHT] == 3
    assert columns.positions[Field.WEIGHT] == 4
    assert columns.units == {Field.GROSS_WEIGHT: UNIT_NAMES["g"], Field.WEIGHT: UNIT_NAMES["kg"]}


def test_one_column_serves_as_two_fields_when_asked() -> None:
    wanted = Wanted(parse_mapping(["description=name"]))
    columns = match_columns(["code", "Title"], wanted)
    assert columns.positions[Field.DESCRIPTION] == columns.positions[Field.NAME] == 1
    columns = match_columns(["code", "name"], wanted)
    assert columns.positions[Field.DESCRIPTION] == columns.positions[Field.NAME] == 1


def test_the_english_column_comes_before_other_languages_which_stand_in_for_it() -> None:
    columns = match_columns(
        ["sku", "name-de_DE", "name-en_US", "description-de_DE-web", "description-en_US-web"],
        Wanted(),
    )
    assert columns.positions[Field.NAME] == 2
    assert columns.positions[Field.DESCRIPTION] == 4
    assert columns.fallbacks[Field.NAME] == (1,)


def test_a_unit_column_counts_only_where_the_header_of_the_weight_names_none() -> None:
    plain = match_columns([*PLAIN, "weight", "weight unit"], Wanted())
    assert plain.positions[Field.WEIGHT_UNIT] == 4
    named = match_columns([*PLAIN, "weight_kg", "weight unit"], Wanted())
    assert Field.WEIGHT_UNIT not in named.positions
    alone = match_columns([*PLAIN, "weight unit"], Wanted())
    assert Field.WEIGHT_UNIT not in alone.positions


def test_the_best_matching_header_wins() -> None:
    columns = match_columns(["id", "ean", "sku", "code", "title", "name", "description"], Wanted())
    assert columns.positions[Field.CODE] == 3
    assert columns.positions[Field.NAME] == 5
    assert match_columns(["id", "ean", "name", "description"], Wanted()).positions[Field.CODE] == 1


def test_the_first_of_two_equal_headers_is_used() -> None:
    assert (
        match_columns(["Code", "code", "name", "description"], Wanted()).positions[Field.CODE] == 0
    )


def test_a_mapped_column_wins_and_is_used_once() -> None:
    wanted = Wanted(parse_mapping(["code=id", "country= made in ", "image=", "weightUnit=g"]))
    headers = ["code", "id", "name", "description", "Made In", "image", "weight"]
    columns = match_columns(headers, wanted)
    assert columns.positions[Field.CODE] == 1
    assert columns.positions[Field.COUNTRY] == 4
    assert Field.IMAGE not in columns.positions
    assert columns.units.get(Field.WEIGHT) == UNIT_NAMES["g"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [("colour=x", "colour.*the fields are code, name"), ("code", "write field=column")],
)
def test_an_invalid_mapping_is_refused(entry: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_mapping([entry])


def test_mapping_error_lists_the_available_columns() -> None:
    with pytest.raises(MissingColumn, match=r'no column "nr".*"code", "name"'):
        match_columns(PLAIN, Wanted({Field.CODE: "nr"}))


def test_missing_columns_error_suggests_a_mapping() -> None:
    with pytest.raises(MissingColumn) as caught:
        match_columns(["name", "", "colour\x07", *(f"c{i}" for i in range(30))], Wanted())
    message = str(caught.value)
    assert "code, description" in message
    assert '"name", "colour\\x07"' in message
    assert "12 more" in message
    assert "Rename the columns" in message


def test_where_only_a_description_is_missing_the_name_is_offered_for_it() -> None:
    with pytest.raises(
        MissingColumn,
        match='or use one column for two fields with the mapping "description=Product name"',
    ):
        match_columns(["sku", "Product name", "colour"], Wanted())


def test_the_header_is_found_below_a_title() -> None:
    rows = [
        ["Catalogue 2026", "", ""],
        ["", "", ""],
        ["code", "name", "description"],
        ["a", "b", "c"],
    ]
    assert find_header(rows, Wanted())[0] == 2


def test_without_a_header_the_message_names_the_closest_row() -> None:
    rows = [["Catalogue 2026"], ["code", "name", "remarks"], ["a", "b", "c"]]
    with pytest.raises(MissingColumn, match="remarks"):
        find_header(rows, Wanted())
    with pytest.raises(MissingColumn, match="empty"):
        find_header([["", " "], []], Wanted())


def test_no_synonym_stands_for_two_fields() -> None:
    for one, other in itertools.combinations(SYNONYMS, 2):
        assert set(SYNONYMS[one]).isdisjoint(SYNONYMS[other]), (one, other)
    for synonyms in SYNONYMS.values():
        assert len(set(synonyms)) == len(synonyms)
        assert [normalise(name) for name in synonyms] == list(synonyms)


@given(
    st.sampled_from([(f, s) for f, synonyms in SYNONYMS.items() for s in synonyms]),
    st.lists(st.sampled_from(["_", " ", "-", ".", ""]), min_size=40, max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_headers_ignore_case_and_punctuation(
    known: tuple[Field, str], marks: list[str], upper: list[bool]
) -> None:
    field, synonym = known
    header = "".join(
        (c.upper() if up else c) + mark for c, mark, up in zip(synonym, marks, upper, strict=False)
    )
    filler = [name for name in REQUIRED if name != field]
    beside = {Field.WEIGHT_UNIT: ["weight"], Field.CURRENCY: ["price"]}.get(field, [])
    headers = [*filler, *beside, header]
    assert match_columns(headers, Wanted()).positions[field] == len(headers) - 1


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(header: str) -> None:
    once = normalise(header)
    assert normalise(once) == once
    assert all(unicodedata.category(c)[0] in "LN" for c in once)


@given(st.lists(st.text(st.characters(exclude_categories=["L"]), max_size=12), max_size=12))
def test_any_header_error_is_printable(headers: list[str]) -> None:
    with pytest.raises(MissingColumn) as caught:
        match_columns(headers, Wanted())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("piece", ["[", "(", "ab_", "kg ", "-", "é"])
def test_a_header_without_end_names_no_field_and_keeps_nobody_busy(piece: str) -> None:
    found = match_columns([*PLAIN, "weight" + piece * 100_000], Wanted())
    assert Field.WEIGHT not in found.positions
