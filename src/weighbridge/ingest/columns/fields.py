"""The fields we look for in a file, and what people and programs call them in many languages."""

from __future__ import annotations

import tomllib
import unicodedata
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Field(StrEnum):
    """What we look for in a file. The values are the names of the HTTP contract."""

    CODE = "code"
    NAME = "name"
    DESCRIPTION = "description"
    WEIGHT = "weight"
    WEIGHT_UNIT = "weightUnit"  # a column that gives each weight's unit; never stored
    IMAGE = "imageUrl"
    COUNTRY = "countryOfOrigin"
    GROSS_WEIGHT = "grossWeight"
    MATERIALS = "materials"
    RECYCLED_SHARE = "recycledShare"
    PIECES_PER_PACK = "piecesPerPack"
    PROCESS_HINTS = "processHints"
    QUANTITY = "quantity"
    PRICE = "price"
    CURRENCY = "currency"  # a column that gives each price's currency
    SUPPLIER = "supplier"
    SUPPLIER_FOOTPRINT = "supplierFootprint"
    SUPPLIER_BOUNDARY = "supplierFootprintBoundary"
    SUPPLIER_UNIT = "supplierFootprintUnit"  # what each supplier's figure is for
    PARENT_CODE = "parentCode"
    VARIANT = "variant"


REQUIRED: Final = (Field.CODE, Field.NAME, Field.DESCRIPTION)


@lru_cache(maxsize=4096)
def normalise(header: str) -> str:
    """The header's letters and digits alone, in lower case and without accents.

    "Country of origin" → "countryoforigin".
    """
    decomposed = (
        unicodedata.normalize("NFKD", header).casefold().replace("ı", "i")
    )  # Turkish capitals
    return "".join(c for c in decomposed if c.isalnum())


def read_table(name: str) -> dict[str, Any]:
    """The content of a TOML file beside this module."""
    text = resources.files("weighbridge.ingest.columns").joinpath(name).read_text("utf-8")
    return tomllib.loads(text)


_ALL_NAMES: Final = {
    field: tuple(dict.fromkeys(" ".join(name.split()) for name in names.split(",")))
    for field, names in read_table("field_names.toml").items()
}

NAMES: Final[Mapping[Field, tuple[str, ...]]] = {field: _ALL_NAMES[field] for field in Field}
"""The header names that are recognised for each field, in order of preference."""

SYNONYMS: Final[Mapping[Field, tuple[str, ...]]] = {
    field: tuple(dict.fromkeys(map(normalise, names))) for field, names in NAMES.items()
}
"""`NAMES`, normalised: of a field's names the first one that the file has is taken."""

SHORT_DESCRIPTIONS: Final = tuple(dict.fromkeys(map(normalise, _ALL_NAMES["shortDescription"])))
"""Header names of short descriptions, used where there is no long description in the row or the
file.
"""
