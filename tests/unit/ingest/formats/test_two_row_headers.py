"""Headers of two rows, in text files as in workbooks: units below names, and names of a program
below those for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xlsxwriter

from tests.support.catalogues import read_file, write_text
from weighbridge.ingest.catalogue import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

UNITS_BELOW = [
    ["Article", "Name", "Description", "Weight", "Price"],
    ["", "", "", "[g]", "EUR"],
    ["A", "Tee", "Cotton", "150", "9.50"],
    ["B", "Cap", "Wool", "90", "5.50"],
]
TITLES_ABOVE = [
    ["", "Product", "", "Weight (g)", ""],
    ["Article", "Name", "Description", "net", "gross"],
    ["A", "Tee", "Cotton", "150", "180"],
    ["B", "Cap", "Wool", "90", "110"],
]
PROGRAM_BELOW = [
    ["Code", "Name", "Description", "Weight (g)", "Country"],
    ["sku", "product_name", "long_description", "weight_g", "country_of_origin"],
    ["A", "Tee", "Cotton", "150", "IN"],
    ["B", "Cap", "Wool", "90", "CN"],
]
TYPES_BELOW = [
    ["Article", "Name", "Description", "Weight (g)", "Country"],
    ["", "", "", "decimal", "ISO code"],
    ["A", "Tee", "Cotton", "150", "IN"],
    ["B", "Cap", "Wool", "90", "CN"],
]
TABLES = {
    "types": TYPES_BELOW,
    "units": UNITS_BELOW,
    "titles": TITLES_ABOVE,
    "program": PROGRAM_BELOW,
}


def write(folder: Path, rows: list[list[str]], kind: str) -> Path:
    if kind == "csv":
        return write_text(folder / "a.csv", "\n".join(";".join(row) for row in rows) + "\n")
    with xlsxwriter.Workbook(folder / "a.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, [cell or None for cell in row])
    return folder / "a.xlsx"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("table", TABLES)
def test_both_rows_are_the_header(tmp_path: Path, table: str, kind: str) -> None:
    path = write(tmp_path, TABLES[table], kind)
    found = read_file(path)
    assert found.rejected == []
    assert found.notes == []
    assert {code: one.weight_kg for code, one in found.by_code.items()} == {"A": 0.15, "B": 0.09}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_first_product_of_words_is_no_header(tmp_path: Path, kind: str) -> None:
    rows = [["code", "name", "description"], ["weight", "price", "Anything"], ["b", "c", "d"]]
    path = write(tmp_path, rows, kind)
    assert [*read_file(path).by_code] == ["weight", "b"]
    assert Catalogue(path).head.columns.headers == ("code", "name", "description")


def test_a_title_wider_than_the_table_does_no_harm(tmp_path: Path) -> None:
    text = "Export of;all;our;articles;and;more\ncode;name;description\nA;b;c\n"
    assert [*read_file(write_text(tmp_path / "a.csv", text)).by_code] == ["A"]
