"""Writes the review workbook, in which the model's answers can be corrected, and reads the changes
made in it.

    Products   one row a product: subcategory, mass
    Lines      one row a line of the bill: material, mass, part, processes, what is known of them
    How to     what may be changed
    Lists      the closed lists that cells are chosen from
    _Products, _Lines   hidden: the values as they were exported; what differs from them was changed

A row is found by its code (and line number), a column by its name: sheets may be sorted, filtered
and shortened.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
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
"""The columns that each sheet must have; workbooks of earlier versions have no others."""
LISTS: Final = "Lists"
CHOSEN: Final[Mapping[str, str]] = {
    "subcategory": "subcategory",
    "material": "material",
    "processes": "process",
    "country": "country",
}
"""Column → the name of the list from which its cells offer a choice."""
_NO_LISTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({})
_ADD_A_LINE: Final = (
    " To add a line, give the product's whole bill: weighbridge bills FILE, with the columns code, "
    "material, mass_kg and process."
)
_SHOWN_ONLY: Final = "This column is read-only: changes in it are ignored."
_SEVERAL: Final = "Several are separated by semicolons."
_HELP: Final = (
    "Change cells in the blue columns, then read the file back: weighbridge review FILE.",
    "Only what you change becomes a correction. Rows may be sorted, filtered and deleted.",
    "subcategory, material, processes and country are chosen from lists: open the cell's list, or see the sheet Lists. You can also type a name instead of a key.",
    "The other columns are read-only: changes in them are ignored, and a message says so when the file is read.",
    "To add or remove a line of a bill, give the product's whole bill: a file with the columns code, material, mass_kg and process, read by weighbridge bills FILE (on the dashboard and in the API: own bills).",
    "processes: in order, separated by semicolons; empty for none.",
    "country, electricity_kwh_per_kg and the columns after them: what you know of the processes of the line. One value for all of its processes, or one for each, separated by semicolons.",
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


class EditsRead(NamedTuple):
    """What was changed in a workbook, what is wrong with it, and what was changed in vain."""

    edits: list[Edit]
    problems: list[str]
    left_out: list[str]


def write_review(
    path: Path,
    products: Iterable[Sequence[Any]],
    lines: Iterable[Sequence[Any]],
    lists: Mapping[str, Mapping[str, str]] = _NO_LISTS,
) -> None:
    """Write the workbook; rows have the columns of `COLUMNS`, `lists` those of `CHOSEN`: key to
    name.
    """
    tables = {PRODUCTS: list(products), LINES: list(lines)}
    with explaining(path):
        pending = PendingFile(path)
        try:
            book = xlsxwriter.Workbook(pending.path)
            styles = _HeaderStyles(book)
            for name, table in tables.items():
                sheet = book.add_worksheet(name)
                _write_table(sheet, name, table, styles)
                _write_messages(sheet, name, len(table), lists)
            guide = book.add_worksheet("How to")
            guide.set_column(0, 0, 110)
            for number, sentence in enumerate(_HELP):
                guide.write_string(number, 0, sentence)
            _write_lists(book.add_worksheet(LISTS), lists, styles)
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


def _write_messages(
    sheet: Any, name: str, rows: int, lists: Mapping[str, Mapping[str, str]]
) -> None:
    """What a cell says when it is chosen: the list that it offers, or that it is only shown."""
    for place, column in enumerate(COLUMNS[name] if rows else ()):
        rule: dict[str, Any] = {"validate": "any"}
        chosen = CHOSEN.get(column, "")
        if column not in EDITABLE[name]:
            rule |= {"input_title": column, "input_message": _SHOWN_ONLY}
        elif chosen in lists:
            letters = column_letters(list(lists).index(chosen) * 2)
            last = len(lists[chosen]) + 1
            source = f"={LISTS}!${letters}$2:${letters}${last}"
            # Words that are no keys are understood too, and a cell may have several.
            rule = {"validate": "list", "source": source, "show_error": False}
            if column != chosen:
                rule |= {"input_title": column, "input_message": _SEVERAL}
        else:
            continue
        sheet.data_validation(1, place, rows, place, rule)


def _write_lists(sheet: Any, lists: Mapping[str, Mapping[str, str]], styles: _HeaderStyles) -> None:
    """Two columns for each list: what is written, and what it is called."""
    for place, (called, names) in enumerate(lists.items()):
        sheet.set_column(place * 2, place * 2 + 1, 34)
        sheet.write_string(0, place * 2, called, styles.header)
        sheet.write_string(0, place * 2 + 1, f"{called}: name", styles.header)
        for number, (key, name) in enumerate(names.items(), start=1):
            sheet.write_string(number, place * 2, key)
            sheet.write_string(number, place * 2 + 1, writable_text(name))
    sheet.freeze_panes(1, 0)


def read_edits(path: Path) -> EditsRead:
    """What was changed, in the order of the sheets, and every cell that cannot be read.

    Raises InputError for a file that is no review workbook.
    """
    _refuse_other_files(path)
    book = Workbook(path)
    try:
        sheets = {sheet.name: sheet for sheet in book.sheets}
        if missing := [
            name for name in (*COLUMNS, *(f"_{n}" for n in COLUMNS)) if name not in sheets
        ]:
            raise InputError(_without_sheets(path.name, missing))
        found = EditsRead([], [], [])
        for name in COLUMNS:
            exported = _ReviewSheet(
                f"_{name}", rows(book, sheets[f"_{name}"]), name, _REQUIRED[name]
            )
            before = {key: cells for key, _, cells in exported.rows(found.problems)}
            asked = [one for one in (*KEYS[name], *EDITABLE[name]) if one in exported.places]
            shown = _ReviewSheet(name, rows(book, sheets[name]), name, asked)
            seen: set[Key] = set()
            for key, number, cells in shown.rows(found.problems):
                _compare(name, key, number, cells, before, seen, found)
        return found
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


def _without_sheets(file: str, missing: Sequence[str]) -> str:
    """What to say of a workbook that lacks these sheets."""
    shown = [name for name in missing if not name.startswith("_")]
    if len(missing) == len(COLUMNS) * 2:
        return (
            f"{file} is not a review workbook: it has no sheet {' and no sheet '.join(shown)}. "
            "Make one with weighbridge review --out."
        )
    if shown:
        return (
            f"{file} has lost its sheet {' and '.join(shown)}. Restore the name of the sheet, or "
            "make a new workbook with weighbridge review --out."
        )
    return (
        f"{file} has lost its hidden sheet {' and '.join(missing)}, which says what was exported. "
        "Copy your changes into a new workbook, made with weighbridge review --out, and keep all of "
        "its sheets."
    )


class _ReviewSheet:
    """The rows of a sheet, by the names in its header.

    Raises InputError, when it is made, for columns that are missing.
    """

    def __init__(
        self, sheet: str, lines: Iterator[SheetRow], name: str, required: Sequence[str]
    ) -> None:
        self._sheet = sheet
        self._lines = lines
        self._name = name
        head = next(lines, None)
        texts = {} if head is None else {at: cell.text or "" for at, cell in head.cells.items()}
        self.places = {text.strip(): at for at, text in texts.items()}
        if missing := [column for column in required if column not in self.places]:
            columns = "column" if len(missing) == 1 else "columns"
            raise InputError(
                f"Sheet {sheet} has no {columns} {', '.join(missing)}. Restore the original header in "
                "row 1."
            )

    def rows(self, problems: list[str]) -> Iterator[tuple[Key, int, dict[str, ReviewCell]]]:
        """Key, row number and cells by the name of their column; cells that cannot be read go to
        `problems`, and their rows are left out.
        """
        keys = KEYS[self._name]
        for row in self._lines:
            cells = {}
            unreadable = []
            for column, at in self.places.items():
                cell = row.cells.get(at)
                why = cell.unreadable if cell is not None else None
                if why and column in (*keys, *EDITABLE[self._name]):
                    where = f"{self._sheet}!{column_letters(at)}{row.number}"
                    unreadable.append(f"{where}: {why}.")
                cells[column] = ReviewCell(at, (cell.text or "").strip() if cell else "")
            key = tuple(cells[column].text for column in keys)
            problems += unreadable
            if any(key) and not unreadable:
                yield key, row.number, cells


def _compare(
    sheet: str,
    key: Key,
    row: int,
    cells: Mapping[str, ReviewCell],
    before: Mapping[Key, Mapping[str, ReviewCell]],
    seen: set[Key],
    found: EditsRead,
) -> None:
    """Add what differs in a row from the exported one to `found`, and its key to `seen`."""

    def address(cell: ReviewCell) -> str:
        return f"{sheet}!{column_letters(cell.place)}{row}"

    where = address(cells[KEYS[sheet][-1]])
    called = " line ".join(key)  # a row of Lines has two parts: code and line
    if key not in before:
        add = "" if sheet == PRODUCTS else _ADD_A_LINE
        found.problems.append(
            f"{where}: {called} was not in the exported workbook. Remove the row.{add}"
        )
        return
    if key in seen:
        found.problems.append(f"{where}: {called} appears twice. Remove one of the rows.")
        return
    seen.add(key)
    code, line = (*key, "")[:2]
    for column, exported in before[key].items():
        cell = cells.get(column)
        if column in KEYS[sheet] or cell is None or _is_same(column, cell.text, exported.text):
            continue
        if column in EDITABLE[sheet]:
            found.edits.append(Edit(code, line, column, cell.text, address(cell)))
        elif column in COLUMNS[sheet]:
            found.left_out.append(
                f"{address(cell)} was changed, and the change was ignored: the column {column} is "
                "read-only."
            )


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
