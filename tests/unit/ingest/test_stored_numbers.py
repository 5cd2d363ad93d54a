"""A number that the file stores as a number says nothing about how people write numbers beside it.

The point of such a number is the file format's, not its author's: "2.600" typed as text in a column
of numbers is two thousand six hundred in half of Europe.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import xlsxwriter

from tests.support.catalogues import read_file
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.decisions import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HEADERS = ("code", "name", "description", "weight (kg)", "quantity", "price (EUR)")


def write_json(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps([dict(zip(HEADERS, row, strict=True)) for row in rows]))
    return path


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path = path.with_suffix(".xlsx")
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADERS, *rows]):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                else:
                    sheet.write_number(number, column, cell)
    return path


def write_parquet(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path = path.with_suffix(".parquet")
    pl.DataFrame([dict(zip(HEADERS, row, strict=True)) for row in rows]).write_parquet(path)
    return path


def rows_of(cells: Sequence[tuple[Any, Any, Any]]) -> list[tuple[Any, ...]]:
    return [(f"P{i}", "a name", "a text", *each) for i, each in enumerate(cells)]


@pytest.mark.parametrize("write", [write_json, write_xlsx])
class TestTextAmongNumbers:
    def test_text_that_can_be_read_in_two_ways_is_left_out_and_noted(
        self, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        cells = [(0.18, 12000, 14.9), (0.65, "2.600", 49.9), ("1.250", 800, 9.5)]
        found = read_file(write(tmp_path / "shop", rows_of(cells)))
        assert [each.facts.quantity for each in found.products] == [12000, None, 800]
        assert [each.weight_kg for each in found.products] == [0.18, 0.65, None]
        assert {note.field for note in found.notes} == {"quantity", "weight"}

    def test_text_shows_how_its_author_writes_the_rest(
        self, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        cells = [(0.18, 12000, 14.9), (0.65, "2.600", 49.9), ("1,25", "800", 9.5)]
        found = read_file(write(tmp_path / "shop", rows_of(cells)))
        assert [each.facts.quantity for each in found.products] == [12000, 2600, 800]
        assert [each.weight_kg for each in found.products] == [0.18, 0.65, 1.25]

    def test_text_with_points_is_still_read(
        self, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        cells = [("0.18", "10", "14.9"), ("0.65", "20", "49.9"), ("1.250", "30", "9.5")]
        found = read_file(write(tmp_path / "shop", rows_of(cells)))
        assert [each.weight_kg for each in found.products] == [0.18, 0.65, 1.25]


@pytest.mark.parametrize("write", [write_json, write_xlsx, write_parquet])
@pytest.mark.parametrize("price", ["14,90", "14.90"], ids=["comma", "point"])
def test_a_stored_number_has_its_value_whatever_sign_the_text_beside_it_has(
    tmp_path: Path, write: Callable[..., Path], price: str
) -> None:
    cells = [(1.234, 1.5, price), (12.345, 2.25, price), (0.5, 1234.5, price)]
    found = read_file(write(tmp_path / "shop", rows_of(cells)))
    assert [each.weight_kg for each in found.products] == [1.234, 12.345, 0.5]
    assert [each.facts.quantity for each in found.products] == [1.5, 2.25, 1234.5]


def test_a_stored_number_has_its_value_among_text_with_commas(tmp_path: Path) -> None:
    cells = [("0,25", 10, 1.0), ("0,75", 20, 1.0), (1.234, 30, 1.0)]
    found = read_file(write_xlsx(tmp_path / "shop", rows_of(cells)))
    assert [each.weight_kg for each in found.products] == [0.25, 0.75, 1.234]


@pytest.mark.parametrize("weights", [["0,25"], ["0,25", "0,5"], ["3 kg"], ["3 kg", "4 kg"]])
def test_the_reasons_count_one_cell_as_one(tmp_path: Path, weights: list[str]) -> None:
    cells = [(weight, 10, 1.0) for weight in weights]
    catalogue = Catalogue(write_xlsx(tmp_path / "shop", rows_of(cells)), ReadOptions())
    rules = catalogue.head.decisions.rules.values()
    said = " ".join(f"{rule.decimal_why} {rule.unit_why}" for rule in rules)
    assert not re.search(r"\b1 \w+s\b|\ball 1\b", said), said
