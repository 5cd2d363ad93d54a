"""Variants that name their parent, in exports of part of a shop's columns and in anybody's table;
tables beside a table.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import read_file, read_text
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.leftovers import unused_columns
from weighbridge.ingest.columns.matching import Wanted, match_columns
from weighbridge.ingest.columns.shops import recognise_shop
from weighbridge.ingest.shops.columns import or_null
from weighbridge.ingest.shops.parents import Parents

if TYPE_CHECKING:
    from pathlib import Path

WOOCOMMERCE = {
    "en": "ID,Type,SKU,Name,Published,Short description,Description,Weight (g),Parent",
    "de": "ID,Typ,Artikelnummer,Name,Veröffentlicht,Kurzbeschreibung,Beschreibung,Gewicht (g),Übergeordnet",
    "fr": "ID,Type,UGS,Nom,Publié,Description courte,Description,Poids (g),Parent",
    "es": "ID,Tipo,SKU,Nombre,Publicado,Descripción corta,Descripción,Peso (g),Superior",
    "it": "ID,Tipo,COD,Nome,Pubblicato,Breve descrizione,Descrizione,Peso (g),Genitore",
    "pl": "ID,Rodzaj,SKU,Nazwa,Opublikowano,Krótki opis,Opis,Waga (g),Nadrzędny",
}


@pytest.mark.parametrize("language", WOOCOMMERCE)
@pytest.mark.parametrize("left_out", ["", "short", "published"])
def test_variations_of_woocommerce_come_through_in_an_export_of_some_columns(
    tmp_path: Path, language: str, left_out: str
) -> None:
    headers = WOOCOMMERCE[language].split(",")
    rows = [
        ["10", "variable", "H", "Shirt", "1", "s", "Of linen", "", ""],
        ["11", "variation", "H-S", "Shirt - S", "1", "", "", "250", "H"],
        ["12", "variation", "", "Shirt - M", "1", "", "", "280", "id:10"],
    ]
    gone = {"short": 5, "published": 4}.get(left_out)
    if gone == 4:
        headers += ["GTIN, UPC, EAN, or ISBN"]
        rows = [[*row, ""] for row in rows]
    kept = [i for i in range(len(headers)) if i != gone]
    path = tmp_path / "woo.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[row[i] for i in kept] for row in [headers, *rows]])
    found = read_file(path)
    assert found.rejected == []
    assert [(p.code, p.description, p.weight_kg) for p in found.products] == [
        ("H", "Of linen", None),
        ("H-S", "Of linen", 0.25),
        ("12", "Of linen", 0.28),
    ]


@pytest.mark.parametrize(
    "parent", ["parent", "Vaterartikel", "Parent SKU", "код родителя", "code parent"]
)
def test_a_row_of_any_table_takes_the_texts_of_its_parent_and_not_its_weight(
    tmp_path: Path, parent: str
) -> None:
    if parent == "код родителя":
        parent = "Родительский артикул"
    text = (
        f"sku;name;description;weight kg;country;{parent}\n"
        "A-1;;;0,2;;A\nA-2;Small;;;;A\nA;Shirt;Of linen;0,5;PT;\nB;Mug;;0,3;DE;X\nC;;;1;;C\n"
    )
    found = read_text(tmp_path, text)
    assert [
        (p.code, p.name, p.description, p.weight_kg, p.country_of_origin) for p in found.products
    ] == [
        ("A-1", "Shirt", "Of linen", 0.2, "PT"),
        ("A-2", "Small", "Of linen", None, "PT"),
        ("A", "Shirt", "Of linen", 0.5, "PT"),
    ]
    assert [row.code for row in found.rejected] == ["B", "C"]
    taken = "is empty; taken from the row that is named as its parent"
    assert [
        (note.row, note.field, note.column, note.found)
        for note in found.notes
        if taken in note.reason
    ] == [
        (2, "name", parent, "A"),
        (2, "description", parent, "A"),
        (3, "description", parent, "A"),
    ]


def test_a_parent_is_remembered_only_for_rows_that_need_its_texts(tmp_path: Path) -> None:
    """A large file has too many to remember all."""
    parents = Parents()
    columns = {Field.CODE: ["A", "A-1", "B", "B-1"], Field.PARENT_CODE: [None, "A", None, "B"]}
    texts = {Field.NAME: ["Shirt", "Small", "Mug", "Red"], Field.DESCRIPTION: ["x", "y", "z", ""]}
    frame = pl.DataFrame({**columns, **texts}, schema_overrides={Field.PARENT_CODE: pl.String})
    parents.learn_named(frame, or_null(Field.DESCRIPTION).is_null())
    assert parents.known == {"B"}


PRESTASHOP = (
    "ID;Active (0/1);Nom *;Catégories (x,y,z...);Prix HT;Référence n°;EAN13;Poids;Résumé;Description;URL images (x,y,z...)",
    "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Reference #;EAN13;Weight;Summary;Description;Image URLs (x,y,z...)",
    "ID;Aktiv (0/1);Name *;Kategorien (x,y,z...);Preis ohne Steuern;Artikel-Nr.;EAN13;Gewicht;Kurzbeschreibung;Beschreibung;Bild-URLs (x,y,z...)",
    "ID;Activo (0/1);Nombre *;Categorías (x,y,z...);Precio sin IVA;Referencia nº;EAN13;Peso;Resumen;Descripción;URL de las imágenes (x,y,z...)",
)


@pytest.mark.parametrize("header", PRESTASHOP, ids=["fr", "en", "de", "es"])
def test_prestashop_is_known_in_its_languages_and_no_product_needs_an_ean(
    tmp_path: Path, header: str
) -> None:
    rows = "1;1;Mug;Home;9,90;M-1;4006381333931;0,35;;Of stone;https://x.example/1.jpg\n2;1;Tray;Home;9,90;;;1,8;Of oak;;\n"
    found = read_text(tmp_path, f"{header}\n{rows}")
    shop = recognise_shop(header.split(";"))
    assert shop is not None
    assert shop.name == "PrestaShop"
    assert [(p.code, p.description, p.weight_kg, p.image_url) for p in found.products] == [
        ("M-1", "Of stone", 0.35, "https://x.example/1.jpg"),
        ("2", "Of oak", 1.8, None),
    ]


@given(
    st.permutations(["SKU", "Name", "Description", "Weight (kg)"]),
    st.integers(0, 2),
    st.lists(st.sampled_from(["Origin", "Long description", "Gross weight"]), unique=True),
)
def test_a_table_beside_a_table_gives_nothing_to_it_and_is_named(
    order: list[str], blank: int, more: list[str]
) -> None:
    headers = [*order, *[""] * blank, *order, *more]
    columns = match_columns(headers, Wanted())
    assert max(columns.columns().values()) < len(order)
    unused = unused_columns(columns)
    assert "second table beside" in str(
        next(one for one in unused if one.looks_like is Field.CODE).remedy
    )
