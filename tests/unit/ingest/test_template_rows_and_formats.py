"""What a template says below its header, what a program writes for an empty text, and what a
number's format says of it.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.catalogues import read_file, read_text, write_text
from weighbridge.ingest.formats.xlsx.numbers import as_percent, number_format

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "below",
    [
        ["[-]", "[-]", "[-]", "[g]", "[ISO]"],
        ["-", "-", "-", "g", "-"],
        ["Required. Unique", "Required. Max 200", "Required", "Optional, in grams", "Optional"],
        ["required", "required", "optional", "optional (g)", "optional"],
        ["Pflichtfeld", "Pflichtfeld", "Pflichtfeld", "[g]", "Pflichtfeld"],
        ["(text)", "(text)", "(text)", "(g)", "(text)"],
    ],
)
def test_a_row_that_says_what_columns_hold_is_no_product_and_its_unit_counts(
    tmp_path: Path, below: list[str]
) -> None:
    rows = [
        ["code", "name", "description", "weight", "country"],
        below,
        ["A", "Cup", "Of glass", "300", "DE"],
        ["B", "Mug", "Of stone", "1400", "DE"],
    ]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = read_file(tmp_path / "a.csv")
    assert [(one.code, one.weight_kg) for one in found.products] == [("A", 0.3), ("B", 1.4)]
    assert not found.rejected
    assert not found.notes


def test_products_without_words_are_products(tmp_path: Path) -> None:
    text = "code,name,description,weight kg\n-,-,-,2\nB,Required reading,Optional cover,1\n"
    assert [one.weight_kg for one in read_text(tmp_path, text).products] == [2.0, 1.0]


@pytest.mark.parametrize("key", ["description", "materials", "supplier", "country", "image"])
def test_false_stands_for_no_text(tmp_path: Path, key: str) -> None:
    whole = {"code": "A", "name": "Cup", "description": "Of glass", "short description": "Glass"}
    path = write_text(tmp_path / "a.json", json.dumps([whole | {key: False}]))
    found = read_file(path)
    (product,) = found.products
    texts = (
        product.description,
        product.facts.materials,
        product.facts.supplier,
        product.image_url,
    )
    assert "FALSE" not in f"{texts}".upper()
    assert product.country_of_origin is None
    expected = [("A", "description")] if key == "description" else []
    assert [(note.code, note.field) for note in found.notes] == expected


def test_a_code_that_is_false_is_missing(tmp_path: Path) -> None:
    record = {"code": False, "name": "Cup", "description": "Of glass"}
    found = read_file(write_text(tmp_path / "a.json", json.dumps([record])))
    assert ["is empty" in row.reason for row in found.rejected] == [True]


@pytest.mark.parametrize(
    ("code", "currency"),
    [
        ("#,##0.00 €", "EUR"), ('0.00" EUR"', "EUR"), ("[$€-407] 0.00", "EUR"), ("[$CHF] 0.00", "CHF"),
        ("£0.00", "GBP"), ('"zł" 0', "PLN"), ('"$"0.00', None), ("[$-409]0.00", None), ("0.00", None), ('0.0" kg"', None),
    ],
)  # fmt: skip
def test_a_format_may_name_a_currency(code: str, currency: str | None) -> None:
    assert number_format(164, code).currency == currency


@pytest.mark.parametrize(
    ("number", "code", "is_percent"),
    [
        (9, None, True),
        (10, None, True),
        (164, "0.0%", True),
        (164, '0"%"', False),
        (2, None, False),
    ],
)
def test_a_format_may_show_percent(number: int, code: str | None, is_percent: bool) -> None:
    assert number_format(number, code).is_percent is is_percent


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("0.3", "30 %"), ("1", "100 %"), ("0.255", "25.5 %"), ("0.12345", "12.345 %")],
)
def test_a_share_is_shown_as_its_percentage(stored: str, shown: str) -> None:
    assert as_percent(stored) == shown


def test_magento_tells_the_origin_among_its_attributes(tmp_path: Path) -> None:
    text = (
        "sku,attribute_set_code,product_type,name,description,country_of_manufacture,additional_attributes\n"
        'A,Top,simple,Cup,Of glass,Poland,"material=Glass,country_of_manufacture=China"\n'
        'B,Top,simple,Mug,Of stone,,"size=S,country_of_manufacture=China"\n'
        "C,Top,simple,Pot,Of iron,,size=S\n"
    )
    found = read_text(tmp_path, text)
    assert [one.country_of_origin for one in found.products] == ["PL", "CN", None]


@pytest.mark.parametrize("header", ["", " ", "Gewicht"])
@pytest.mark.parametrize("units", [("g", "kg", "g"), ("KG", "", "Gramm"), ("lb", "oz", "lb")])
def test_a_column_of_units_without_a_header_belongs_to_the_weight_before_it(
    tmp_path: Path, header: str, units: tuple[str, ...]
) -> None:
    rows = [["code", "name", "description", "Gewicht", header]]
    rows += [[f"C{i}", "Cup", "x", "500", unit] for i, unit in enumerate(units)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    sizes = {"g": 0.5, "kg": 500.0, "gramm": 0.5, "": None, "lb": 226.796185, "oz": 14.1747615625}
    found = [one.weight_kg for one in read_file(tmp_path / "a.csv").products]
    expected = [sizes[unit.casefold()] for unit in units]
    assert found == pytest.approx(expected)


def test_a_column_without_a_header_that_holds_more_than_units_belongs_to_nothing(
    tmp_path: Path,
) -> None:
    text = "code,name,description,weight,\nA,Cup,x,2,g\nB,Mug,x,3,blue\n"
    assert [one.weight_kg for one in read_text(tmp_path, text).products] == [2.0, 3.0]
