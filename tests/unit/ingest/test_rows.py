"""The checks that every row must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import UnreadableFile
from weighbridge.ingest.catalogue import check_records, read_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.domain.products import Product, RejectedRow

GOOD: dict[str, object] = {"code": "A-1", "name": "Chair", "description": "A wooden chair"}


def check(*records: object) -> tuple[list[Product], list[RejectedRow]]:
    chunks = list(check_records(records))
    products = [product for chunk in chunks for product in chunk.iterate_products()]
    return products, [row for chunk in chunks for row in chunk.rejected]


@pytest.mark.parametrize(
    ("field", "value", "reported", "words"),
    [
        ("code", "", "code", "is empty"),
        ("code", None, "code", "is empty"),
        ("name", " \u00a0\t", "name", "is empty"),
        ("code", "x" * 201, "code", "201 characters, more than 200"),
        ("name", "ü" * 501, "name", "501 characters"),
        ("description", "d" * 20_001, "description", "20,001 characters"),
        ("code", "A\x001", "code", "control character"),
        ("code", "A\n1", "code", "control character"),
        ("name", "Cha\x1bir", "name", "control character"),
        ("description", "a\x00b", "description", "control character"),
        ("description", "caf\ufffd", "description", "decoded; save the file as UTF-8"),
        ("name", "\ud800", "name", "decoded"),
        ("weight", "0", "weight", "not above 0"),
        ("weight", -2, "weight", "not above 0"),
        ("weight", float("nan"), None, ""),
        ("weight", float("inf"), "weight", "not a weight"),
        ("weight", True, "weight", "not a weight"),
        ("weight", [1], "weight", "a list or an object"),
        ("name", {"en": "Chair"}, "name", "a list or an object"),
        ("imageUrl", "ftp://example.com/a.png", "imageUrl", "no address"),
        ("imageUrl", "javascript:alert(1)", "imageUrl", "no address"),
        ("imageUrl", "data:image/png;base64,AAAA", "imageUrl", "no address"),
        ("imageUrl", "file:///etc/passwd", "imageUrl", "no address"),
        ("imageUrl", "//example.com/a.png", "imageUrl", "no address"),
        ("imageUrl", "http://", "imageUrl", "no address"),
        ("imageUrl", "https://example.com/a b.png", "imageUrl", "%20"),
        ("imageUrl", "https://example.com:port/a", "imageUrl", "no address"),
        ("imageUrl", "https://u:secret@example.com/a.png", "imageUrl", "user name or password"),
        ("imageUrl", "https://example.com/" + "a" * 2000, "imageUrl", "more than 2,000"),
        ("imageUrl", "pictures/a.png", "imageUrl", "catalogue's folder"),
        ("countryOfOrigin", "Atlantis", "countryOfOrigin", "two-letter code"),
        ("countryOfOrigin", "EU", "countryOfOrigin", "two-letter code"),
    ],
)
def test_a_bad_field_rejects_its_row_with_a_remedy(
    field: str, value: object, reported: str | None, words: str
) -> None:
    products, rejected = check(GOOD, {**GOOD, field: value}, GOOD)
    if reported is None:
        assert rejected == []
        return
    assert [(row.row, row.field) for row in rejected] == [(2, reported)]
    assert words in rejected[0].reason
    assert "secret" not in rejected[0].reason
    assert rejected[0].reason.isprintable()
    assert len(products) == 2


@pytest.mark.parametrize(
    ("field", "value", "attribute", "stored"),
    [
        ("code", " A\u00a0", "code", "A"),
        ("code", 123, "code", "123"),
        ("code", 123.0, "code", "123"),
        ("code", "x" * 200, "code", "x" * 200),
        ("name", "ü" * 500, "name", "ü" * 500),
        ("description", "one\r\ntwo\rthree\tfour", "description", "one\ntwo\nthree\tfour"),
        ("weight", "n/a", "weight_kg", None),
        ("weight", 2, "weight_kg", 2.0),
        ("weight", "250 g", "weight_kg", 0.25),
        ("imageUrl", "HTTPS://example.com", "image_url", "HTTPS://example.com"),
        ("imageUrl", "http://[::1]:80/a?b#c", "image_url", "http://[::1]:80/a?b#c"),
        ("imageUrl", "https://bücher.example/ä.png", "image_url", "https://bücher.example/ä.png"),
        ("imageUrl", "https://example.com/a@b.png", "image_url", "https://example.com/a@b.png"),
        ("imageUrl", "", "image_url", None),
        ("countryOfOrigin", "germany", "country_of_origin", "DE"),
        ("countryOfOrigin", "unknown", "country_of_origin", None),
    ],
)
def test_valid_fields_are_normalised(
    field: str, value: object, attribute: str, stored: object
) -> None:
    products, rejected = check({**GOOD, field: value})
    assert rejected == []
    assert getattr(products[0], attribute) == stored


def test_only_the_first_failing_field_of_a_row_is_reported() -> None:
    _, rejected = check({"code": "A", "name": "", "description": "", "weight": "x"})
    assert [row.field for row in rejected] == ["name"]


def test_a_record_that_is_not_an_object_is_rejected_alone() -> None:
    products, rejected = check(GOOD, 5, "x", None, [GOOD], GOOD)
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
        {**GOOD, "weight": "250", "weightUnit": "g"},
        {**GOOD, "weight": "2", "weightUnit": None},
        {**GOOD, "weight": "3 lb", "weightUnit": "g"},
        {**GOOD, "weight": None, "weightUnit": "g"},
        {**GOOD, "weight": "1", "weightUnit": "stone"},
    ]
    products, rejected = check(*records)
    assert [p.weight_kg for p in products] == [0.25, 2.0, pytest.approx(1.36077711), None]
    assert [row.row for row in rejected] == [5]


def test_only_present_columns_count_as_given() -> None:
    (chunk,) = check_records([{**GOOD, "weight": None}])
    assert chunk.given == {"weight_kg"}


def test_a_limit_stops_reading_after_that_many_good_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("code,name,description\nA,n,d\n,n,d\nB,n,d\nC,n,d\n,n,d\n")
    chunks = list(read_catalogue(path, at_most=2))
    assert [p.code for chunk in chunks for p in chunk.iterate_products()] == ["A", "B"]
    assert [row.row for chunk in chunks for row in chunk.rejected] == [3]


def test_messages_use_the_users_file_name(tmp_path: Path) -> None:
    path = tmp_path / "upload-8f3"
    path.write_text('{"code": ')
    with pytest.raises(UnreadableFile, match=r'^"mine\.json": The JSON is damaged'):
        list(read_catalogue(path, name="mine.json"))


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
