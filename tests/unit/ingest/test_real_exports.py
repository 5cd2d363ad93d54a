"""What shops, PIM and ERP programs and people write into files, kind by kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.support.catalogues import read_file, read_text
from weighbridge.errors import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    {"sku": "A", "name": "Chair", "description": "Oak", "weight": {"value": 5, "unit": "kg"}},
    {"sku": "B", "name": "Pen", "description": "Plastic", "origin": {"country": "CN"}},
]


@pytest.mark.parametrize(
    "document",
    [
        {"products": RECORDS},
        {"items": RECORDS, "count": 2},
        {"meta": {"page": 1}, "data": {"items": RECORDS}},
        {"_links": {}, "_embedded": {"items": RECORDS}},
        {"data": {"products": {"edges": [{"cursor": "x", "node": one} for one in RECORDS]}}},
        [{"product": one} for one in RECORDS],
    ],
    ids=["products", "items", "data.items", "_embedded.items", "edges", "wrapped"],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_list_of_products_is_found_wherever_it_is(
    tmp_path: Path, document: Any, indent: int | None
) -> None:
    found = read_text(tmp_path, json.dumps(document, indent=indent), name="shop.json").by_code
    assert [found["A"].weight_kg, found["B"].country_of_origin] == [5.0, "CN"]


def test_several_lists_are_refused_by_name(tmp_path: Path) -> None:
    document = json.dumps({"data": {"items": RECORDS, "offers": [{"id": 1}]}})
    with pytest.raises(UnreadableFile, match=r"data\.items.*data\.offers"):
        read_text(tmp_path, document, name="shop.json")


def test_a_product_by_itself_is_not_taken_for_its_pictures(tmp_path: Path) -> None:
    one = {**RECORDS[0], "images": [{"src": "https://shop.example/a.jpg"}]}
    found = read_text(tmp_path, json.dumps(one, indent=1), name="one.json").by_code
    assert found["A"].image_url == "https://shop.example/a.jpg"


def test_variants_without_a_handle_are_products_with_weights_of_their_own(tmp_path: Path) -> None:
    variants = [{"sku": "T-S", "grams": 120}, {"sku": "T-M", "weight": 0.13, "weight_unit": "kg"}]
    document = {"products": [{"id": 1, "title": "Tee", "body_html": "x", "variants": variants}]}
    found = read_text(tmp_path, json.dumps(document), name="products.json").by_code
    assert {code: one.weight_kg for code, one in found.items()} == {"T-S": 0.12, "T-M": 0.13}


@pytest.mark.parametrize(
    ("cell", "kg"),
    [
        ("5 hg", 0.5),
        ("20 dkg", 0.2),
        ("2 dag", 0.02),
        ("1.2 kg net", 1.2),
        ("2 kg approx.", 2.0),
        ("(1.2 kg)", 1.2),
        ("5 kg*", 5.0),
        ("2 kg ± 5%", 2.0),
        ("\u202a2 kg\u202c", 2.0),
        ("2\u200b kg", 2.0),
        ("2\u00a0kg", 2.0),
    ],
)
def test_weights_as_people_write_them(tmp_path: Path, cell: str, kg: float) -> None:
    found = read_text(tmp_path, f"code,name,description,weight\nA,a,aa,{cell}\n")
    assert found.by_code["A"].weight_kg == pytest.approx(kg)
    assert found.notes == []


@pytest.mark.parametrize("cell", ["<1 kg", "1-2 kg", "max 2 kg", "up to 3 kg", "5 ct", "500 ml"])
def test_what_is_no_weight_costs_the_cell_and_is_noted(tmp_path: Path, cell: str) -> None:
    found = read_text(tmp_path, f"code,name,description,weight\nA,a,aa,{cell}\n")
    assert (found.by_code["A"].weight_kg, len(found.notes)) == (None, 1)


@pytest.mark.parametrize(
    ("header", "cell", "read"),
    [
        ("Net wt.", "2 kg", "weight_kg"),
        ("Country of Origin (HS)", "China", "country_of_origin"),
        ("Ctry of origin", "China", "country_of_origin"),
        ("Net weight (required)", "2 kg", "weight_kg"),
    ],
)
def test_headers_with_abbreviations_and_remarks(
    tmp_path: Path, header: str, cell: str, read: str
) -> None:
    found = read_text(tmp_path, f"Item no.,Prod. name,Prod. desc.,{header}\nA,a,aa,{cell}\n")
    assert getattr(found.by_code["A"], read) is not None


@pytest.mark.parametrize("header", ["Weight (GW)", "Weight (shipping)"])
def test_a_remark_that_means_another_mass_is_no_net_weight(tmp_path: Path, header: str) -> None:
    found = read_text(tmp_path, f"code,name,description,{header}\nA,a,aa,2 kg\n").by_code["A"]
    assert found.weight_kg is None or found.facts.weight_is_gross


@pytest.mark.parametrize(
    ("cell", "code"),
    [("Etats Unis", "US"), ("de_DE", "DE"), ("China\u200b", "CN"), ("Made in U.S.A.", "US")],
)
def test_countries_as_people_write_them(tmp_path: Path, cell: str, code: str) -> None:
    found = read_text(tmp_path, f"code,name,description,origin\nA,a,aa,{cell}\n")
    assert found.by_code["A"].country_of_origin == code


def test_a_number_format_that_writes_a_unit_is_the_unit_of_its_cell(tmp_path: Path) -> None:
    rows = {"code": ["A", "B"], "name": ["a", "b"], "description": ["x", "y"]}
    frame = pl.DataFrame({**rows, "weight": [500.0, 1200.0]})
    frame.write_excel(tmp_path / "shown.xlsx", column_formats={"weight": '#,##0" g"'})
    found = read_file(tmp_path / "shown.xlsx").by_code
    assert [found["A"].weight_kg, found["B"].weight_kg] == [0.5, 1.2]
