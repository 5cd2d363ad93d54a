"""Which column of a catalogue is which field: header names matched by synonym, without any I/O.

Readers call `find_header` (tables) or `match_columns` (records) on what they find at the top of a file and take
only the columns named in the `ColumnMap`. All other columns are ignored.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.errors import InputError, MissingColumn
from weighbridge.ingest.weights import KILOGRAM, UNIT_NAMES, MassUnit
from weighbridge.ingest.wording import quote, quote_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Field(StrEnum):
    """What we look for in a file. The values are the names of the HTTP contract."""

    CODE = "code"
    NAME = "name"
    DESCRIPTION = "description"
    WEIGHT = "weight"
    WEIGHT_UNIT = "weightUnit"  # a column that gives each weight's unit; never stored
    IMAGE = "imageUrl"
    COUNTRY = "countryOfOrigin"


REQUIRED: Final = (Field.CODE, Field.NAME, Field.DESCRIPTION)
HEADER_SEARCH_ROWS: Final = 20
"""How far down the header may be: many spreadsheets begin with a title and a date."""

_WEIGHT_NAMES: Final = (
    "weight", "netweight", "productweight", "itemweight", "unitweight", "mass", "netmass",
    "gewicht", "nettogewicht", "poids", "poidsnet", "peso", "pesoneto", "pesonetto",
)  # fmt: skip
# A gross or shipping weight contains the packaging: it is not the product's mass, so it is never taken unasked.

SYNONYMS: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.CODE: (
        "code", "productcode", "sku", "itemcode", "articlecode", "productid", "itemnumber", "articlenumber",
        "productnumber", "itemno", "articleno", "partnumber", "partno", "materialnumber", "itemid", "articleid",
        "variantsku", "stockcode", "reference", "ref", "artikelnummer", "artikelnr", "artikelcode", "produktnummer",
        "referencia", "codigo", "codice", "gtin", "ean", "upc", "barcode", "handle", "id",
    ),
    Field.NAME: (
        "name", "productname", "title", "producttitle", "itemname", "articlename", "producttitel", "materialname",
        "product", "designation", "label", "produktname", "artikelname", "bezeichnung", "artikelbezeichnung", "nom",
        "nomduproduit", "nombre", "nome", "productnaam", "naam",
    ),
    Field.DESCRIPTION: (
        "description", "productdescription", "longdescription", "fulldescription", "itemdescription",
        "articledescription", "desc", "details", "productdetails", "longtext", "bodyhtml", "body", "text",
        "shortdescription", "beschreibung", "produktbeschreibung", "artikelbeschreibung", "descripcion", "descrizione",
        "descricao", "omschrijving", "productomschrijving",
    ),
    Field.WEIGHT: _WEIGHT_NAMES,
    Field.WEIGHT_UNIT: ("weightunit", "weightuom", "unitofweight", "massunit", "variantweightunit", "gewichtseinheit"),
    Field.IMAGE: (
        "imageurl", "image", "imagelink", "imagesrc", "mainimage", "mainimageurl", "productimage", "productimageurl",
        "picture", "pictureurl", "photo", "photourl", "images", "img", "imagepath", "imagefile", "variantimage", "bild",
        "bildurl", "foto", "imagen", "immagine", "afbeelding",
    ),
    Field.COUNTRY: (
        "countryoforigin", "origincountry", "country", "countrycode", "origin", "madein", "countryofmanufacture",
        "manufacturingcountry", "productioncountry", "coo", "herkunftsland", "ursprungsland", "herkunft",
        "paysdorigine", "paisdeorigen", "paesediorigine", "landvanherkomst", "land",
    ),
}  # fmt: skip
"""Normalised header names in order of preference: the first one present in the file is taken."""

_ALIASES: Final[Mapping[str, Field]] = {
    "image": Field.IMAGE,
    "picture": Field.IMAGE,
    "country": Field.COUNTRY,
    "weightkg": Field.WEIGHT,
    "unit": Field.WEIGHT_UNIT,
}


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Where the fields are: positions in the header, and the unit of weights that do not say their own."""

    positions: Mapping[Field, int]
    weight_unit: MassUnit = KILOGRAM


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for: columns named by hand, and whether a missing column stops the file.

    `by_hand` maps a field to a header of the file; an empty header means "leave this field out";
    `weightUnit` may be given a unit instead of a column. With `all_required` False a missing column only shows as
    an empty field in each row (single products sent as JSON).
    """

    by_hand: Mapping[Field, str] = field(default_factory=dict)
    all_required: bool = True


def parse_mapping(entries: Iterable[str]) -> dict[Field, str]:
    """The entries of `--map field=column`; raises InputError for a field that does not exist."""
    mapping: dict[Field, str] = {}
    for entry in entries:
        name, equals, column = entry.partition("=")
        if not equals:
            raise InputError(f"--map {quote(entry)} is not understood; write field=column.")
        key = normalise(name)
        found = _ALIASES.get(key) or next((f for f in Field if normalise(f) == key), None)
        if found is None:
            raise InputError(
                f"--map names a field {quote(name)}; the fields are {', '.join(Field)}."
            )
        mapping[found] = column.strip()
    return mapping


def normalise(header: str) -> str:
    """Letters and digits only, lower case, without accents: "Country of origin" → "countryoforigin"."""
    decomposed = unicodedata.normalize("NFKD", header).casefold()
    return "".join(c for c in decomposed if c.isalnum())


def match_columns(headers: Sequence[str], wanted: Wanted) -> ColumnMap:
    """Finds each field's column; raises MissingColumn when a required one is not there."""
    keys = [normalise(header) for header in headers]
    positions, unit = _columns_by_hand(headers, keys, wanted)
    taken = set(positions.values())
    free = {key: i for i, key in reversed(list(enumerate(keys))) if key and i not in taken}
    for name, synonyms in SYNONYMS.items():
        if name in wanted.by_hand:
            continue
        if name is Field.WEIGHT:
            synonyms = tuple(_WEIGHT_KEYS)
        elif name is Field.WEIGHT_UNIT and (unit is not None or Field.WEIGHT not in positions):
            continue  # the weight's own header says it, or there is no weight
        key = next((key for key in synonyms if key in free), None)
        if key is not None:
            positions[name] = free[key]
            unit = unit or _WEIGHT_KEYS.get(key)
    missing = [name for name in REQUIRED if name not in positions]
    if missing and wanted.all_required:
        raise MissingColumn(_missing_message(missing, headers))
    return ColumnMap(positions, unit or KILOGRAM)


