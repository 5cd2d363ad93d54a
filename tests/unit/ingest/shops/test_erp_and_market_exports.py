"""Exports of ERP systems, market places and further shops: files in the form that the public
documentation of each program describes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.catalogues import ReadFile, read_text
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.columns.fields import Field

if TYPE_CHECKING:
    from pathlib import Path

BUSINESS_CENTRAL = """\
No.;Description;Description 2;Type;Inventory;Base Unit of Measure;Cost is Adjusted;Unit Cost;Unit Price;Vendor No.;Net Weight;Gross Weight;Tariff No.;Country/Region of Origin Code;GTIN
1000;Bicycle;;Inventory;32;PCS;Yes;350,59;4.000,00;30000;12,5;14;87120030;NL;4006381333931
1001;Touring bicycle;with mudguards;Inventory;0;PCS;Yes;350,59;4.000,00;;12,75;;87120030;;
"""
BUSINESS_CENTRAL_GERMAN = """\
Nr.;Beschreibung;Beschreibung 2;Art;Lagerbestand;Basiseinheitencode;VK-Preis;Nettogewicht;Ursprungsland/-regionscode
1896-S;Schreibtisch;;Lager;4;STÜCK;1.000,80;40,5;DE
"""
BUSINESS_CENTRAL_API = json.dumps(
    {
        "value": [
            {
                "id": "5d115c9c-44e3-ea11-bb43-000d3a2feca1",
                "number": "1896-S",
                "displayName": "Athens desk",
                "baseUnitOfMeasureCode": "PCS",
                "unitPrice": 1000.8,
                "netWeight": 40.5,
                "countryRegionOfOriginCode": "DE",
            }
        ]
    }
)
NETSUITE = """\
Internal ID,External ID,Item Name/Number,Display Name/Code,Subitem Of,UPC Code,Purchase Description,Sales Description,Vendor Name,Item Weight,Weight Units,Base Price,Country of Manufacture
3413,EXT-3413,CHR-OAK-B,Oak chair black,CHR-OAK,,,,Hebei Wood,12,lb,129.00,
3412,EXT-3412,CHR-OAK,Oak chair,,0012345678905,,Chair made of solid oak,Hebei Wood,5.4,kg,129.00,China
3414,EXT-3414,,Oak stool,,,Bought in Hebei,,Hebei Wood,3,kg,99.00,China
"""
SHOPWARE = """\
id;parent_id;product_number;active;stock;name;description;price_net;price_gross;tax_rate;cover_media_url;manufacturer_name;weight
11dc;;SW1;1;50;Oak table;<p>Table of oak</p>;798.31;950;19;https://img.example/table.jpg;Acme;12.5
21dc;11dc;SW1.1;1;50;;;798.31;950;19;;;
31dc;;SW2;1;50;Lamp;;79.31;95;19;;Acme;1.25
"""
SHOPWARE_5 = """\
ordernumber;mainnumber;name;supplier;tax;price_EK;active;instock;description;description_long;weight;ean;imageUrl;configuratorOptions
SW1;SW1;Oak table;Acme;19;99;1;5;Table;<p>Table of oak</p>;12.5;4006381333931;https://img.example/a.jpg;
SW1.1;SW1;Oak table;Acme;19;99;1;5;;;14.25;;;Colour:black
"""
LIGHTSPEED_X = """\
id,handle,sku,composite_name,name,description,product_category,variant_option_one_name,variant_option_one_value,variant_option_two_name,variant_option_two_value,weight,weight_unit,supply_price,retail_price,brand_name,supplier_name,track_inventory
b1,tee,10001,,T-shirt,<p>Cotton tee</p>,Clothes,Colour,Red,Size,M,180,g,4.00,19.95,Acme,Acme Ltd,1
b2,tee,10002,,T-shirt,,Clothes,Colour,Red,Size,L,0.19,kg,4.00,19.95,Acme,Acme Ltd,1
"""
LIGHTSPEED_R = """\
System ID,UPC,EAN,Custom SKU,Manufact. SKU,Item,Vendor ID,Qty.,Price,Tax,Brand,Publish to eCom,Default Cost,Vendor
210000000001,,,HELM-1,GI-77,Bike helmet black,V77,4,$79.99,Yes,Giro,No,$40.00,Giro Inc
210000000002,,4006381333931,,GI-78,Bike helmet white,V78,4,$79.99,Yes,Giro,No,$40.00,Giro Inc
"""
LIGHTSPEED_C = """\
Internal_ID;Internal_Variant_ID;Visible;Brand;Supplier;NL_Title_Short;NL_Description_Long;EN_Title_Short;EN_Title_Long;EN_Description_Long;EN_Variant;Price;Price_Cost;Stock_Level;Weight;Article_Code;EAN;SKU;HS_Code;Images
7001;9001;s;Acme;Acme;Mok;Mok van steen;Mug;Mug of stoneware;<p>Mug made of stoneware</p>;White;9.95;3.00;12;0.35;M-1;4006381333931;MUG-1;6912;https://img.example/a.jpg,https://img.example/b.jpg
"""
EBAY = """\
#INFO,Version=0.0.2,Template= eBay-draft-listings-template_US,,,,,,,,
*Action(SiteID=US|Country=US|Currency=USD|Version=745|CC=UTF-8),*Category,*Title,*Description,*ConditionID,*Location,*Country,PicURL,*StartPrice,*Quantity,CustomLabel,Relationship,RelationshipDetails,WeightMajor,WeightMinor,WeightUnit,C:Brand,C:Material,C:Country/Region of Manufacture
Add,1234,Linen shirt,<p>Shirt of linen</p>,1000,"San Jose, CA",US,https://img.example/a.jpg|https://img.example/b.jpg,39.99,5,SH-1,,Size=S;M,1,9,lb,Acme,Linen,Portugal
,,,,,,,,39.99,5,SH-1-S,Variation,Size=S;Colour=Blue,,,,,,
,,,,,,,,39.99,5,SH-1-M,Variation,Size=M;Colour=Blue,,,,,,
Add,1234,Cotton tee,<p>Tee of cotton</p>,1000,"San Jose, CA",US,,19.99,5,TE-1,,,1,200,kg,Acme,Cotton,India
"""
EBAY_ACTIVE = """\
Item number,Title,Variation details,Custom label (SKU),Available quantity,Format,Currency,Start price,Sold quantity
110012345,Linen shirt,[Size=M],SH-1,5,FIXED_PRICE,USD,39.99,12
110012346,Cotton tee,,,5,FIXED_PRICE,USD,19.99,3
"""
PRESTASHOP = """\
Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Wholesale price;Reference #;Supplier reference #;Supplier;Manufacturer;EAN13;Weight;Quantity;Unity;Unit price;Summary;Description;Image URLs (x,y,z...);Image alt texts (x,y,z...)
1;1;Oak stool;Stools;100;80;RP-1;RF-1;Woodstore;Acme;4006381333931;4.5;160;;3;Short.;Stool of oak.;https://img.example/15.jpg,https://img.example/23.jpg;First,Second
2;1;Pine stool;Stools;60;40;;RF-2;Woodstore;Acme;;3.5;120;;;Short.;;;
"""
DYNAMICS = """\
ITEMNUMBER,PRODUCTNUMBER,PRODUCTNAME,PRODUCTDESCRIPTION,SEARCHNAME,INVENTORYUNITSYMBOL,SALESPRICE,PURCHASEPRICE,NETPRODUCTWEIGHT,TAREPRODUCTWEIGHT,ORIGINCOUNTRYREGIONID
D0001,D0001,Speaker,Speaker of MDF and paper,Speaker,ea,500,300,3.2,0.4,USA
D0002,D0002,Cabinet,,Cabinet,ea,700,300,12.5,1.4,CHN
"""
DYNAMICS_PAGE = """\
Item number,Product name,Search name,Product subtype,Net weight,Tare weight,Gross weight,Country/region
D0001,Speaker,Speaker,Product,3.2,0.4,3.6,USA
"""
AMAZON = """\
TemplateType=fptcustom\tVersion=2026\tThe top 3 rows are for Amazon.com use only.
Seller SKU\tProduct Name\tProduct Description\tProduct ID\tParent SKU\tQuantity\tItem Weight\tItem Weight Unit Of Measure\tCountry/Region of Origin\tFabric Type
item_sku\titem_name\tproduct_description\texternal_product_id\tparent_sku\tquantity\titem_weight\titem_weight_unit_of_measure\tcountry_of_origin\tfabric_type
TS\tTee\tTee of cotton\t\t\t\t\t\tIN\t100% Cotton
TS-S\tTee S\t\t4006381333931\tTS\t10\t150\tGR\t\t
"""
AMAZON_LISTING = """\
item-name\titem-description\tlisting-id\tseller-sku\tprice\tquantity\tasin1\tproduct-id
Tee S\tTee of cotton\t0101A\tTS-S\t19.99\t10\tB00TEST\tB00TEST
"""
SAP_BUSINESS_ONE = """\
ItemCode,ItemName,FrgnName,UserText,U_Composition,ItmsGrpCod,CountryOrg
A1,Printer,Drucker,Printer of ABS,ABS,100,CN
"""
SAP_SHORT = """\
Material;Material Description;Plnt;MTyp;Matl Group;BUn;Net Weight;Gross Weight;WUn
100001;SCREW M8;1000;HALB;METAL;EA;0,015;0,016;KG
100001;SCREW M8;2000;HALB;METAL;EA;0,015;0,016;KG
100002;NUT M8;1000;HALB;METAL;EA;12;13;G
"""


@pytest.mark.parametrize(
    ("program", "text", "name", "products"),
    [
        (
            "Business Central",
            BUSINESS_CENTRAL,
            "items.csv",
            {
                "1000": ("Bicycle", "Bicycle", 12.5, "NL"),
                "1001": ("Touring bicycle", "with mudguards", 12.75, None),
            },
        ),
        (
            "Business Central",
            BUSINESS_CENTRAL_GERMAN,
            "items.csv",
            {"1896-S": ("Schreibtisch", "Schreibtisch", 40.5, "DE")},
        ),
        (
            "Business Central",
            BUSINESS_CENTRAL_API,
            "items.json",
            {"1896-S": ("Athens desk", "Athens desk", 40.5, "DE")},
        ),
        (
            "NetSuite",
            NETSUITE,
            "items.csv",
            {
                "CHR-OAK-B": ("Oak chair black", "Chair made of solid oak", 5.44310844, "CN"),
                "CHR-OAK": ("Oak chair", "Chair made of solid oak", 5.4, "CN"),
                "EXT-3414": ("Oak stool", "Bought in Hebei", 3.0, "CN"),
            },
        ),
        (
            "Shopware",
            SHOPWARE,
            "products.csv",
            {
                "SW1": ("Oak table", "<p>Table of oak</p>", 12.5, None),
                "SW1.1": ("Oak table", "<p>Table of oak</p>", 12.5, None),
                "SW2": ("Lamp", "Lamp", 1.25, None),
            },
        ),
        (
            "Shopware 5",
            SHOPWARE_5,
            "products.csv",
            {
                "SW1": ("Oak table", "<p>Table of oak</p>", 12.5, None),
                "SW1.1": ("Oak table", "<p>Table of oak</p>", 14.25, None),
            },
        ),
        (
            "Lightspeed Retail (X-Series)",
            LIGHTSPEED_X,
            "products.csv",
            {
                "10001": ("T-shirt", "<p>Cotton tee</p>", 0.18, None),
                "10002": ("T-shirt", "<p>Cotton tee</p>", 0.19, None),
            },
        ),
        (
            "Lightspeed Retail (R-Series)",
            LIGHTSPEED_R,
            "items.csv",
            {
                "HELM-1": ("Bike helmet black", "Bike helmet black", None, None),
                "210000000002": ("Bike helmet white", "Bike helmet white", None, None),
            },
        ),
        (
            "Lightspeed eCom (C-Series)",
            LIGHTSPEED_C,
            "products.csv",
            {"MUG-1": ("Mug of stoneware", "<p>Mug made of stoneware</p>", 0.35, None)},
        ),
        (
            "eBay",
            EBAY,
            "listings.csv",
            {
                "SH-1": ("Linen shirt", "<p>Shirt of linen</p>", 0.708738078, "PT"),
                "SH-1-S": ("Linen shirt", "<p>Shirt of linen</p>", 0.708738078, "PT"),
                "SH-1-M": ("Linen shirt", "<p>Shirt of linen</p>", 0.708738078, "PT"),
                "TE-1": ("Cotton tee", "<p>Tee of cotton</p>", 1.2, "IN"),
            },
        ),
        (
            "eBay",
            EBAY_ACTIVE,
            "active.csv",
            {
                "SH-1": ("Linen shirt", "Linen shirt", None, None),
                "110012346": ("Cotton tee", "Cotton tee", None, None),
            },
        ),
        (
            "PrestaShop",
            PRESTASHOP,
            "products.csv",
            {
                "RP-1": ("Oak stool", "Stool of oak.", 4.5, None),
                "2": ("Pine stool", "Short.", 3.5, None),
            },
        ),
        (
            "Dynamics 365",
            DYNAMICS,
            "products.csv",
            {
                "D0001": ("Speaker", "Speaker of MDF and paper", 3.2, "US"),
                "D0002": ("Cabinet", "Cabinet", 12.5, "CN"),
            },
        ),
        (
            "Dynamics 365",
            DYNAMICS_PAGE,
            "products.csv",
            {"D0001": ("Speaker", "Speaker", 3.2, "US")},
        ),
        (
            "Amazon",
            AMAZON,
            "flat.txt",
            {
                "TS": ("Tee", "Tee of cotton", None, "IN"),
                "TS-S": ("Tee S", "Tee of cotton", 0.15, "IN"),
            },
        ),
        (
            "Amazon",
            AMAZON_LISTING,
            "listing.txt",
            {"TS-S": ("Tee S", "Tee of cotton", None, None)},
        ),
        (
            "SAP Business One",
            SAP_BUSINESS_ONE,
            "items.csv",
            {"A1": ("Printer", "Printer of ABS", None, "CN")},
        ),
        (
            "SAP",
            SAP_SHORT,
            "materials.csv",
            {
                "100001": ("SCREW M8", "SCREW M8", 0.015, None),
                "100002": ("NUT M8", "NUT M8", 0.012, None),
            },
        ),
    ],
)
def test_every_product_of_an_export_comes_in(
    tmp_path: Path,
    program: str,
    text: str,
    name: str,
    products: dict[str, tuple[str, str, float | None, str | None]],
) -> None:
    found = read_text(tmp_path, text, name=name)
    shop = Catalogue(tmp_path / name).head.columns.shop
    assert shop is not None
    assert shop.name == program
    assert found.rejected == []
    assert {
        code: (one.name, one.description, one.weight_kg, one.country_of_origin)
        for code, one in found.by_code.items()
    } == {
        code: (title, description, pytest.approx(kg) if kg else None, country)
        for code, (title, description, kg, country) in products.items()
    }


def test_variants_name_their_parent_and_what_sets_them_apart(tmp_path: Path) -> None:
    def facts(found: ReadFile, code: str) -> tuple[str | None, str | None]:
        told = found.by_code[code].facts
        return told.parent_code, told.variant

    assert facts(read_text(tmp_path, EBAY), "SH-1-S") == ("SH-1", "Size: S, Colour: Blue")
    assert facts(read_text(tmp_path, LIGHTSPEED_X), "10002") == ("tee", "Colour: Red, Size: L")
    assert facts(read_text(tmp_path, SHOPWARE), "SW1.1") == ("SW1", None)
    assert facts(read_text(tmp_path, SHOPWARE_5), "SW1") == (None, None)
    assert facts(read_text(tmp_path, SHOPWARE_5), "SW1.1") == ("SW1", "Colour:black")
    assert facts(read_text(tmp_path, NETSUITE), "CHR-OAK-B") == ("CHR-OAK", None)


def test_a_code_taken_from_the_number_of_the_program_is_noted(tmp_path: Path) -> None:
    notes = [note.reason for note in read_text(tmp_path, PRESTASHOP).notes]
    assert any('the code is empty; taken from the column "Product ID"' in one for one in notes)


@pytest.mark.parametrize("text", [EBAY, AMAZON, PRESTASHOP], ids=["eBay", "Amazon", "PrestaShop"])
def test_what_is_in_stock_is_not_what_is_sold_a_year(tmp_path: Path, text: str) -> None:
    found = read_text(tmp_path, text, name="export.txt")
    assert {one.facts.quantity for one in found.products} == {None}


def test_the_place_of_an_ebay_item_is_not_its_origin(tmp_path: Path) -> None:
    read_text(tmp_path, EBAY)
    columns = Catalogue(tmp_path / "catalogue.csv").head.columns
    assert columns.header(Field.COUNTRY) == "C:Country/Region of Manufacture"
    without = EBAY.replace("C:Country/Region of Manufacture", "C:Colour")
    assert {one.country_of_origin for one in read_text(tmp_path, without).products} == {None}


def test_a_parcels_weight_without_a_unit_is_left_out_with_a_note(tmp_path: Path) -> None:
    found = read_text(tmp_path, EBAY.replace("1,9,lb", "1,9,"))
    assert found.by_code["SH-1"].weight_kg is None
    assert any(note.field == "grossWeight" for note in found.notes)
