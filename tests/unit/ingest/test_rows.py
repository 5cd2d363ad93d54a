"""The checks that every row must pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import UnreadableFile
from weighbridge.ingest.catalogue import check_records, read_catalogue
from weighbridge.ingest.decisions import ReadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.domain.products import Product, RejectedRow, RowNote

GOOD: dict[str, object] = {"code": "A-1", "name": "Chair", "description": "A wooden chair"}


FIRST, LAST = GOOD | {"code": "first"}, GOOD | {"code": "last"}


def check(*records: object) -> tuple[list[Product], list[RejectedRow]]:
    chunks = list(check_records(records))
    products = [product for chunk in chunks for product in chunk.iterate_products()]
    return products, [row for chunk in chunks for row in chunk.rejected]


def notes_of(*records: object) -> list[RowNote]:
    return [note for chunk in check_records(records) for note in chunk.iterate_notes()]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("code", "", "is empty"),
        ("code", None, "is empty"),
        ("code", "\\N", "is empty"),
        ("code", "#N/A", "spreadsheet error"),
        ("name", "#REF!", "spreadsheet error"),
        ("code", "4.00638E+12", "last digits are lost"),
        ("code", "4,00638E+12", "last digits are lost"),
        ("name", " \u00a0\t", "is empty"),
        ("code", "x" * 201, "201 characters, more than 200"),
        ("name", "ü" * 501, "501 characters"),
        ("description", "d" * 20_001, "20,001 characters"),
        ("code", "A\x001", "control character"),
        ("code", "A\n1", "control character"),
        ("name", "Cha\x1bir", "control character"),
        ("description", "a\x00b", "control character"),
        ("description", "caf\ufffd", "decoded; save the file as UTF-8"),
        ("name", "\ud800", "decoded"),
        ("name", {"en": 1}, "a list or an object"),
        ("name", ["Chair"], "a list or an object"),
    ],
)
def test_a_bad_required_field_rejects_its_row_with_a_remedy(
    field: str, value: object, words: str
) -> None:
    products, rejected = check(FIRST, {**GOOD, field: value}, LAST)
    assert [(row.row, row.field) for row in rejected] == [(2, field)]
    assert words in rejected[0].reason
    assert rejected[0].reason.isprintable()
    assert len(products) == 2


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("weight", "0", "not above 0"),
        ("weight", -2, "not above 0"),
        ("weight", float("inf"), "not a weight"),
        ("weight", True, "not a weight"),
        ("weight", [1], "not a weight"),
        ("weight", "#N/A", "spreadsheet error"),
        ("weight", "TBD", "stands for no value"),
        ("weight", "1,234", "two ways"),
        ("imageUrl", "ftp://example.com/a.png", "not an address"),
        ("imageUrl", "javascript:alert(1)", "not an address"),
        ("imageUrl", "data:image/png;base64,AAAA", "stands in the cell"),
        ("imageUrl", "file:///etc/passwd", "not an address"),
        ("imageUrl", "//example.com/a.png", "not an address"),
        ("imageUrl", "http://", "not an address"),
        ("imageUrl", "https://example.com/a b.png", "%20"),
        ("imageUrl", "https://example.com:port/a", "not an address"),
        ("imageUrl", "https://u:secret@example.com/a.png", "user name or password"),
        ("imageUrl", "https://example.com/" + "a" * 2000, "more than 2,000"),
        ("imageUrl", "pictures/a.png", "paths of files are not followed"),
        ("imageUrl", "null", "stands for no value"),
        ("countryOfOrigin", "Atlantis", "two-letter code"),
        ("countryOfOrigin", "EU", "not a single country"),
        ("countryOfOrigin", "DE/PL", "several countries"),
        ("quantity", "many", "not a quantity"),
        ("price", "-3", "below 0"),
        ("recycledShare", "130 %", "not a share"),
        ("piecesPerPack", "0", "not above 0"),
        ("supplierFootprint", "low", "not a footprint"),
        ("supplierFootprintBoundary", "somewhere", "not a known system boundary"),
        ("materials", "m" * 5_001, "5,001 characters"),
    ],
)
def test_a_bad_optional_cell_costs_only_itself_and_leaves_a_note(
    field: str, value: object, words: str
) -> None:
    records = (FIRST, {**GOOD, field: value}, LAST)
    products, rejected = check(*records)
    assert (len(products), rejected) == (3, [])
    bad = products[1]
    assert (bad.weight_kg, bad.image_url, bad.country_of_origin) == (None, None, None)
    assert bad.facts.as_stored() == {}
    (note,) = notes_of(*records)
    assert (note.row, note.field, note.code) == (2, field, "A-1")
    assert words in note.reason
    assert note.reason.isprintable()
    assert "secret" not in f"{note.reason}{note.found}"


def test_a_suppliers_figure_for_another_unit_is_left_out_with_a_note() -> None:
    record = {**GOOD, "supplierFootprint": "2.4", "supplierFootprintUnit": "square metre"}
    products, rejected = check(record)
    assert (products[0].facts.as_stored(), rejected) == ({}, [])
    (note,) = notes_of(record)
    assert note.field == "supplierFootprintUnit"
    assert "so the supplier's figure is left out; write piece or kg" in note.reason


def test_the_note_is_stored_with_its_product() -> None:
    (chunk,) = check_records([GOOD | {"weight": "TBD", "countryOfOrigin": "EU"}, LAST])
    stored, none = chunk.products["notes"]
    assert none is None
    assert [note["field"] for note in json.loads(stored)] == ["weight", "countryOfOrigin"]
    assert json.loads(stored)[0]["found"] == "TBD"


@pytest.mark.parametrize(
    ("field", "value", "attribute", "stored"),
    [
        ("code", " A\u00a0", "code", "A"),
        ("code", 123, "code", "123"),
        ("code", 123.0, "code", "123"),
        ("code", "x" * 200, "code", "x" * 200),
        ("name", "ü" * 500, "name", "ü" * 500),
        ("name", "Null", "name", "Null"),
        ("name", {"de": "Stuhl", "en": "Chair"}, "name", "Chair"),
        ("description", "one\r\ntwo\rthree\tfour", "description", "one\ntwo\nthree\tfour"),
        ("weight", "n/a", "weight_kg", None),
        ("weight", 2, "weight_kg", 2.0),
        ("weight", 1.234, "weight_kg", 1.234),
        ("weight", 950, "weight_kg", 950.0),
        ("weight", "250 g", "weight_kg", 0.25),
        ("weight", {"value": 90, "unit": "g"}, "weight_kg", 0.09),
        ("imageUrl", "HTTPS://example.com", "image_url", "HTTPS://example.com"),
        ("imageUrl", "http://[::1]:80/a?b#c", "image_url", "http://[::1]:80/a?b#c"),
        ("imageUrl", "https://bücher.example/ä.png", "image_url", "https://bücher.example/ä.png"),
        ("imageUrl", "https://example.com/a@b.png", "image_url", "https://example.com/a@b.png"),
        ("imageUrl", ["https://e.com/1.png", "https://e.com/2.png"], "image_url", "https://e.com/1.png"),
        ("imageUrl", [{"src": "https://e.com/1.png"}], "image_url", "https://e.com/1.png"),
        ("imageUrl", "https://e.com/1.png, https://e.com/2.png", "image_url", "https://e.com/1.png"),
        ("imageUrl", "https://e.com/1.png|https://e.com/2.png", "image_url", "https://e.com/1.png"),
        ("imageUrl", "", "image_url", None),
        ("countryOfOrigin", "germany", "country_of_origin", "DE"),
        ("countryOfOrigin", "unknown", "country_of_origin", None),
    ],
)  # fmt: skip
def test_a_good_field_is_stored_tidily(
    field: str, value: object, attribute: str, stored: object
) -> None:
    products, rejected = check({**GOOD, field: value})
    assert rejected == []
    assert getattr(products[0], attribute) == stored


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({"materials": "80 % cotton,\n20 % polyester"}, {"materials": "80 % cotton, 20 % polyester"}),
        ({"recycledShare": "30 %"}, {"recycled_share": 0.3}),
        ({"recycledShare": 0.25}, {"recycled_share": 0.25}),
        ({"piecesPerPack": "6 pcs"}, {"pieces_per_pack": 6.0}),
        ({"piecesPerPack": "pack of 12"}, {"pieces_per_pack": 12.0}),
        ({"quantity": "1 200"}, {"quantity": 1200.0}),
        ({"quantity": 0}, {"quantity": 0.0}),
        ({"price": "19,99 €"}, {"price": 19.99, "currency": "EUR"}),
        ({"price": "USD 5.50"}, {"price": 5.5, "currency": "USD"}),
        ({"price": "7.50", "currency": "chf"}, {"price": 7.5, "currency": "CHF"}),
        ({"supplierFootprint": "2.4 kg CO2e"}, {"supplier_footprint_kg_co2e": 2.4, "supplier_footprint_per": "piece"}),
        ({"supplierFootprint": "350 g CO2e"}, {"supplier_footprint_kg_co2e": 0.35, "supplier_footprint_per": "piece"}),
        ({"supplierFootprint": "2.4 kg CO2e/kg"}, {"supplier_footprint_kg_co2e": 2.4, "supplier_footprint_per": "kg"}),
        ({"supplierFootprint": "2.4", "supplierFootprintUnit": "per kg"}, {"supplier_footprint_kg_co2e": 2.4, "supplier_footprint_per": "kg"}),
        ({"supplierFootprint": "2.4", "supplierFootprintUnit": "1 piece"}, {"supplier_footprint_kg_co2e": 2.4, "supplier_footprint_per": "piece"}),
        ({"supplier": "Acme GmbH"}, {"supplier": "Acme GmbH"}),
        ({"Lieferant": "Acme GmbH"}, {"supplier": "Acme GmbH"}),
        ({"supplierFootprintBoundary": "Cradle to gate"}, {"supplier_footprint_boundary": "cradle-to-gate"}),
        ({"processHints": "injection moulded"}, {"process_hints": "injection moulded"}),
        ({"parentCode": "P-1", "variant": "red"}, {"parent_code": "P-1", "variant": "red"}),
        ({"grossWeight": "1.2 kg"}, {"gross_weight_kg": 1.2, "weight_is_gross": True}),
        ({"grossWeight": "1.2 kg", "weight": 1}, {"gross_weight_kg": 1.2}),
    ],
)  # fmt: skip
def test_facts_are_recognised_and_converted(
    given: dict[str, object], facts: dict[str, object]
) -> None:
    products, rejected = check(GOOD | given)
    assert rejected == []
    assert products[0].facts.as_stored() == facts
    assert notes_of(GOOD | given) == []


def test_a_code_that_comes_again_is_rejected_with_the_row_of_the_first() -> None:
    products, rejected = check(GOOD, LAST, GOOD | {"name": "Stool"})
    assert [product.name for product in products] == ["Chair", "Chair"]
    assert [(row.row, row.field) for row in rejected] == [(3, "code")]
    assert 'row 1 has the same code "A-1"' in rejected[0].reason


@pytest.mark.parametrize(
    "text", ["CafÃ© table", "MÃ¼llbeutel", "Ã\x9cbertopf".replace("\x9c", "œ")]
)
def test_text_that_was_decoded_wrongly_before_is_kept_and_noted(text: str) -> None:
    (note,) = notes_of(GOOD | {"name": text})
    assert "wrongly decoded" in note.reason


@pytest.mark.parametrize("code", ["10-Mar", "Mar-10", "2024-03-10", "01.03.2024"])
def test_a_code_that_looks_like_a_date_is_kept_and_noted(code: str) -> None:
    (note,) = notes_of(GOOD | {"code": code}, FIRST, LAST)
    assert (note.field, note.code) == ("code", code)


def test_only_the_first_failing_field_of_a_row_is_reported() -> None:
    _, rejected = check({"code": "A", "name": "", "description": "", "weight": "x"})
    assert [row.field for row in rejected] == ["name"]


def test_a_record_that_is_no_object_is_rejected_alone() -> None:
    products, rejected = check(FIRST, 5, "x", None, [GOOD], LAST)
    assert [row.row for row in rejected] == [2, 3, 4, 5]
    assert len(products) == 2


def test_records_without_a_required_key_are_rejected_one_by_one() -> None:
    products, rejected = check({"code": "A"}, {})
    assert products == []
    assert [(row.row, row.field) for row in rejected] == [(1, "name"), (2, "code")]


def test_no_records_give_nothing() -> None:
    assert check() == ([], [])


def test_a_unit_column_is_read_with_the_weight() -> None:
    records = [
        {**GOOD, "code": "1", "weight": "250", "weightUnit": "g"},
        {**GOOD, "code": "2", "weight": "2", "weightUnit": None},
        {**GOOD, "code": "3", "weight": "3 lb", "weightUnit": "g"},
        {**GOOD, "code": "4", "weight": None, "weightUnit": "g"},
        {**GOOD, "code": "5", "weight": "1", "weightUnit": "spoons"},
    ]
    products, _ = check(*records)
    assert [p.weight_kg for p in products] == [0.25, 2.0, pytest.approx(1.36077711), None, None]
    assert [note.row for note in notes_of(*records)] == [5]


def test_only_present_columns_count_as_given() -> None:
    (chunk,) = check_records([{**GOOD, "weight": None}])
    assert chunk.given == {"weight_kg"}


def test_a_limit_stops_reading_after_that_many_good_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("code,name,description\nA,n,d\n,n,d\nB,n,d\nC,n,d\n,n,d\n")
    chunks = list(read_catalogue(path, ReadOptions(at_most=2)))
    assert [p.code for chunk in chunks for p in chunk.iterate_products()] == ["A", "B"]
    assert [row.row for chunk in chunks for row in chunk.rejected] == [3]


def test_messages_use_the_users_file_name(tmp_path: Path) -> None:
    path = tmp_path / "upload-8f3"
    path.write_text('{"code": ')
    with pytest.raises(UnreadableFile, match=r'^"mine\.json": The JSON is damaged'):
        list(read_catalogue(path, ReadOptions(name="mine.json")))


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.lists(st.none())
)


@given(st.lists(st.dictionaries(st.sampled_from(["code", "name", "description", "weight", "image", "country", "x"]), values), max_size=8))  # fmt: skip
def test_every_record_becomes_a_product_or_a_rejected_row(
    records: list[dict[str, object]],
) -> None:
    products, rejected = check(*records)
    assert len(products) + len(rejected) == len(records)
    for row in rejected:
        assert row.reason.isprintable()
        assert row.code is None or row.code.isprintable()
    for product in products:
        assert product.weight_kg is None or 0 < product.weight_kg <= 1e6
