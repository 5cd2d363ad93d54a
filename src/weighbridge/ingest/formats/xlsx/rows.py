"""The rows of a sheet as a stream: only the wanted columns are kept, so a far cell costs nothing.

Theory of operation: expat calls `_Rows` for every tag; finished rows pile up for one piece of XML
(64 kB) and are drawn by `rows`. A cell's text is made by `_Cells`, which knows the workbook's texts
and formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from weighbridge.errors import UnreadableFile
from weighbridge.ingest.formats.xlsx.numbers import (
    MAX_WHOLE_DIGITS,
    PLAIN,
    as_percent,
    in_thousands,
    plain_number,
    shown_date,
    shown_number,
)
from weighbridge.ingest.formats.xlsx.package import XmlHandler, parse
from weighbridge.ingest.formats.xlsx.workbook import unescape
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.ingest.formats.xlsx.workbook import Sheet, Workbook

MAX_ROWS: Final = 1_048_576
MAX_COLUMNS: Final = 16_384
MAX_CELL_CHARACTERS: Final = 32_767
"""The most characters of a cell; this and `MAX_COLUMNS` are Excel's own limits
(https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3).
"""
MAX_SPAN: Final = 50_000_000
"""The most cells, filled or empty, of the area that a mostly empty sheet uses."""
_SPARSE: Final = 1_000
"""A sheet is mostly empty if fewer than one cell in this many is filled."""
_MAX_MERGED: Final = 200_000
_REFERENCE: Final = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")


@dataclass(slots=True)
class Cell:
    """A cell as Excel shows it.

    `exact` is a number with the zeros that its format adds, as a product code needs them. `kind`
    says what the cell holds if that is not a plain text or number. `remark` says what is wrong with
    it. `number` is a stored number without the unit that its format adds; `currency` is the code of
    the currency that the format adds.
    """

    text: str | None
    exact: str | None = None
    kind: str = ""
    remark: str | None = None
    number: str | None = None
    currency: str | None = None

    @property
    def unreadable(self) -> str | None:
        """Why the value of a cell that is not empty is unknown, and what to do; None where it is
        known.
        """
        if self.kind == "formula":
            return "the cell holds a formula without a stored result; open the file in Excel and save it, or write the value itself"
        return self.remark


@dataclass(slots=True)
class SheetRow:
    """A row by Excel's number; cells by column, the first is 0."""

    number: int
    is_hidden: bool
    cells: dict[int, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merged:
    """A range of merged cells; its value is stored in the first cell only."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


def column_letters(position: int) -> str:
    """The letters of a column by its position from 0: A, B, …, XFD."""
    letters, number = "", position + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _column_number(letters: str) -> int:
    """The position of a column, from 0, by its letters."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def rows(book: Workbook, sheet: Sheet, wanted: frozenset[int] | None = None) -> Iterator[SheetRow]:
    """The rows with a filled cell in the wanted columns (None: in any).

    Raises UnreadableFile naming sheet and cell.
    """
    handler = _Rows(book, sheet.name, wanted)
    for _ in parse(book.package, sheet.member, handler):
        done, handler.done = handler.done, []
        yield from done
    handler.check_span()


def merged_ranges(book: Workbook, sheet: Sheet) -> list[Merged]:
    """The merged ranges of a sheet.

    They stand behind the rows, so the bytes are searched first: parsing takes longer.
    """
    tail, seen = b"", False
    for piece in book.package.pieces(sheet.member):
        seen = seen or b"mergeCell" in tail + piece
        tail = piece[-16:]
    if not seen:
        return []
    handler = _MergedRanges()
    for _ in parse(book.package, sheet.member, handler):
        pass
    return handler.found


class _MergedRanges(XmlHandler):
    """Collects the merged ranges of a sheet in `found`."""

    def __init__(self) -> None:
        self.found: list[Merged] = []
        self.starts = {"mergeCell": self._add}

    def _add(self, attributes: dict[str, str]) -> None:
        if len(self.found) < _MAX_MERGED:
            ends = [_REFERENCE.fullmatch(end) for end in attributes.get("ref", "").split(":")]
            if len(ends) == 2 and ends[0] and ends[1]:
                (left, top), (right, bottom) = ends[0].groups(), ends[1].groups()
                self.found.append(
                    Merged(int(top), int(bottom), _column_number(left), _column_number(right))
                )


class _Rows(XmlHandler):
    """Collects the rows of a sheet in `done`, as far as they are parsed."""

    def __init__(self, book: Workbook, sheet: str, wanted: frozenset[int] | None) -> None:
        self.done: list[SheetRow] = []
        self._cells = _Cells(book)
        self._sheet = sheet
        self._wanted = wanted
        self._row = SheetRow(0, is_hidden=False)
        self._columns: dict[str, int] = {}
        self._column = -1
        self._attributes: dict[str, str] = {}
        self._takes = False
        self._is_kept = False
        self._has_formula = self._has_value = self._is_aid = False
        self._stored = ""
        self._filled = 0
        self._last = (0, 0)
        self._farthest = (0, 0)
        self.starts = {
            "c": self._begin_cell,
            "v": self._begin_value,
            "t": self._begin_text,
            "f": self._begin_formula,
            "row": self._begin_row,
            "rPh": self._begin_aid,
        }
        self.ends = {
            "c": self._end_cell,
            "v": self._end_value,
            "t": self._end_value,
            "row": self._end_row,
            "rPh": self._end_aid,
        }

    def _begin_value(self, _: dict[str, str]) -> None:
        self._takes = self._has_value = self._is_kept

    def _begin_text(self, _: dict[str, str]) -> None:
        self._takes = self._has_value = self._is_kept and not self._is_aid

    def _end_value(self) -> None:
        self._takes = False

    def _begin_formula(self, _: dict[str, str]) -> None:
        self._has_formula = True

    def _begin_aid(self, _: dict[str, str]) -> None:
        self._is_aid = True

    def _end_aid(self) -> None:
        self._is_aid = False

    def _end_row(self) -> None:
        if self._row.cells:
            self.done.append(self._row)

    @override
    def text(self, text: str) -> None:
        if self._takes and len(self._stored) <= MAX_CELL_CHARACTERS:
            self._stored += text

    def _begin_row(self, attributes: dict[str, str]) -> None:
        """Start a row with the number it says, or the next one; raises UnreadableFile if
        impossible.
        """
        said = attributes.get("r")
        number = self._row.number + 1 if said is None else _digits_as_int(said)
        if not 1 <= number <= MAX_ROWS:
            raise UnreadableFile(
                f"Sheet {quote(self._sheet)} has an impossible row number, {quote(str(said))}: the file is damaged. Save it again in the program that made it."
            )
        self._row = SheetRow(number, attributes.get("hidden") in ("1", "true"))
        self._column = -1

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        """Start a cell where it says, or beside the last one.

        Raises:
            UnreadableFile: it lies beyond MAX_COLUMNS.
        """
        said = attributes.get("r")
        self._column = self._column + 1 if said is None else self._place(said)
        if self._column >= MAX_COLUMNS:
            raise UnreadableFile(
                f"Sheet {quote(self._sheet)} has more than {MAX_COLUMNS:,} columns in row "
                f"{self._row.number:,}. Remove the columns that you do not need, or save the sheet as "
                "CSV."
            )
        self._attributes = attributes
        self._is_kept = self._wanted is None or self._column in self._wanted
        self._has_formula = self._has_value = False
        self._stored = ""

    def _place(self, reference: str) -> int:
        """The column of a reference like "B7"."""
        letters = reference.rstrip("0123456789")
        found = self._columns.get(letters)
        if found is None:
            if not _REFERENCE.fullmatch(reference):
                raise UnreadableFile(
                    f"Sheet {quote(self._sheet)} has an impossible cell reference, {quote(reference)}: the file is damaged. Save it again in the program that made it."
                )
            found = self._columns[letters] = _column_number(letters)
        return found

    def _end_cell(self) -> None:
        """Add the cell to its row if it is filled and in a wanted column; count it if filled."""
        if not (self._has_value or self._has_formula) and self._is_kept:
            return
        self._filled += 1
        number = self._row.number
        if self._column >= self._farthest[1]:
            self._farthest = number, self._column
        if number >= self._last[0]:
            self._last = number, self._column
        if not self._is_kept:
            return
        if len(self._stored) > MAX_CELL_CHARACTERS:
            cell: Cell | None = Cell(
                None,
                remark=f"the cell has more than {MAX_CELL_CHARACTERS:,} characters, which is all that Excel can hold; shorten it",
            )
        else:
            cell = self._cells.make(
                self._attributes,
                self._stored,
                has_formula=self._has_formula,
                has_value=self._has_value,
            )
        if cell is not None:
            self._row.cells[self._column] = cell

    def check_span(self) -> None:
        """Raises UnreadableFile if a cell lies far from all others.

        It is a slip, or an attack on readers that keep room for all cells in between.
        """
        span = self._last[0] * (self._farthest[1] + 1)
        if span <= MAX_SPAN or span <= self._filled * _SPARSE:
            return
        far = {f"{column_letters(column)}{row}" for row, column in (self._last, self._farthest)}
        raise UnreadableFile(
            f"Sheet {quote(self._sheet)} spans {span:,} cells, of which {self._filled:,} are "
            f"filled: {' and '.join(sorted(far))} {'lies' if len(far) == 1 else 'lie'} far from "
            "the table. Delete what is there, or save the sheet as CSV."
        )


def _digits_as_int(text: str) -> int:
    """The value of up to seven digits; 0 for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


class _Cells:
    """Makes cells from their XML, with the workbook's shared texts and formats."""

    def __init__(self, book: Workbook) -> None:
        self._texts = book.texts
        self._formats = book.formats
        self._since_1904 = book.since_1904

    def make(
        self, attributes: dict[str, str], stored: str, *, has_formula: bool, has_value: bool
    ) -> Cell | None:
        """The cell from its element's attributes and stored text; None for an empty one."""
        kind = attributes.get("t", "n")
        if kind == "s":
            return self._cell_of_shared_text(stored.strip())
        if not stored:
            if has_formula and not (kind == "str" and has_value):
                return Cell(None, kind="formula")
            return None
        if kind in ("str", "inlineStr"):
            return Cell(unescape(stored))
        if kind == "b":
            shown = "TRUE" if stored.strip() in ("1", "true") else "FALSE"
            return Cell(shown, kind="logical value")
        if kind == "e":
            return Cell(stored, kind="error")
        if kind == "d":
            return Cell(stored, kind="date")
        return self._cell_of_number(stored.strip(), attributes.get("s"))

    def _cell_of_shared_text(self, stored: str) -> Cell | None:
        """The cell of the shared text with this number; None for an empty one."""
        if not stored:
            return None
        is_number = stored.isascii() and stored.isdigit() and len(stored) < 10
        number = int(stored) if is_number else -1
        if not 0 <= number < len(self._texts):
            return Cell(
                None,
                remark=f"the cell refers to shared text {quote(stored)}, which the workbook does not have; open the damaged file in Excel, correct this cell, and save it again",
            )
        text = self._texts[number]
        if len(text) > MAX_CELL_CHARACTERS:
            return Cell(
                None,
                remark=f"the cell has {len(text):,} characters, more than the {MAX_CELL_CHARACTERS:,} that Excel can hold; shorten it",
            )
        return Cell(text) if text else None

    def _cell_of_number(self, stored: str, style: str | None) -> Cell:
        """The cell of a stored number: a date, or a number with the zeros or unit of its format.

        `style` is the index of its format.
        """
        number = _digits_as_int(style) if style else 0
        shape = self._formats[number] if number < len(self._formats) else PLAIN
        if shape.is_date:
            found = shown_date(stored, since_1904=self._since_1904)
            if found:
                return Cell(found[1], kind=found[0])
        text = plain_number(stored)
        if text.isdigit() and len(text) > MAX_WHOLE_DIGITS:
            return Cell(text, kind="long number")
        shown = shown_number(stored, shape.pattern) if shape.pattern else None
        if shape.is_percent:
            return Cell(as_percent(stored), shown, number=text)
        if shape.unit:
            return Cell(f"{in_thousands(stored, shape.thousands)} {shape.unit}", shown, number=text)
        return Cell(text, shown, number=text, currency=shape.currency)
