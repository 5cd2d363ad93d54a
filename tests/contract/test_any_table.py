"""Any table, in any format, encoding and decimal convention, comes back the same; a damaged cell
costs at most itself.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.catalogues import read_file
from weighbridge.ingest.base import Choices
from weighbridge.ingest.decisions import Given, ReadOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.domain.products import Product

ENGLISH = (
    "code",
    "name",
    "description",
    "weight (kg)",
    "price (EUR)",
    "annual quantity",
    "made in",
)
GERMAN = ("Artikelnummer", "Bezeichnung", "Beschreibung", "Gewicht (kg)", "Preis (EUR)", "Jahresmenge", "Herkunftsland")  # fmt: skip
LETTERS = {
    "utf-8": "aZ9 -.äßé中Жλ", "utf-8-sig": "aZ9 -.äß中Ж", "utf-16": "aZ9 -.中Ж😀",
    "windows-1252": "aZ9 -.äöüßéèñ", "windows-1250": "aZ9 -.ąćęłńśżőű", "gb18030": "aZ9 -.不锈钢杯子",
    "shift_jis": "aZ9 -.日本語カタ", "windows-1251": "aZ9 -.ёжикшщ",
}  # fmt: skip
TOLD = {"utf-8", "utf-8-sig", "utf-16"}
"""Encodings that a file shows by itself; the others are said, as a user would."""


@dataclass(frozen=True)
class Row:
    code: str
    name: str
    description: str
    weight: float | None
    price: float | None
    quantity: int | None
    country: str | None


def rows_of(letters: str) -> st.SearchStrategy[list[Row]]:
    text = st.text(st.sampled_from(letters), min_size=1, max_size=20).map(lambda t: f"n{t.strip()}")
    number = st.integers(1, 9_999_999).map(lambda n: n / 1000)
    row = st.builds(
        Row,
        st.uuids().map(lambda one: f"P{one.hex[:12]}"),
        text,
        text,
        st.none() | number,
        st.none() | number,
        st.none() | st.integers(1, 10_000_000),
        st.none() | st.sampled_from(["DE", "CN", "FR", "US"]),
    )
    return st.lists(row, min_size=1, max_size=8, unique_by=lambda one: one.code)


def written(number: float | None, sign: str, *, grouped: bool) -> str:
    """As a spreadsheet of that country shows it."""
    if number is None:
        return ""
    text = f"{number:,}" if grouped else f"{number}"
    return text.translate({ord("."): sign, ord(","): "." if sign == "," else ","})


def cells_of(row: Row, sign: str, *, grouped: bool) -> list[str]:
    numbers = [written(number, sign, grouped=grouped) for number in (row.weight, row.price)]
    return [
        row.code,
        row.name,
        row.description,
        *numbers,
        str(row.quantity or ""),
        row.country or "",
    ]


def write_csv(path: Path, table: Sequence[Sequence[str]], delimiter: str, encoding: str) -> Path:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(table)
    path.write_bytes(file.getvalue().encode(encoding))
    return path


def assert_same(products: Sequence[Product], rows: Sequence[Row]) -> None:
    assert [product.code for product in products] == [row.code for row in rows]
    for product, row in zip(products, rows, strict=True):
        assert (product.name, product.description) == (row.name, row.description)
        assert product.weight_kg == pytest.approx(row.weight)
        assert product.facts.price == pytest.approx(row.price)
        assert product.facts.quantity == row.quantity
        assert product.country_of_origin == row.country


quietly = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quietly
@given(st.data(), st.sampled_from(sorted(LETTERS)), st.sampled_from(",;\t|"), st.booleans())
def test_any_csv_comes_back_the_same(
    tmp_path: Path, data: st.DataObject, encoding: str, delimiter: str, comma: bool
) -> None:
    rows = data.draw(rows_of(LETTERS[encoding]))
    grouped = data.draw(st.booleans())
    sign = "," if comma else "."
    table = [GERMAN if comma else ENGLISH, *(cells_of(row, sign, grouped=grouped) for row in rows)]
    path = write_csv(tmp_path / "table.csv", table, delimiter, encoding)
    said = None if encoding in TOLD else encoding
    options = ReadOptions(choices=Choices(said), given=Given(decimal="," if comma else "."))
    found = read_file(path, options)
    assert found.rejected == []
    assert_same(found.products, rows)


@quietly
@given(rows_of(LETTERS["utf-8"]), st.sampled_from(["xlsx", "json", "jsonl", "parquet"]))
def test_any_table_of_typed_cells_comes_back_the_same(
    tmp_path: Path, rows: list[Row], kind: str
) -> None:
    path = tmp_path / f"table.{kind}"
    table = [tuple(vars(row).values()) for row in rows]
    frame = pl.DataFrame(table, schema=list(ENGLISH), orient="row", infer_schema_length=None)
    match kind:
        case "xlsx":
            with xlsxwriter.Workbook(path) as book:
                sheet = book.add_worksheet()
                for i, cells in enumerate([ENGLISH, *table]):
                    sheet.write_row(i, 0, cells)
        case "json":
            path.write_text(json.dumps(frame.to_dicts()), encoding="utf-8")
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, frame.to_dicts())), encoding="utf-8")
        case _:
            frame.write_parquet(path)
    found = read_file(path)
    assert found.rejected == []
    assert_same(found.products, rows)


DAMAGE = ["#N/A", "\\N", "abc", "-5", "1.2.3", "9" * 400, "<b>", "[]", "0", "12 parsecs", "\ufffd"]


@quietly
@given(rows_of(LETTERS["utf-8"]), st.data(), st.sampled_from(DAMAGE), st.booleans())
def test_damaged_optional_cell_costs_only_itself(
    tmp_path: Path, rows: list[Row], data: st.DataObject, damage: str, comma: bool
) -> None:
    sign = "," if comma else "."
    table = [cells_of(row, sign, grouped=False) for row in rows]
    at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(3, 6))
    options = ReadOptions(given=Given(decimal="," if comma else "."))
    header = GERMAN if comma else ENGLISH
    whole = read_file(write_csv(tmp_path / "a.csv", [header, *table], ";", "utf-8"), options)
    table[at][column] = damage
    hurt = read_file(write_csv(tmp_path / "b.csv", [header, *table], ";", "utf-8"), options)
    assert hurt.rejected == []
    same = [i for i in range(len(rows)) if i != at]
    assert [hurt.products[i] for i in same] == [whole.products[i] for i in same]
    assert (hurt.products[at].name, hurt.products[at].code) == (rows[at].name, rows[at].code)


@quietly
@given(rows_of(LETTERS["utf-8"]), st.data(), st.sampled_from(["", "#N/A", "\0", "\ufffd"]))
def test_damaged_required_cell_costs_only_its_row(
    tmp_path: Path, rows: list[Row], data: st.DataObject, damage: str
) -> None:
    table = [cells_of(row, ".", grouped=False) for row in rows]
    at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 2))
    table[at][column] = damage
    path = write_csv(tmp_path / "a.csv", [ENGLISH, *table], ";", "utf-8")
    found = read_file(path, ReadOptions(given=Given(decimal=".")))
    assert [row.row for row in found.rejected] == [at + 2]
    assert_same(found.products, rows[:at] + rows[at + 1 :])
