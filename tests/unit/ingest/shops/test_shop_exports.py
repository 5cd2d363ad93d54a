"""Exports of shops come in as products: files in the form that each program's documentation
describes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from weighbridge.ingest.catalogue import Catalogue, check_records, open_reader
from weighbridge.ingest.columns.matching import Wanted
from weighbridge.ingest.shops.rows import ShopRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from weighbridge.domain.products import Product
    from weighbridge.ingest.checking.chunks import CheckedChunk


@dataclass(frozen=True, slots=True)
class Read:
    """Everything that came out of a file."""

    products: Mapping[str, Product]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    passed_over: Mapping[str, int]


def gather(chunks: Iterable[CheckedChunk]) -> Read:
    products: dict[str, Product] = {}
    reasons: list[str] = []
    notes: list[str] = []
    passed_over: dict[str, int] = {}
    for chunk in chunks:
        products |= {product.code: product for product in chunk.iterate_products()}
        reasons += [row.reason for row in chunk.rejected]
        notes += [note.reason for note in chunk.iterate_notes()]
        for what, count in chunk.passed_over.items():
            passed_over[what] = passed_over.get(what, 0) + count
    return Read(products, tuple(reasons), tuple(notes), passed_over)


def read(folder: Path, text: str) -> Read:
    path = folder / "export.csv"
    path.write_text(text, encoding="utf-8")
    return gather(Catalogue(path).chunks())


SHOPIFY = """\
Handle,Title,Body (HTML),Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Grams,Variant Price,Image Src,Image Position,Variant Image
wool-rug,Wool rug,<p>Woven rug of wool</p>,Size,Small,Colour,Grey,R-S,2100,90.00,https://img.example/r1.jpg,1,
wool-rug,,,,Large,,Grey,R-L,4300,160.00,https://img.example/r2.jpg,2,https://img.example/large.jpg
wool-rug,,,,,,,,,,https://img.example/r3.jpg,3,
jug,Glass jug,,Title,Default Title,,,J-1,640,25.00,,,
lamp,Desk lamp,<p>Lamp of steel</p>,Finish,Black,,,L-B,1500,70.00,,,
lamp,,,,White,,,,1500,70.00,,,
"""


def test_shopify_variants_take_title_body_and_option_names_from_their_product(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, SHOPIFY)
    large = found.products["R-L"]
    assert (large.name, large.description) == ("Wool rug", "<p>Woven rug of wool</p>")
    assert large.weight_kg == 4.3
    assert large.image_url == "https://img.example/large.jpg"
    assert found.products["R-S"].image_url == "https://img.example/r1.jpg"
    assert large.facts.variant == "Size: Large, Colour: Grey"
    assert large.facts.parent_code == "wool-rug"
    assert found.products["J-1"].facts.variant is None


def test_shopify_picture_rows_are_passed_over_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, SHOPIFY)
    assert found.passed_over == {"rows of further pictures": 1}
    assert len(found.reasons) == 1, "the white lamp is sold, but has no SKU"
    assert "code is empty" in found.reasons[0]


def test_a_shop_product_without_a_description_is_described_by_its_title_with_a_note(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, SHOPIFY)
    assert found.products["J-1"].description == "Glass jug"
    assert any("Title" in note for note in found.notes)


@pytest.mark.parametrize("name", ["SHOPIFY", "WOOCOMMERCE", "MAGENTO", "BIGCOMMERCE", "SAP"])
def test_what_belongs_together_is_found_across_chunks(tmp_path: Path, name: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text(globals()[name], encoding="utf-8")
    (whole,) = open_reader(path).chunks(Wanted())
    single = [
        replace(whole, frame=whole.frame.slice(i, 1), rejected=())
        for i in range(whole.frame.height)
    ]
    rows = ShopRows()
    list(rows.read(iter(single)))
    one_by_one = pl.concat([chunk.frame for chunk in rows.read(iter(single))])
    (at_once,) = ShopRows().read(iter([whole]))
    only_parent = pl.col("code").is_null() | (pl.col("code") == "")
    assert one_by_one.filter(~only_parent).equals(at_once.frame.filter(~only_parent))


def test_a_file_can_be_read_twice_with_the_same_outcome(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(MAGENTO, encoding="utf-8")
    catalogue = Catalogue(path)
    assert gather(catalogue.chunks()) == gather(catalogue.chunks())


WOOCOMMERCE = """\
ID,Type,SKU,Name,Published,Is featured?,Visibility in catalog,Short description,Description,Weight (kg),Regular price,Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 2 name,Attribute 2 value(s)
13,variation,T-S,,1,0,visible,,,0.15,19,,TEE,Size,S,,
10,variable,TEE,T-shirt,1,0,visible,Plain shirt,Shirt of organic cotton,0.2,,"https://img.example/t1.jpg, https://img.example/t2.jpg",,Size,"S, M",Material,Organic cotton
14,variation,T-M,T-shirt - M,1,0,visible,,,,19,https://img.example/m.jpg,TEE,Size,M,,
20,variable,,Cap,1,0,visible,Cap of wool,,0.1,,,,Colour,"red, blue",,
21,variation,CAP-R,,1,0,visible,,,,15,,id:20,Colour,red,,
30,simple,MUG,Mug,1,0,visible,,Mug of stoneware,0.3,9,,,Material,Stoneware,,
"""


def test_woocommerce_variations_take_what_they_lack_from_their_parent(tmp_path: Path) -> None:
    found = read(tmp_path, WOOCOMMERCE)
    assert set(found.products) == {"TEE", "T-S", "T-M", "CAP-R", "MUG"}
    small, medium, cap = (found.products[code] for code in ("T-S", "T-M", "CAP-R"))
    assert (small.name, small.description) == ("T-shirt", "Shirt of organic cotton")
    assert (small.weight_kg, medium.weight_kg) == (0.15, 0.2)
    assert small.image_url == "https://img.example/t1.jpg"
    assert (small.facts.parent_code, small.facts.variant) == ("TEE", "Size: S")
    assert (cap.name, cap.description, cap.weight_kg) == ("Cap", "Cap of wool", 0.1)
    assert cap.facts.parent_code == "id:20"
    assert found.reasons == ()
    assert sum(found.passed_over.values()) == 1, "the cap itself has no SKU"


def test_woocommerce_attributes_of_material_are_the_materials(tmp_path: Path) -> None:
    products = read(tmp_path, WOOCOMMERCE).products
    assert products["MUG"].facts.materials == "Stoneware"
    assert products["MUG"].facts.variant is None


MAGENTO = """\
sku,store_view_code,attribute_set_code,product_type,product_websites,name,description,short_description,weight,additional_attributes,configurable_variations
JAR-S,,Default,simple,base,Jar small,,,0.4,"color=Clear,material=Glass",
JAR-L,,Default,simple,base,Jar large,,,0.9,"color=Clear,material=Glass",
JAR,,Default,configurable,base,Jar,Storage jar with a cork lid,Jar,,,"sku=JAR-S,size=S|sku=JAR-L,size=L"
JAR,de,Default,configurable,base,Glas,Vorratsglas,,,,
BOX,en_us,Default,simple,base,Box,Box of tin,,0.2,,
BOX,fr,Default,simple,base,Boite,,,,,
"""


def test_magento_rows_of_other_store_views_are_no_products(tmp_path: Path) -> None:
    found = read(tmp_path, MAGENTO)
    assert set(found.products) == {"JAR", "JAR-S", "JAR-L", "BOX"}
    assert found.products["JAR"].name == "Jar"
    assert found.products["BOX"].name == "Box"
    assert found.passed_over == {"rows of other store views": 2}
    assert found.reasons == ()


def test_magento_simple_products_know_the_configurable_one_that_lists_them(tmp_path: Path) -> None:
    small = read(tmp_path, MAGENTO).products["JAR-S"]
    assert small.description == "Storage jar with a cork lid"
    assert (small.facts.parent_code, small.facts.variant) == ("JAR", "size: S")
    assert small.facts.materials == "Glass"


BIGCOMMERCE = """\
Item,ID,Name,SKU,Options,Inventory Tracking,Price,Weight,Description,Image URL (Import)
Product,100,Bench,,,none,80,9.5,Bench of ash wood,https://img.example/b.jpg
SKU,101,[RT]Size=120 cm,B-120,,none,,,,
SKU,102,,B-160,Type=Rectangle|Name=Size|Value=160 cm,none,,12,,
Image,103,,,,,,,,https://img.example/b2.jpg
Product,110,Stool,ST-1,,none,40,3,Stool of oak,
Rule,111,,ST-1,,,45,,,
"""


def test_bigcommerce_sku_rows_are_variants_of_the_product_above(tmp_path: Path) -> None:
    found = read(tmp_path, BIGCOMMERCE)
    assert set(found.products) == {"B-120", "B-160", "ST-1"}
    first, second = found.products["B-120"], found.products["B-160"]
    assert (first.name, first.description, first.weight_kg) == ("Bench", "Bench of ash wood", 9.5)
    assert (second.name, second.weight_kg) == ("Bench", 12.0)
    assert first.facts.parent_code == second.facts.parent_code == "100"
    assert found.products["ST-1"].facts.parent_code is None
    assert found.reasons == ()
    assert sum(found.passed_over.values()) == 3, "a picture, a rule, a product without a SKU"


SAP = """\
MATNR;SPRAS;MAKTX;WERKS;NTGEW;BRGEW;GEWEI;MTART;HERKL;WRKST
000000000000100234;E;Hex bolt M8;1000;0,012;0,013;KG;FERT;DE;Steel 8.8
000000000000100234;D;Sechskantschraube M8;1000;0,012;0,013;KG;FERT;DE;Steel 8.8
000000000000100235;E;Washer;2000;1,5;1,6;G;FERT;CN;Steel
"""


def test_sap_rows_of_further_languages_and_plants_are_no_products(tmp_path: Path) -> None:
    found = read(tmp_path, SAP)
    bolt, washer = found.products["000000000000100234"], found.products["000000000000100235"]
    assert (bolt.name, bolt.description, bolt.weight_kg) == ("Hex bolt M8", "Hex bolt M8", 0.012)
    assert washer.weight_kg == pytest.approx(0.0015)
    assert washer.facts.materials == "Steel"
    assert found.passed_over == {"rows of other languages and plants": 1}
    assert found.reasons == ()


ODOO = """\
External ID,Internal Reference,Name,Sales Description,Sales Price,Weight,Product Category,Product Variant Values
__export__.p1,DESK-W,Desk,Desk of beech with drawers,450.00,28.5,All / Office,"Colour: white"
__export__.p2,DESK-B,Desk,,450.00,28.5,All / Office,"Colour: black"
"""


def test_odoo_variants_keep_their_values(tmp_path: Path) -> None:
    products = read(tmp_path, ODOO).products
    assert products["DESK-W"].description == "Desk of beech with drawers"
    assert products["DESK-B"].description == "Desk"
    assert products["DESK-B"].facts.variant == "Colour: black"


AKENEO = """\
identifier;categories;enabled;family;parent;name-de_DE;name-en_US;description-de_DE-ecommerce;description-en_US-ecommerce;weight;weight-unit
AK-9;bags;1;bags;model-9;Tasche;Bag;Tasche aus Leinen;Bag of linen;420.0000;GRAM
AK-8;bags;1;bags;;Koffer;;Koffer aus Alu;;3.5;KILOGRAM
"""


def test_akeneo_locales_fall_back_to_another_language(tmp_path: Path) -> None:
    products = read(tmp_path, AKENEO).products
    assert (products["AK-9"].name, products["AK-9"].weight_kg) == ("Bag", 0.42)
    assert products["AK-9"].facts.parent_code == "model-9"
    assert (products["AK-8"].name, products["AK-8"].description) == ("Koffer", "Koffer aus Alu")


def test_records_of_a_shop_sent_as_json_are_filled_down_too() -> None:
    header, *rows = (line.split(",") for line in SHOPIFY.splitlines())
    records = [dict(zip(header, row, strict=True)) for row in rows]
    found = gather(check_records(records))
    assert found.products["R-L"].name == "Wool rug"


def test_a_file_of_no_shop_is_left_alone(tmp_path: Path) -> None:
    text = "code,name,description\nA-1,Chair,Chair of oak\nA-2,,Table of oak\nA-1,Stool,Stool\n"
    found = read(tmp_path, text)
    assert set(found.products) == {"A-1"}
    assert found.passed_over == {}
    assert len(found.reasons) == 2


def test_bigcommerce_options_are_written_as_people_do(tmp_path: Path) -> None:
    options = "Type=Rectangle|Name=Size|Value=160 cmType=Swatch|Name=Colour|Value=Red[#ff0000]"
    text = BIGCOMMERCE.replace("Type=Rectangle|Name=Size|Value=160 cm", options)
    found = read(tmp_path, text.replace("[RT]Size=120 cm", '"[RT]Size=120 cm,[CS]Colour=Ash:#fff"'))
    assert found.products["B-160"].facts.variant == "Size: 160 cm, Colour: Red"
    assert found.products["B-120"].facts.variant == "Size: 120 cm, Colour: Ash:#fff"


def test_shopify_picture_in_the_first_position_is_that_of_every_variant(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "Handle,Title,Body (HTML),Variant SKU,Variant Grams,Image Src,Image Position\n"
        "rug,Rug,Rug of wool,R-S,900,https://img.example/2.jpg,2\n"
        "rug,,,R-L,1900,https://img.example/1.jpg,1\n"
        "rug,,,R-X,2900,,\n"
        "jug,Jug,Jug of glass,J-1,640,https://img.example/j.jpg,1\n",
    )
    pictures = {code: product.image_url for code, product in found.products.items()}
    assert pictures == {
        "R-S": "https://img.example/1.jpg",
        "R-L": "https://img.example/1.jpg",
        "R-X": "https://img.example/1.jpg",
        "J-1": "https://img.example/j.jpg",
    }


def test_odoo_rows_that_continue_a_list_are_no_products(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "Internal Reference,Name,Sales Description,Weight,Sales Price,Vendors/Vendor\n"
        "O-1,Chair,Chair of oak,5,90,Acme\n"
        ",,,,,Brown\n"
        "O-2,Table,Table of oak,20,240,Acme\n",
    )
    assert list(found.products) == ["O-1", "O-2"]
    assert found.reasons == ()
    assert found.passed_over == {"rows that continue the product above": 1}


def test_products_json_of_a_shop_has_a_product_for_each_variant(tmp_path: Path) -> None:
    shop = {
        "products": [
            {
                "handle": "rug",
                "title": "Wool rug",
                "body_html": "<p>Rug of wool</p>",
                "options": [{"name": "Size", "values": ["S", "L"]}],
                "images": [
                    {"id": 7, "src": "https://img.example/r.jpg"},
                    {"id": 8, "src": "https://img.example/l.jpg"},
                ],
                "variants": [
                    {"sku": "R-S", "grams": 2100, "price": "90.00", "option1": "S"},
                    {"sku": "R-L", "grams": 0, "price": "9.00", "option1": "L", "image_id": 8},
                    {"sku": "", "grams": 3, "price": "1.00", "option1": "X"},
                ],
            },
            {"handle": "jug", "title": "Jug", "variants": [{"sku": "J-1", "grams": 640}]},
        ]
    }
    path = tmp_path / "products.json"
    path.write_text(json.dumps(shop), encoding="utf-8")
    found = gather(Catalogue(path).chunks())
    small, large = found.products["R-S"], found.products["R-L"]
    assert (small.name, small.description) == ("Wool rug", "<p>Rug of wool</p>")
    assert (small.weight_kg, large.weight_kg) == (2.1, None)
    assert (small.facts.variant, small.facts.parent_code) == ("Size: S", "rug")
    assert small.image_url == "https://img.example/r.jpg"
    assert large.image_url == "https://img.example/l.jpg"
    assert found.products["J-1"].weight_kg == 0.64
    assert len(found.reasons) == 1, "the variant without a SKU"
