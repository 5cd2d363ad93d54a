"""Reads XLSX workbooks as a stream.

Read are the first visible sheet that has the required columns and every other whose columns mean
the same, or only the sheet that the user asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.base import (
    CHUNK_ROWS,
    NO_CHOICES,
    CatalogueFormat,
    CellRemark,
    Choices,
    RawChunk,
    Reader,
    SheetUse,
    Source,
    make_chunk,
)
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.header_rows import find_head
from weighbridge.ingest.columns.matching import HEADER_SEARCH_ROWS, ColumnMap, Wanted
from weighbridge.ingest.formats.xlsx.rows import (
    Cell,
    Merged,
    SheetRow,
    column_letters,
    merged_ranges,
    rows,
)
from weighbridge.ingest.formats.xlsx.workbook import Sheet, Workbook
from weighbridge.ingest.values.numbers import unambiguous
from weighbridge.ingest.values.wording import quote, quote_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_CHUNK_CHARACTERS: Final = 8 << 20
"""A chunk ends after this many characters, however few rows they fill: cells share texts in the
file, but each has a copy in the chunk.
"""
MAX_CHARACTERS: Final = 1 << 30
"""The most characters that all cells of a sheet that are read may have together."""
_NUMBERS: Final = frozenset(
    [
        Field.WEIGHT,
        Field.GROSS_WEIGHT,
        Field.PRICE,
        Field.QUANTITY,
        Field.PIECES_PER_PACK,
        Field.RECYCLED_SHARE,
        Field.SUPPLIER_FOOTPRINT,
    ]
)


@dataclass(frozen=True, slots=True)
class _Table:
    """A sheet that can be read: the Excel rows of its header and its first data, and its
    columns.
    """

    sheet: Sheet
    header_row: int
    data_row: int
    columns: ColumnMap
    merged: tuple[Merged, ...]

    @property
    def meaning(self) -> object:
        """Something that is equal for sheets whose columns mean the same, in whatever language."""
        columns = self.columns
        units = {name: unit.name for name, unit in columns.units.items()}
        named = sum(bool(header.strip()) for header in columns.headers)
        return set(columns.positions), units, columns.currency, named


class XlsxReader(Reader):
    """A workbook. Rows are numbered as Excel numbers them.

    Whole numbers lose their ".0", text keeps its zeros.
    """

    def __init__(self, path: Path, choices: Choices = NO_CHOICES) -> None:
        self._book = Workbook(path)
        self._sheet = choices.sheet

    @override
    def source(self, wanted: Wanted) -> Source:
        tables, uses = self._tables_and_uses(wanted)
        return Source(CatalogueFormat.XLSX, header_row=tables[0].header_row, sheets=tuple(uses))

    @override
    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        tables, _ = self._tables_and_uses(wanted)
        characters = 0
        for table in tables:
            columns = table.columns.columns()
            positions = frozenset(columns.values())
            chunk = _Chunk(table)
            for row in _with_merged_cells(
                rows(self._book, table.sheet, positions), table, positions
            ):
                if row.number < table.data_row:
                    continue
                chunk.add(row)
                if chunk.is_full:
                    characters += chunk.characters
                    if characters > MAX_CHARACTERS:
                        raise UnreadableFile(
                            f"The cells of sheet {quote(table.sheet.name)} hold more than "
                            f"{MAX_CHARACTERS >> 20:,} MB of text (seen at row {row.number:,}). "
                            "Save the sheet as CSV: it is read at any size."
                        )
                    yield chunk.finish()
                    chunk = _Chunk(table)
            yield chunk.finish()

    def _tables_and_uses(self, wanted: Wanted) -> tuple[list[_Table], list[SheetUse]]:
        """(the tables of the sheets to read; for every sheet, whether and why it is read).

        Raises:
            MissingColumn: no sheet has the required columns.
            UnreadableFile: no sheet has a filled cell, or the one asked for does not exist.
        """
        tables: list[_Table] = []
        uses: list[SheetUse] = []
        missing: MissingColumn | None = None
        for sheet in self._candidates():
            if not sheet.is_visible and self._sheet is None:
                uses.append(SheetUse(sheet.name, used=False, why="it is hidden; --sheet reads it"))
                continue
            try:
                table = self._table(sheet, wanted)
            except MissingColumn as error:
                missing = missing or error
                uses.append(
                    SheetUse(
                        sheet.name,
                        used=False,
                        why="it has no header with code, name and description (own bills of materials are read by weighbridge bills; on the dashboard: Review)",
                    )
                )
                continue
            if table is None:
                uses.append(SheetUse(sheet.name, used=False, why="it is empty"))
            elif tables and table.meaning != tables[0].meaning:
                why = f"its columns differ from those of sheet {quote(tables[0].sheet.name)}; name it with --sheet to read it"
                uses.append(SheetUse(sheet.name, used=False, why=why, header_row=table.header_row))
            else:
                tables.append(table)
                why = "as you said" if self._sheet else "it has code, name and description"
                uses.append(SheetUse(sheet.name, used=True, why=why, header_row=table.header_row))
        if not tables:
            raise missing or UnreadableFile("The workbook has no filled sheet.")
        return tables, uses

    def _candidates(self) -> tuple[Sheet, ...]:
        """The sheet that was asked for, or all.

        Raises:
            UnreadableFile: there is no such sheet; names those there are.
        """
        sheets = self._book.sheets
        if self._sheet is None:
            return sheets
        asked = self._sheet.strip().casefold()
        found = tuple(sheet for sheet in sheets if sheet.name.strip().casefold() == asked)
        if not found:
            raise UnreadableFile(
                f"There is no sheet {quote(self._sheet)}. The workbook has: "
                f"{quote_all([sheet.name for sheet in sheets])}."
            )
        return found

    def _table(self, sheet: Sheet, wanted: Wanted) -> _Table | None:
        """The table of a sheet by its first rows, None for an empty sheet.

        Raises:
            MissingColumn: no row has the required columns.
        """
        top: list[SheetRow] = []
        for row in rows(self._book, sheet):
            top.append(row)
            if len(top) > HEADER_SEARCH_ROWS:
                break
        if not top:
            return None
        merged = merged_ranges(self._book, sheet)
        _spread_merged_headers(top, merged)
        head = find_head([_texts(row) for row in top], wanted)
        data_row = top[head.data - 1].number + 1
        return _Table(sheet, top[head.header].number, data_row, head.columns, tuple(merged))


def _texts(row: SheetRow) -> list[str]:
    """The texts of a row from the first column on; "" for empty cells."""
    texts = [""] * (max(row.cells) + 1)
    for position, cell in row.cells.items():
        texts[position] = cell.text or ""
    return texts


def _spread_merged_headers(top: list[SheetRow], merged: list[Merged]) -> None:
    """Give a cell merged over several columns to each of them, in the rows `top`."""
    by_number = {row.number: row for row in top}
    for one in merged:
        row = by_number.get(one.first_row)
        cell = row.cells.get(one.first_column) if row else None
        if row is not None and cell is not None:
            for position in range(one.first_column + 1, one.last_column + 1):
                row.cells.setdefault(position, cell)


def _with_merged_cells(
    found: Iterator[SheetRow], table: _Table, positions: frozenset[int]
) -> Iterator[SheetRow]:
    """The rows, with a cell merged over several of them given to each, in the columns
    `positions`.
    """
    if not table.merged:
        yield from found
        return
    last_rows = {
        (one.first_row, one.first_column): one.last_row
        for one in table.merged
        if one.first_column in positions and one.first_row >= table.data_row
    }
    current: dict[int, tuple[int, Cell]] = {}
    for row in found:
        for position in positions:
            last, cell = current.get(position, (0, None))
            if row.number <= last and cell is not None:
                row.cells.setdefault(position, cell)
            ending = last_rows.get((row.number, position))
            if ending is not None and position in row.cells:
                current[position] = ending, row.cells[position]
        yield row


class _Chunk:
    """Collects rows until they are enough for a chunk."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._columns = table.columns.columns()
        self._numbers: list[int] = []
        self._values: dict[str, list[str | None]] = {name: [] for name in self._columns}
        self._remarks: list[CellRemark] = []
        self._hidden: list[int] = []
        self._stored: dict[str, set[int]] = {
            name: set() for name in self._columns if name in _NUMBERS
        }
        self.characters = 0

    @property
    def is_full(self) -> bool:
        return len(self._numbers) >= CHUNK_ROWS or self.characters >= MAX_CHUNK_CHARACTERS

    def add(self, row: SheetRow) -> None:
        """Add a row, which must have a filled cell in the wanted columns."""
        self._numbers.append(row.number)
        if row.is_hidden:
            self._hidden.append(row.number)
        for name, position in self._columns.items():
            cell = row.cells.get(position)
            text = None
            if cell is not None and not _is_empty_text(name, cell):
                text = cell.exact if name == Field.CODE and cell.exact else cell.text
                if name in self._stored and cell.number is not None:
                    self._stored[name].add(row.number)
                    text = _unmistakable(text)
                    if name == Field.PRICE and cell.currency:
                        text = f"{text} {cell.currency}"
                self.characters += len(text or "")
                if cell.kind or cell.remark:
                    self._add_remark(name, cell, position, row.number)
            self._values[name].append(text)

    def _add_remark(self, name: str, cell: Cell, position: int, row: int) -> None:
        """Keep what is wrong with a cell of the column `name`, if anything is."""
        remark = cell.remark or _remark(name, cell, f"{column_letters(position)}{row}")
        if remark:
            self._remarks.append(CellRemark(row, name, remark))

    def finish(self) -> RawChunk:
        """A chunk of the rows added so far."""
        return make_chunk(
            self._table.columns,
            self._numbers,
            self._values,
            sheet=self._table.sheet.name,
            remarks=self._remarks,
            hidden=frozenset(self._hidden),
            stored_numbers=self._stored,
        )


