"""Every reader gives the same products and the same rejections for the same catalogue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.catalogues import WRITERS, read_all
from weighbridge.domain.products import Product
from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.values.nothing import DUMPED_NULLS, SPREADSHEET_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Write = Callable[[Sequence[Mapping[str, str | None]]], Path]

HEADER_ROWS = {"csv": 1, "xlsx": 1}


@pytest.fixture(params=list(WRITERS))
def format_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def write(format_name: str, tmp_path: Path) -> Write:
    """Writes records as a catalogue of the format under test."""
    name, writer = WRITERS[format_name]

    def write_records(records: Sequence[Mapping[str, str | None]]) -> Path:
        writer(tmp_path / name, records)
        return tmp_path / name

    return write_records


def record(code: str | None = "A-1", **more: str | None) -> dict[str, str | None]:
    return {"code": code, "name": "Chair", "description": "A wooden chair", **more}


def test_all_fields_arrive(write: Write) -> None:
    path = write(
        [
            record(
                "0007", weight="1,5", imageUrl="https://example.com/a.png", countryOfOrigin="de"
            ),
            record("B", weight=None, imageUrl=None, countryOfOrigin=None),
        ]
    )
    products, rejected = read_all(path)
    assert rejected == []
    assert products == [
        Product("0007", "Chair", "A wooden chair", 1.5, "https://example.com/a.png", None, "DE"),
        Product("B", "Chair", "A wooden chair"),
    ]


def test_bad_rows_are_reported_and_good_rows_kept(write: Write, format_name: str) -> None:
    path = write(
        [
            record("A", weight="1"),
            record(None, weight="2"),
            record("C", weight="-1"),
            record("D", weight="4"),
        ]
    )
    products, rejected = read_all(path)
    first = 1 + HEADER_ROWS.get(format_name, 0)
    assert [product.code for product in products] == ["A", "C", "D"]
    assert products[1].weight_kg is None
    assert [(row.row, row.field, row.code) for row in rejected] == [
        (first + 1, "code", None),
    ]


def test_formulas_and_markup_stay_text(write: Write) -> None:
    nasty = '=HYPERLINK("http://evil.example","x")'
    products, _ = read_all(
        write([record("=1+1", description=nasty), record("@SUM(A1)", name="<b>")])
    )
    assert [p.code for p in products] == ["=1+1", "@SUM(A1)"]
    assert products[0].description == nasty
    assert products[1].name == "<b>"


def test_missing_column_error_lists_what_was_found_and_the_remedy(write: Write) -> None:
    path = write([{"code": "A", "name": "Chair", "remarks": "wood"}])
    with pytest.raises(MissingColumn, match=r'description.*"code", "name", "remarks".*Rename'):
        read_all(path)


def test_uses_a_column_mapped_by_the_user(write: Write) -> None:
    path = write([{"code": "A", "name": "Chair", "remarks": "wood"}])
    products, _ = read_all(path, {Field.DESCRIPTION: "remarks"})
    assert products[0].description == "wood"


def test_many_columns_that_nobody_asked_for_do_no_harm(write: Write) -> None:
    products, rejected = read_all(
        write([record(c, **{f"extra {i}": "x" for i in range(300)}) for c in "AB"])
    )
    assert (len(products), rejected) == (2, [])


def test_a_truncated_file_is_refused_or_loses_no_row_silently(
    write: Write, format_name: str
) -> None:
    path = write([record(f"P-{i}", description=f"Number {i * 7919}") for i in range(500)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    if format_name in {"csv", "jsonl"}:
        products, rejected = read_all(path)
        assert 300 < len(products) < 350
        assert len(rejected) <= 1
    else:
        with pytest.raises(UnreadableFile, match=r"damaged|complete"):
            read_all(path)


def test_an_empty_file_is_refused(write: Write) -> None:
    path = write([record()])
    path.write_bytes(b"")
    with pytest.raises(UnreadableFile, match="empty"):
        read_all(path)


# What no format can carry, or what the checks refuse or tidy, is left out here and tested on its
# own.
texts = st.text(
    st.characters(
        codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters="_\ufffd"
    ),
    min_size=1,
    max_size=40,
).filter(
    lambda text: (
        text.strip() == text != ""
        and text.lower() not in DUMPED_NULLS | SPREADSHEET_ERRORS
        and not re.match(r"[0-9][.,][0-9]+[eE]", text)
    )
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=8, unique_by=lambda row: row[0])
)
def test_any_text_survives(write: Write, rows: list[tuple[str, str, str]]) -> None:
    path = write([{"code": c, "name": n, "description": d} for c, n, d in rows])
    products, rejected = read_all(path)
    assert rejected == []
    assert [(p.code, p.name, p.description) for p in products] == rows
