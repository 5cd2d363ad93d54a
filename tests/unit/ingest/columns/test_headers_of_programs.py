"""A workbook of more than 200 products whose sheets have the headers of shops, PIM and ERP programs
in twelve languages, with a title above them: no column is lost that a person would recognise, and
none is taken that a person would leave.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import read_text
from weighbridge.ingest.base import Choices
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.headers import read_header
from weighbridge.ingest.columns.meanings import meanings
from weighbridge.ingest.columns.small_words import fields_beside_small_words
from weighbridge.ingest.decisions import ReadOptions
from weighbridge.ingest.report import ReportBuilder

TABLE: Final = Path(__file__).parents[3] / "data" / "headers_of_programs.txt"
VALUES: Final[dict[str, object]] = {
    "description": "Stool of oak", "weight": 1.25, "grossWeight": 1.75, "countryOfOrigin": "PT",
    "materials": "oak", "quantity": 1200, "price": 19.5, "currency": "EUR", "piecesPerPack": 4,
    "imageUrl": "https://img.example/1.jpg", "recycledShare": "25 %", "supplier": "Acme",
    "supplierFootprint": 3.5,
}  # fmt: skip
PER_SHEET: Final = 8


def sheets() -> dict[str, list[tuple[str, str]]]:
    """Sheet → its columns: (field, header)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for block in TABLE.read_text("utf-8").split("\n\n")[1:]:
        title, _, rest = block.partition("\n")
        parts = " ".join(rest.split("\n")).split(" | ")
        found[title.strip("[]")] = [
            (name, header.strip()) for name, _, header in (part.partition(": ") for part in parts)
        ]
    return found


SHEETS: Final = sheets()


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "programs.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for title, columns in SHEETS.items():
            sheet = book.add_worksheet(title)
            sheet.merge_range(0, 0, 0, len(columns) - 1, "2026")
            sheet.write_row(2, 0, [header for _, header in columns])
            for i in range(PER_SHEET):
                own = {"code": f"{title}-{i}", "name": f"Stool {i}"}
                sheet.write_row(3 + i, 0, [own.get(name, VALUES.get(name)) for name, _ in columns])
    return path


@pytest.mark.parametrize("title", SHEETS)
def test_every_column_of_a_program_arrives(workbook: Path, title: str) -> None:
    options = ReadOptions(choices=Choices(sheet=title))
    catalogue = Catalogue(workbook, options)
    builder = ReportBuilder(catalogue.head)
    products = [
        product
        for chunk in builder.watch(catalogue.chunks())
        for product in chunk.iterate_products()
    ]
    taken = {(use.field.value, use.column) for use in builder.report().columns}
    assert [column for column in SHEETS[title] if column not in taken] == []
    assert len(products) == PER_SHEET
    assert {product.description for product in products} == {"Stool of oak"}


def test_there_are_two_hundred_products_in_ten_languages() -> None:
    assert len(SHEETS) * PER_SHEET >= 200
    assert len({title.partition(" ")[0] for title in SHEETS}) >= 10


@pytest.mark.parametrize(
    "header",
    """
    Load weight|Max weight capacity (kg)|Weight class|Fabric weight (gsm)|Dimensional weight|Tare weight|Packaging weight|Gewicht Verpackung|Poids emballage|Waga opakowania|
    Price group|Price valid from|Tax rate|Discount %|Unit|Net|Box|Pack type|Package length|Carton dimensions|Qty per pallet|Boxes per pallet|
    Material group|Material cost|Packaging material|Recycled packaging|Image alt text|Image size|Number of images|Country of sale|Ship-to country|Supplier country|
    Model year|Year|Sales|Sales 2025|Sales rank|Sold by|Sold out|Sold individually?|Quantity on hand|Min order qty|Stock qty|Meta description|SEO description|
    CO2 class|Brand name|Color name|Category name|Customer name|Order number|Supplier item no|Net content|Notes|Standard|Base|Public|Main|Web shop
    """.replace("\n", "").split("|"),
)  # fmt: skip
def test_a_column_of_something_else_is_left(header: str) -> None:
    assert list(meanings(read_header(header.strip()), None)) == []


WOOCOMMERCE: Final = {
    "fr": "ID,Type,UGS,Nom,Publié,Mis en avant ?,Visibilité dans le catalogue,Description courte,Description,Poids (kg),Tarif régulier,Images,Parent,Nom de l’attribut 1,Valeur(s) de l’attribut 1",
    "de": "ID,Typ,Artikelnummer,Name,Veröffentlicht,Ist hervorgehoben?,Sichtbarkeit im Katalog,Kurzbeschreibung,Beschreibung,Gewicht (kg),Regulärer Preis,Bilder,Übergeordnetes Produkt,Attribut 1 Name,Attribut 1 Wert(e)",
    "es": "ID,Tipo,SKU,Nombre,Publicado,¿Está destacado?,Visibilidad en el catálogo,Descripción corta,Descripción,Peso (kg),Precio normal,Imágenes,Superior,Nombre del atributo 1,Valor(es) del atributo 1",
    "it": "ID,Tipo,COD,Nome,Pubblicato,In primo piano?,Visibilità nel catalogo,Breve descrizione,Descrizione,Peso (kg),Prezzo di listino,Immagine,Genitore,Attributo 1 nome,Attributo 1 valore(i)",
}  # fmt: skip


@pytest.mark.parametrize("language", WOOCOMMERCE)
def test_a_woocommerce_export_in_another_language_keeps_its_variations(
    tmp_path: Path, language: str
) -> None:
    rows = [
        "10,variable,TEE,Tee,1,0,visible,,Cotton tee,0.2,,,,Size,S | M",
        "11,variation,TEE-S,Tee,1,0,visible,,,0.18,9.5,,TEE,Size,S",
        "12,variation,,Tee,1,0,visible,,,,9.5,,id:10,Size,M",
    ]
    found = read_text(tmp_path, "\n".join([WOOCOMMERCE[language], *rows, ""]))
    assert found.rejected == []
    products = found.by_code
    assert {"TEE-S", "12"} <= set(products)
    assert products["12"].description == "Cotton tee"
    assert (products["TEE-S"].weight_kg, products["12"].weight_kg) == (0.18, 0.2)


@given(st.text(max_size=60))
def test_any_header_has_at_most_one_meaning_beside_small_words(header: str) -> None:
    assert fields_beside_small_words(header) <= set(Field)
    assert len({name for name, _ in meanings(read_header(header), None)}) <= 1
