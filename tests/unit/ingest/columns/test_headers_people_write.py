"""Headers as people write them, each with the field that a person would take it for."""

from __future__ import annotations

import pytest

from weighbridge.errors import MissingColumn
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.matching import Wanted, match_columns
from weighbridge.ingest.columns.meanings import count_known

REQUIRED = ["code", "name", "description"]
OF_A_FIELD = {
    Field.CODE: [
        "Produkt-ID", "Item #", "Stock No.", "Seller SKU", "Part No", "Material No.", "Article/SKU",
        "Id produktu", "Artikel-ID", "SKU / Item code",
    ],
    Field.NAME: [
        "Part Name", "SKU name", "Artikel-Bez.", "Model name", "Style name", "Bezeichnung 1",
        "Name/Title", "Prod.-Bez.",
    ],
    Field.DESCRIPTION: [
        "Part Description", "Produktbeschreibung lang", "Long Desc", "Extended Description",
        "Beschr.", "Full product description", "Descripción completa", "Description détaillée",
        "Opis długi", "Description 1",
    ],
    Field.WEIGHT: ["Unit Wt.", "Part weight", "Gewicht/Weight", "Gew.", "SKU weight (g)"],
    Field.COUNTRY: [
        "Hergestellt in", "Fabricado en", "Prodotto in", "Wyprodukowano w", "Vyrobeno v",
        "Произведено в", "Kraj poch.", "Country/Region of Origin", "Country of Mfg.", "C.O.O.",
        "Fabriqué en", "Tillverkad i", "Üretim yeri",
    ],
    Field.MATERIALS: [
        "Material/Zusammensetzung", "Matière principale", "Raw material", "Fibre content",
        "Materiál / Složení",
    ],
    Field.IMAGE: ["Bild 1", "Foto 1", "picture_01", "Zdjęcie 1", "图片1"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "header"), [(field, one) for field, headers in OF_A_FIELD.items() for one in headers]
)
def test_a_header_is_recognised_as_a_person_would(field: Field, header: str) -> None:
    others = [name for name in REQUIRED if name != field]
    columns = match_columns([*others, header, "colour"], Wanted())
    assert columns.header(field) == header


@pytest.mark.parametrize(
    "header",
    [
        "Product group", "Name/Price", "Name of customer", "Long", "Lang", "Part of", "Weight class",
        "Bild-ID", "Country of sale tax", "Description of packaging", "Stock", "No", "Nr.",
        "Kraj dost.", "x. y.", "Gew. St. Abc.",
    ],
)  # fmt: skip
def test_a_header_of_something_else_is_no_field(header: str) -> None:
    columns = match_columns([*REQUIRED, header], Wanted())
    assert header not in {columns.header(field) for field in columns.positions}


def test_of_a_short_and_a_long_description_without_a_name_the_short_one_is_the_name() -> None:
    columns = match_columns(["Item no.", "Item description", "Long description"], Wanted())
    assert columns.header(Field.NAME) == "Item description"
    assert columns.header(Field.DESCRIPTION) == "Long description"


def test_one_description_alone_is_no_name_but_is_offered_as_one() -> None:
    with pytest.raises(MissingColumn, match=r"two fields with the mapping .name=Item description"):
        match_columns(["Item no.", "Item description"], Wanted())


def test_a_locale_is_none_where_the_header_is_a_products_number() -> None:
    columns = match_columns(["Produkt-ID", "name-de", "name-en", "description-en"], Wanted())
    assert [columns.header(one) for one in (Field.CODE, Field.NAME)] == ["Produkt-ID", "name-en"]


def test_a_header_of_any_length_is_looked_at_once() -> None:
    assert count_known(["a/" * 100_000, "a. " * 100_000]) == 0