def _unmistakable(text: str | None) -> str | None:
    """A stored number, with the unit of its format or without, whose point no column takes for a
    thousands separator.
    """
    number, space, unit = (text or "").partition(" ")
    return f"{unambiguous(number)}{space}{unit}" or None


def _is_empty_text(name: str, cell: Cell) -> bool:
    """Whether a cell says FALSE where a text is wanted: so Odoo writes that there is none.

    Not in the column of codes, where Excel may have turned a code into it.
    """
    is_text = name not in _NUMBERS and name.partition("+")[0] != Field.CODE
    return cell.kind == "logical value" and cell.text == "FALSE" and is_text


def _remark(name: str, cell: Cell, place: str) -> str | None:
    """What is wrong with a cell by its kind, which its text does not show; None if nothing is."""
    if not cell.kind or cell.kind == "error":
        return None
    if cell.kind == "formula":
        return f"cell {place} holds a formula without a stored result; open the file in Excel and save it"
    if name == Field.CODE:
        if cell.kind == "long number":
            return f"cell {place} holds a number of {len(cell.text or '')} digits, of which Excel keeps only 15; enter the codes again in a column formatted as text"
        return f"cell {place} holds a {cell.kind} ({cell.text}), perhaps a code that Excel has turned into one; format the column as text and enter the code again"
    if name in _NUMBERS and cell.kind != "long number":
        return f"cell {place} holds a {cell.kind} ({cell.text}), not a number; Excel may have turned the number into one"
    return None
