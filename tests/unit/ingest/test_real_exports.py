"""What shops, PIM and ERP programs and people write into files, kind by kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.support.catalogues import read_file, read_text
from weighbridge.errors import AmbiguousColumn, UnreadableFile

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
        ("7 gramów", 0.007),
        ("3 kila", 3.0),
        ("100 grms", 0.1),
        ("2 funty", 0.90718474),
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


@pytest.mark.parametrize(
    ("header", "cells", "shares"),
    [
        ("Recycled %", ["0.5", "1", "0"], [None, None, 0.0]),
        ("Recycled %", ["0.5", "1", "30"], [None, 0.01, 0.3]),
        ("Recycled content", ["0.5", "30 %", "0.5 %"], [None, 0.3, 0.005]),
        ("Recycled content", ["0.5", "1", "0.25"], [0.5, 1.0, 0.25]),
    ],
)
def test_a_share_that_may_be_a_percentage_or_a_fraction_is_left_out_with_a_note(
    tmp_path: Path, header: str, cells: list[str], shares: list[float | None]
) -> None:
    rows = "".join(f"{code},n,d,{cell}\n" for code, cell in zip("ABC", cells, strict=True))
    found = read_text(tmp_path, f"code,name,description,{header}\n{rows}")
    assert [one.facts.recycled_share for one in found.products] == shares
    assert all("write it with a percent sign" in note.reason for note in found.notes)
    assert len(found.notes) == sum(share is None for share in shares)


@pytest.mark.parametrize(
    ("headers", "unit", "kg"),
    [
        ("default_code,name,description_sale,weight,weight_uom_name", "lb", 0.45359237),
        (
            "Internal Reference,Name,Sales Description,Weight,Weight unit of measure label",
            "g",
            0.001,
        ),
        ("sku,item_name,description,item_weight,item_weight_unit_of_measure", "GR", 0.001),
        ("sku,name,description,Net weight,Net weight UoM", "grams", 0.001),
        ("sku,name,description,package_weight,package_weight_unit_of_measure", "GR", 0.001),
        ("sku,name,description,Item Weight,Weight Units", "oz", 0.028349523125),
    ],
)
def test_a_column_of_units_is_found_beside_its_weight(
    tmp_path: Path, headers: str, unit: str, kg: float
) -> None:
    found = read_text(tmp_path, f"{headers}\nA,a,aa,8,{unit}\n")
    assert found.by_code["A"].weight_kg == pytest.approx(8 * kg)


def test_net_and_gross_weight_may_have_units_of_their_own(tmp_path: Path) -> None:
    text = (
        "sku,name,description,item_weight,item_weight_unit_of_measure,package_weight,"
        "package_weight_unit_of_measure\nA,a,aa,5200,GR,6,KG\nB,b,bb,0.5,Pounds,300,GR\n"
    )
    found = read_text(tmp_path, text).products
    assert [one.weight_kg for one in found] == [5.2, pytest.approx(0.226796185)]
    assert [one.facts.gross_weight_kg for one in found] == [6.0, 0.3]


def test_pieces_without_a_unit_are_asked_about_like_other_bare_numbers(tmp_path: Path) -> None:
    rows = "A,a,aa,6 x 330\nB,b,bb,4x250\nC,c,cc,12 × 100\n"
    with pytest.raises(AmbiguousColumn, match="--unit g"):
        read_text(tmp_path, f"code,name,description,weight\n{rows}")


SAP_LIST = """\
27.11.2026            Dynamic List Display            1
-------------------------------------------------------
|MATNR   |MAKTX        |LTEXT      |    NTGEW|GEWEI|
-------------------------------------------------------
|1001    |Bolt M8      |Steel bolt |    0,125|KG   |
|1002    |Nut M8       |Steel nut  |   12,500|G    |
-------------------------------------------------------
|MATNR   |MAKTX        |LTEXT      |    NTGEW|GEWEI|
|--------|-------------|-----------|---------|-----|
|1003    |Plate        |Steel plate|1.250,000|KG   |
-------------------------------------------------------
"""


def test_a_list_printed_by_sap_is_read_without_its_lines_and_repeated_headers(
    tmp_path: Path,
) -> None:
    found = read_text(tmp_path, SAP_LIST)
    assert [(one.code, one.description, one.weight_kg) for one in found.products] == [
        ("1001", "Steel bolt", 0.125),
        ("1002", "Steel nut", 0.0125),
        ("1003", "Steel plate", 1250.0),
    ]
    assert [(row.row, row.reason) for row in found.rejected] == [
        (8, "the row repeats the header and holds no product")
    ]


def test_carets_separate_columns(tmp_path: Path) -> None:
    text = "MATNR^MAKTX^LTEXT^NTGEW^GEWEI\n1^Nut^Nut, of steel; M8^12,5^G\n"
    (found,) = read_text(tmp_path, text).products
    assert (found.code, found.description, found.weight_kg) == ("1", "Nut, of steel; M8", 0.0125)


def test_a_merchant_feed_is_known_by_its_id_and_not_by_a_gtin_that_may_be_missing(
    tmp_path: Path,
) -> None:
    text = "id\ttitle\tdescription\tlink\timage_link\tgtin\tproduct_weight\nA\ta\taa\tx\t\t\t12 g\n"
    (found,) = read_text(tmp_path, text).products
    assert (found.code, found.weight_kg) == ("A", 0.012)


def _akeneo(identifier: str, amount: str, unit: str) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "family": "chairs",
        "enabled": True,
        "values": {
            "name": [
                {"locale": "de_DE", "scope": None, "data": "Stuhl"},
                {"locale": "en_US", "scope": None, "data": "Chair"},
            ],
            "description": [{"locale": "en_US", "scope": "ecommerce", "data": "Oak"}],
            "weight": [{"locale": None, "scope": None, "data": {"amount": amount, "unit": unit}}],
        },
    }


@pytest.mark.parametrize("form", ["array", "lines", "embedded"])
def test_attributes_by_language_and_channel_are_read(tmp_path: Path, form: str) -> None:
    records = [_akeneo("A", "500.0", "GRAM"), _akeneo("B", "2", "POUND")]
    text = {
        "array": json.dumps(records),
        "lines": "\n".join(map(json.dumps, records)),
        "embedded": json.dumps({"_links": {}, "_embedded": {"items": records}}),
    }[form]
    found = read_text(tmp_path, text, name="akeneo.json").products
    assert [(one.name, one.description) for one in found] == [("Chair", "Oak")] * 2
    assert [one.weight_kg for one in found] == [0.5, pytest.approx(0.90718474)]


@pytest.mark.parametrize(
    ("header", "per"),
    [
        ("CO2e (kg)", "piece"),
        ("PCF [kg CO2e]", "piece"),
        ("Carbon footprint kg CO2e per kg", "kg"),
        ("PCF (kg CO2e/kg)", "kg"),
        ("kg CO2e / kg", "kg"),
        ("CO2 Fußabdruck kg je kg", "kg"),
    ],
)
def test_the_kilograms_of_a_footprint_are_not_those_of_the_product(
    tmp_path: Path, header: str, per: str
) -> None:
    found = read_text(tmp_path, f"code;name;description;{header}\nA;a;aa;2.4\n").by_code["A"]
    assert found.facts.supplier_footprint_kg_co2e == 2.4
    assert found.facts.supplier_footprint_per == per
