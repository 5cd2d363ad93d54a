"""The factors and categories that come with the package (`carbon/data/*.csv`)."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final, TypeVar

from typing_extensions import override

from weighbridge.carbon.factors import AlikeKind, FactorTable
from weighbridge.carbon.taxonomy import Subcategory, Taxonomy
from weighbridge.errors import FactorTableInvalid
from weighbridge.factor_sources.base import FactorSource
from weighbridge.factor_sources.rows import (
    COMPONENT_COLUMNS,
    ELECTRICITY_COLUMNS,
    HEAT_COLUMNS,
    MATERIAL_COLUMNS,
    PROCESS_COLUMNS,
    REFERENCE_COLUMNS,
    Row,
    class_reference,
    component_factor,
    electricity_factor,
    heat_factor,
    material_factor,
    process_factor,
    read_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_T = TypeVar("_T")

BUNDLED_NAME: Final = "weighbridge-2026.11"
"""Name of the bundled set: the year and month in which it was compiled."""

_DATA_PACKAGE: Final = "weighbridge.carbon"
_TAXONOMY_COLUMNS: Final = ("category", "subcategory", "cpc_code", "cpc_title")
_ALIKE_COLUMNS: Final = ("category", "subcategory", "like_category", "like_subcategory", "reason")


class BundledFactors(FactorSource):
    """Open factors with their sources; see ATTRIBUTION.md beside them."""

    @override
    def load(self) -> FactorTable:
        """The table of the factors in all bundled files."""
        heat = _parsed_rows("heat.csv", HEAT_COLUMNS, heat_factor)
        if len(heat) != 1:
            raise FactorTableInvalid(f"heat.csv must have one row; it has {len(heat)}.")
        return FactorTable.of(
            name=BUNDLED_NAME,
            materials=_parsed_rows("materials.csv", MATERIAL_COLUMNS, material_factor),
            processes=_parsed_rows("processes.csv", PROCESS_COLUMNS, process_factor),
            electricity=_parsed_rows("electricity.csv", ELECTRICITY_COLUMNS, electricity_factor),
            heat=heat[0],
            components=_parsed_rows("components.csv", COMPONENT_COLUMNS, component_factor),
            references=[
                reference
                for file in ("class_references.csv", "device_references.csv")
                for reference in _parsed_rows(file, REFERENCE_COLUMNS, class_reference)
                if reference is not None
            ],
            alike=_parsed_rows("alike_kinds.csv", _ALIKE_COLUMNS, _alike_kind),
        )


def load_taxonomy() -> Taxonomy:
    """The categories that a product may be given, with their CPC codes."""
    return Taxonomy.of(_parsed_rows("categories.csv", _TAXONOMY_COLUMNS, _subcategory))


def _alike_kind(row: Row) -> AlikeKind:
    return AlikeKind(
        (row.text("category"), row.text("subcategory")),
        (row.text("like_category"), row.text("like_subcategory")),
    )


def _subcategory(row: Row) -> tuple[str, Subcategory]:
    """The name of the category, and the subcategory, in a row of the file of categories."""
    code = row.text("cpc_code")
    if not (code.isdecimal() and len(code) <= 5):
        raise row.error("cpc_code", f"{code!r} is not a CPC code of 1 to 5 digits.")
    return row.text("category"), Subcategory(row.text("subcategory"), code, row.text("cpc_title"))


def _parsed_rows(file: str, columns: Collection[str], parse: Callable[[Row], _T]) -> list[_T]:
    """What `parse` makes of each row of a bundled file."""
    path = resources.files(_DATA_PACKAGE) / "data" / file
    with path.open(encoding="utf-8") as stream:
        return [parse(row) for row in read_rows(stream, file, columns)]