def find_header(rows: Sequence[Sequence[str]], wanted: Wanted) -> tuple[int, ColumnMap]:
    """Index of the header among the first rows of a table, and its columns.

    The header is the first row that has every required column. Without one, MissingColumn speaks about the row
    that comes nearest to being a header.
    """
    best: tuple[int, MissingColumn] | None = None
    for index, row in enumerate(rows[:HEADER_SEARCH_ROWS]):
        if not any(cell.strip() for cell in row):
            continue
        try:
            return index, match_columns(row, wanted)
        except MissingColumn as missing:
            known = count_known(row)
            if best is None or known > best[0]:
                best = (known, missing)
    if best is None:
        raise MissingColumn("No header row was found: the first rows are empty.")
    raise best[1]


def count_known(headers: Sequence[str]) -> int:
    """How many of the fields these headers name; used to recognise a header and a delimiter."""
    keys = {normalise(header) for header in headers}
    return sum(
        1
        for name, synonyms in SYNONYMS.items()
        if not keys.isdisjoint(_WEIGHT_KEYS if name is Field.WEIGHT else synonyms)
    )


def _columns_by_hand(
    headers: Sequence[str], keys: Sequence[str], wanted: Wanted
) -> tuple[dict[Field, int], MassUnit | None]:
    positions: dict[Field, int] = {}
    unit: MassUnit | None = None
    for name, column in wanted.by_hand.items():
        if not column:
            continue
        key = normalise(column)
        if column in headers:
            positions[name] = headers.index(column)
        elif key and key in keys:
            positions[name] = keys.index(key)
        elif name is Field.WEIGHT_UNIT and key in UNIT_NAMES:
            unit = UNIT_NAMES[key]
        else:
            raise MissingColumn(
                f"--map {name}={column}: there is no column {quote(column)}. The file has: {quote_all(headers)}."
            )
    if unit is None and Field.WEIGHT in positions:
        unit = _unit_in(headers[positions[Field.WEIGHT]])
    return positions, unit


def _unit_in(header: str) -> MassUnit | None:
    """The unit that ends a header of any language: "Peso lordo (g)", "ship_weight_lb"."""
    words = "".join(c if c.isalnum() else " " for c in header.casefold()).split()
    return UNIT_NAMES.get(words[-1]) if len(words) > 1 else _WEIGHT_KEYS.get(normalise(header))


def _weight_keys() -> dict[str, MassUnit | None]:
    """Every way to write a weight header, in order of preference; a unit in the name beats none."""
    keys: dict[str, MassUnit | None] = {}
    for name in _WEIGHT_NAMES:
        for unit_name, unit in UNIT_NAMES.items():
            keys[name + unit_name] = unit
            keys[f"{name}in{unit_name}"] = unit
        keys[name] = None
    keys["variantgrams"] = UNIT_NAMES["g"]
    return keys


_WEIGHT_KEYS: Final = _weight_keys()


def _missing_message(missing: Sequence[Field], headers: Sequence[str]) -> str:
    columns = "column" if len(missing) == 1 else "columns"
    return (
        f"Required {columns} not found: {', '.join(missing)}. The file has: {quote_all(headers)}. "
        f"Rename the {columns}."
    )
