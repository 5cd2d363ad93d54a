"""Writes sheets of a workbook row by row; a full sheet is continued in a further one.

One row of a sheet is in memory at a time (xlsxwriter's constant_memory), so several sheets can grow
side by side. Text is always written as text, unchanged: no cell ever becomes a formula or a link.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.export.cells import looks_like_formula, writable_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.export.columns import Cell

ROWS_PER_SHEET: Final = 1_048_575  # Excel's 1,048,576 less the header
EMISSIONS: Final = "emissions"
"""Stands in place of a number format for masses of CO2e, shown with two significant digits."""
_PAPER_A4: Final = 9
_SMALLEST_PLAIN_KG: Final = 0.0001
_TONNES_FROM_KG: Final = 100
_KILOTONNES_FROM_KG: Final = 100_000
_FILL: Final = "#E7EEF0"
_RIGHT: Final[dict[str, Any]] = {"align": "right", "indent": 1}
_LEFT: Final[dict[str, Any]] = {"align": "left", "indent": 1}
"""The format of cells with text; `_RIGHT` is that of numbers. Without the indent, a text touches
the number in the cell before it, and spreadsheets indent only what has an alignment.
"""
_LINE_POINTS: Final = 15
_MOST_LINES: Final = 12


class SheetColumn(NamedTuple):
    """A column: `width` in characters, `number_format` is Excel's, EMISSIONS, or None for text."""

    name: str
    width: int
    number_format: str | None = None
    is_long: bool = False  # text that is wrapped
    is_alarm: bool = False  # whatever stands in it but "no" is shown in red


def emissions_format(kg: float) -> str:
    """The number format that shows a mass of so many kg with two significant digits: 0.077 kg,
    12 kg, 0.45 t, 12 t.

    A number format cannot round to tens, so a larger unit is used instead.
    """
    shown = abs(float(f"{kg:.1e}"))
    if shown == 0:
        return '0" kg"'
    if shown < _SMALLEST_PLAIN_KG:
        return '0.0E+00" kg"'
    for unit, per_unit, thousands in (("kg", 1, ""), ("t", 1e3, ","), ("kt", 1e6, ",,")):
        limit = {"kg": _TONNES_FROM_KG, "t": _KILOTONNES_FROM_KG}.get(unit, math.inf)
        if shown < limit:
            decimals = max(1 - math.floor(math.log10(shown / per_unit)), 0)
            return f'{"0." + "0" * decimals if decimals else "#,##0"}{thousands}" {unit}"'
    raise AssertionError(kg)


class Styles:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def style(self, **properties: Any) -> Any:
        """A format with these properties, on top of those that all cells have."""
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format({"valign": "top", **properties})
        return self._made[key]

    def header(self, *, is_number: bool = False) -> Any:
        """The format of the cells in a table's header."""
        side = _RIGHT if is_number else _LEFT
        return self.style(bold=True, bg_color=_FILL, bottom=1, text_wrap=True, **side)

    def text(self, text: str, **properties: Any) -> Any:
        """A format for this text; what looks like a formula stays text when somebody edits it."""
        if looks_like_formula(text):
            properties |= {"quote_prefix": True, "num_format": "@"}
        return self.style(**properties)


def write_cell(
    sheet: Any, styles: Styles, row: int, position: int, column: SheetColumn, value: Cell
) -> None:
    """Write one cell by its column; None, and numbers that a cell cannot hold, are left empty."""
    match value:
        case None:
            return
        case str() as text:
            shown: dict[str, Any] = {**_LEFT, "text_wrap": column.is_long}
            if column.is_alarm and text != "no":
                shown |= {"bold": True, "font_color": "#B00020"}
            sheet.write_string(row, position, writable_text(text), styles.text(text, **shown))
        case datetime() as moment:
            # Excel knows no time zones; the column says UTC.
            local = moment.astimezone(UTC).replace(tzinfo=None)
            sheet.write_datetime(
                row, position, local, styles.style(num_format=column.number_format)
            )
        case number if not math.isfinite(number):
            return
        case number:
            number_format = column.number_format or "General"
            if number_format == EMISSIONS:
                number_format = emissions_format(number)
            style = styles.style(num_format=number_format, **_RIGHT)
            sheet.write_number(row, position, number, style)


