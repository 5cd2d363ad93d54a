"""Writes the review workbook, in which the model's answers can be corrected, and reads the changes
made in it.

    Products   one row a product: subcategory, mass
    Lines      one row a line of the bill: material, mass, part, processes, what is known of them
    How to     what may be changed
    _Products, _Lines   hidden: the values as they were exported; what differs from them was changed

A row is found by its code (and line number), a column by its name: sheets may be sorted, filtered
and shortened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import xlsxwriter

from weighbridge.errors import InputError, UnsupportedFormat
from weighbridge.export.cells import writable_text
from weighbridge.export.files import PendingFile, explaining
from weighbridge.ingest.base import CatalogueFormat
from weighbridge.ingest.formats.sniff import detect_format
from weighbridge.ingest.formats.xlsx.rows import column_letters, rows
from weighbridge.ingest.formats.xlsx.workbook import Workbook
from weighbridge.service.desk.process_cells import FACT_COLUMNS, fact_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.ingest.formats.xlsx.rows import SheetRow

Key = tuple[str, ...]
PRODUCTS: Final = "Products"
LINES: Final = "Lines"
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    PRODUCTS: ("code", "name", "subcategory", "mass_kg", "kg_co2e", "notes"),
    LINES: ("code", "line", "material", "mass_kg", "component", "processes", *FACT_COLUMNS),
}
KEYS: Final[dict[str, tuple[str, ...]]] = {PRODUCTS: ("code",), LINES: ("code", "line")}
EDITABLE: Final[dict[str, tuple[str, ...]]] = {
    PRODUCTS: ("subcategory", "mass_kg"),
    LINES: ("material", "mass_kg", "component", "processes", *FACT_COLUMNS),
}
NUMBERS: Final = frozenset({"mass_kg", "kg_co2e", "line"})
_REQUIRED: Final = {
    name: tuple(one for one in (*KEYS[name], *EDITABLE[name]) if one not in FACT_COLUMNS)
    for name in COLUMNS
}
"""The columns that a sheet must have; workbooks of earlier versions have no others."""
_HELP: Final = (
    "Change cells in the blue columns, then read the file back: weighbridge review FILE.",
    "Only what you change becomes a correction. Rows may be sorted, filtered and deleted.",
    "subcategory, material and processes must be values of the lists that the model chose from.",
    "processes: in order, separated by semicolons; empty for none.",
    "country, electricity_kwh_per_kg and what follows: of the processes of the line, if you know it. One value for all of them, or one for each, separated by semicolons.",
    "mass_kg on the sheet Products is the mass of one unit; if it changes, the lines of the bill change in proportion.",
)
_WIDTHS: Final = {"name": 34, "code": 18, "subcategory": 28, "material": 30, "processes": 44}


@dataclass(frozen=True, slots=True)
class Edit:
    """A cell that was changed, and where it stands."""

    code: str
    line: str
    column: str
    value: str
    cell: str  # "Lines!C7"


class ReviewCell(NamedTuple):
    """The text of a cell, and the position of its column in the sheet, from 0."""

    place: int
    text: str


def write_review(
    path: Path, products: Iterable[Sequence[Any]], lines: Iterable[Sequence[Any]]
) -> None:
    """Write the workbook; rows of `products` and `lines` have the columns in COLUMNS."""
    tables = {PRODUCTS: list(products), LINES: list(lines)}
    with explaining(path):
        pending = PendingFile(path)
        try:
            book = xlsxwriter.Workbook(pending.path)
            styles = _HeaderStyles(book)
            for name, table in tables.items():
                _write_table(book.add_worksheet(name), name, table, styles)
            guide = book.add_worksheet("How to")
            guide.set_column(0, 0, 110)
            for number, sentence in enumerate(_HELP):
                guide.write_string(number, 0, sentence)
            for name, table in tables.items():
                hidden = book.add_worksheet(f"_{name}")
                hidden.very_hidden()
                _write_table(hidden, name, table, styles)
            book.close()
            pending.commit()
        except BaseException:
            pending.discard()
            raise


class _HeaderStyles:
    """The formats of header cells: plain, and of columns that may be edited."""

    def __init__(self, book: Any) -> None:
        self.header = book.add_format({"bold": True, "bg_color": "#E7EEF0", "bottom": 1})
        self.editable = book.add_format({"bold": True, "bg_color": "#BFD9F2", "bottom": 1})


def _write_table(
    sheet: Any, name: str, table: Sequence[Sequence[Any]], styles: _HeaderStyles
) -> None:
    """Write a table under its header, which marks the columns that may be edited."""
    for position, column in enumerate(COLUMNS[name]):
        style = styles.editable if column in EDITABLE[name] else styles.header
        sheet.write_string(0, position, column, style)
        sheet.set_column(position, position, _WIDTHS.get(column, 12))
    for number, row in enumerate(table, start=1):
        for position, value in enumerate(row):
            if isinstance(value, int | float):
                sheet.write_number(number, position, value)
            elif value:
                sheet.write_string(number, position, writable_text(value))
    sheet.freeze_panes(1, 1)
    if table:
        sheet.autofilter(0, 0, len(table), len(COLUMNS[name]) - 1)


def read_edits(path: Path) -> list[Edit]:
    """The cells that were changed in a review workbook, in the order of the sheets.

    Raises InputError for a file that is none, or naming the cell that cannot be read.
    """
    _refuse_other_files(path)
    book = Workbook(path)
    try:
        sheets = {sheet.name: sheet for sheet in book.sheets}
        if missing := [
            name for name in (*COLUMNS, *(f"_{n}" for n in COLUMNS)) if name not in sheets
        ]:
            raise InputError(
                f"{path.name} is not a review workbook: it has no sheet {missing[0]!r}. Make one with "
                "weighbridge review --out."
            )
        edits: list[Edit] = []
        for name in COLUMNS:
            exported = _table(rows(book, sheets[f"_{name}"]), name, _REQUIRED[name])
            before = {key: cells for key, _, cells in exported}
            columns = list(next(iter(before.values()), ()))
            seen: set[Key] = set()
            for key, number, cells in _table(rows(book, sheets[name]), name, columns):
                edits += _edits_of(name, key, number, cells, before, seen)
        return edits
    finally:
        book.package.close()


def _refuse_other_files(path: Path) -> None:
    """Raises InputError for a file that is no XLSX workbook, whatever its name."""
    try:
        is_workbook = detect_format(path, path.name, None) is CatalogueFormat.XLSX
    except UnsupportedFormat:
        is_workbook = False
    if not is_workbook:
        raise InputError(
            f"{path.name} is not an XLSX workbook. Save the review workbook as .xlsx (Excel 2007 or "
            "later), with all its sheets."
        )


def _table(
    lines: Iterator[SheetRow], name: str, required: Sequence[str]
) -> Iterator[tuple[Key, int, dict[str, ReviewCell]]]:
    """(key, row number, cells by column) of each row of a sheet that has a key.

    Raises InputError if a required column is missing or a cell cannot be read.
    """
    head = next(lines, None)
    places = {} if head is None else {cell.text or "": at for at, cell in head.cells.items()}
    if missing := [column for column in required if column not in places]:
        raise InputError(f"Sheet {name} has no column {missing[0]!r}. Restore the original header.")
    for row in lines:
        cells = {}
        for column in (*KEYS[name], *EDITABLE[name]):
            if column not in places:
                continue
            cell = row.cells.get(places[column])
            if cell is not None and cell.remark:
                where = f"{name}!{column_letters(places[column])}{row.number}"
                raise InputError(f"{where}: {cell.remark}.")
            cells[column] = ReviewCell(places[column], (cell.text or "").strip() if cell else "")
        key = tuple(cells[column].text for column in KEYS[name])
        if any(key):
            yield key, row.number, cells


def _edits_of(
    sheet: str,
    key: Key,
    row: int,
    cells: Mapping[str, ReviewCell],
    before: Mapping[Key, Mapping[str, ReviewCell]],
    seen: set[Key],
) -> Iterator[Edit]:
    """The editable cells of a row that differ from the exported ones; adds its key to `seen`."""

    def address(cell: ReviewCell) -> str:
        return f"{sheet}!{column_letters(cell.place)}{row}"

    where = address(cells[KEYS[sheet][-1]])
    called = " line ".join(key)  # a row of Lines has two parts: code and line
    if key not in before:
        raise InputError(f"{where}: {called} was not in the exported workbook. Remove the row.")
    if key in seen:
        raise InputError(f"{where}: {called} appears twice. Remove one of the rows.")
    seen.add(key)
    code, line = (*key, "")[:2]
    for column in EDITABLE[sheet]:
        if column not in before[key]:
            continue
        cell = cells[column]
        if not _is_same(column, cell.text, before[key][column].text):
            yield Edit(code, line, column, cell.text, address(cell))


def _is_same(column: str, text: str, before: str) -> bool:
    """Whether two texts of a cell mean the same value, such as 1.5 and 1.50."""
    if text == before:
        return True
    try:
        if column in FACT_COLUMNS:
            return bool(fact_value(column, text) == fact_value(column, before))
        return column in NUMBERS and float(text) == float(before)
    except (InputError, ValueError):
        return False
