"""The columns and cells of the sheet Products: the columns of CSV in another order, with figures
unrounded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from weighbridge.export.cells import finite
from weighbridge.export.columns import Column, columns_of
from weighbridge.export.workbook.sheets import EMISSIONS, SheetColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weighbridge.export.base import ResultRow
    from weighbridge.export.columns import Cell
    from weighbridge.steps.shown import ShownField

_PRINTED: Final = {
    "code": 17,
    "name": 28,
    "status": 11,
    "category": 23,
    "subcategory": 24,
    "emissions_kg_co2e": 20,
    "low_kg_co2e": 14,
    "high_kg_co2e": 15,
    "quantity": 11,
    "total_kg_co2e": 16,
    "decided_by": 24,
    "data_quality": 13,
    "mass_kg": 10,
    "mass_origin": 13,
    "simulated": 11,
    "notes": 62,
}
"""The columns that are printed, in this order, and their widths. The columns that are not printed
come after them.
"""
_SMALL_PRINT: Final = ("proxy for ", "left out: ")


def product_columns(fields: Sequence[ShownField]) -> tuple[Column, ...]:
    """All columns of CSV, the printed ones first."""
    columns = {column.name: column for column in columns_of(fields)}
    columns["notes"] = replace(
        columns["notes"],
        meaning="Why the product failed, or what to know before using the figure; the sheet Notes has all notes.",
        value=_gravest_notes,
    )
    first = [columns.pop(name) for name in _PRINTED if name in columns]
    return (*first, *columns.values())


def count_printed(columns: Sequence[Column]) -> int:
    """How many of these columns are printed."""
    return sum(column.name in _PRINTED for column in columns)


def sheet_column(column: Column) -> SheetColumn:
    """The width and number format of a column in the sheet."""
    return SheetColumn(
        column.name,
        _PRINTED.get(column.name, column.width),
        EMISSIONS if column.figure else column.number_format,
        is_alarm=column.name == "simulated",
    )


def product_cells(columns: Sequence[Column], row: ResultRow) -> list[Cell]:
    """The cells of a product's row, with figures unrounded."""
    return [_cell(column, row) for column in columns]


def _cell(column: Column, row: ResultRow) -> Cell:
    figure: Callable[[ResultRow], float | None] | None = column.figure
    return column.value(row) if figure is None else finite(figure(row))


def _gravest_notes(row: ResultRow) -> str | None:
    """Why a product failed, or its notes except on proxies and what was left out; None: nothing."""
    if row.error:
        return row.error
    grave = [note for note in row.notes if not note.startswith(_SMALL_PRINT)]
    text = "; ".join(grave)
    return text[:1].upper() + text[1:] or None