def set_page(sheet: Any, footer: str) -> None:
    """Set how a sheet is printed: landscape, one page wide, as many pages long as needed."""
    sheet.set_landscape()
    sheet.set_paper(_PAPER_A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.set_footer(f"&L{footer}&C&A&RPage &P of &N")


class TableSheet:
    """A table with a frozen header with filters, which is repeated on every printed page."""

    def __init__(
        self,
        book: Any,
        styles: Styles,
        name: str,
        columns: Sequence[SheetColumn],
        *,
        frozen: int = 1,
        printed: int | None = None,
        rows_per_sheet: int = ROWS_PER_SHEET,
    ) -> None:
        """Add the first sheet; `frozen` columns stay in view, the first `printed` are printed.

        On paper nobody can widen a column, so text of printed columns goes on in further lines.
        """
        self._book = book
        self._styles = styles
        self._name = name
        self._frozen = frozen
        self._printed = printed or len(columns)
        self._columns = [
            one._replace(is_long=one.number_format is None) if at < self._printed else one
            for at, one in enumerate(columns)
        ]
        self._rows_per_sheet = rows_per_sheet
        self._full_sheets = 0
        self._sheet = self._new_sheet(name)
        self._next_row = 1

    def append(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the rows of one more product, all on one sheet unless one has not enough room."""
        if len(rows) > self._room and self._next_row > 1:
            self._begin_next_sheet()
        for cells in rows:
            if self._room < 1:
                self._begin_next_sheet()
            lines = max(map(_count_lines, self._columns, cells))
            if lines > 1:  # no program works it out by itself when it opens the file
                self._sheet.set_row(self._next_row, lines * _LINE_POINTS)
            for position, (column, value) in enumerate(zip(self._columns, cells, strict=True)):
                write_cell(self._sheet, self._styles, self._next_row, position, column, value)
            self._next_row += 1

    @property
    def _room(self) -> int:
        """How many more rows the sheet can take."""
        return self._rows_per_sheet - self._next_row + 1

    def _begin_next_sheet(self) -> None:
        """Finish the sheet, and continue the table in a new one."""
        self.finish()
        self._full_sheets += 1
        self._sheet = self._new_sheet(f"{self._name} {self._full_sheets + 1}")
        self._next_row = 1

    def finish(self) -> None:
        """Set filters and print area, because no more rows follow."""
        last = max(self._next_row - 1, 1)
        self._sheet.autofilter(0, 0, last, len(self._columns) - 1)
        self._sheet.print_area(0, 0, last, self._printed - 1)

    def _new_sheet(self, name: str) -> Any:
        """A sheet with its header row, frozen and repeated on every printed page."""
        sheet = self._book.add_worksheet(name)
        set_page(sheet, "Weighbridge")
        sheet.freeze_panes(1, self._frozen)
        sheet.repeat_rows(0)
        sheet.set_row(0, 30)
        for position, column in enumerate(self._columns):
            sheet.set_column(position, position, column.width)
            style = self._styles.header(is_number=column.number_format is not None)
            sheet.write_string(0, position, column.name, style)
        return sheet


def _count_lines(column: SheetColumn, value: Cell) -> int:
    """About how many lines a cell takes when its text is wrapped."""
    if not column.is_long or not isinstance(value, str):
        return 1
    return min(sum(_lines_of(line, column.width) for line in value.split("\n")), _MOST_LINES)


def _lines_of(line: str, width: int) -> int:
    """About how many lines a text without line breaks takes in a column. A width is in digits: most
    letters are narrower, capitals are wider, and a broken line ends before it is full.
    """
    if len(line) <= width and not line.isupper():
        return 1
    return max(math.ceil(len(line) * 1.1 / width), 1)
