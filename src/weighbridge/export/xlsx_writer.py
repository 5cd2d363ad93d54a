"""XLSX: the same columns as CSV, laid out for a person, and a sheet that says what they mean.

One row is in memory at a time (xlsxwriter's constant_memory). A catalogue that is longer than a
sheet goes on in further sheets. Text is always written as text: no cell ever becomes a formula or a
link.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import xlsxwriter
from typing_extensions import override
from xlsxwriter.exceptions import FileCreateError

from weighbridge.export.cells import neutral_text
from weighbridge.export.columns import RECORDED_WARNING, SIMULATED_WARNING, Column, columns_of
from weighbridge.export.files import FileWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.export.base import ResultRow
    from weighbridge.steps.shown import ShownField

ROWS_PER_SHEET: Final = 1_048_575  # Excel's 1,048,576 less the header


class XlsxWriter(FileWriter):
    """Writes sheets `Results`, `About`, and `Results 2` and on when one is not enough."""

    _book: Any
    _sheet: Any
    _about: Any

    def __init__(
        self,
        path: Path,
        fields: Sequence[ShownField],
        rows_per_sheet: int = ROWS_PER_SHEET,
    ) -> None:
        self._rows_per_sheet = rows_per_sheet
        self._next_row = 1
        self._full_sheets = 0
        self._sources: set[tuple[str, str]] = set()
        self._factors: set[str] = set()
        self._simulated = False
        self._recorded = False
        self._columns = columns_of(fields)
        super().__init__(path, fields)

    @override
    def _start(self, path: Path) -> None:
        self._book = xlsxwriter.Workbook(
            path, {"constant_memory": True, "tmpdir": str(path.parent), "use_zip64": True}
        )
        self._header = self._book.add_format({"bold": True, "bg_color": "#E7EEF0", "bottom": 1})
        self._alarm = self._book.add_format({"bold": True, "font_color": "#B00020"})
        self._formats = [
            self._book.add_format({"num_format": column.number_format})
            if column.number_format
            else None
            for column in self._columns
        ]
        self._sheet = self._new_sheet("Results")
        self._about = self._book.add_worksheet("About")

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        for row in rows:
            if self._next_row > self._rows_per_sheet:
                self._finish_sheet()
                self._full_sheets += 1
                self._sheet = self._new_sheet(f"Results {self._full_sheets + 1}")
                self._next_row = 1
            for position, column in enumerate(self._columns):
                self._write_cell(position, column, row)
            self._remember(row)
            self._next_row += 1

    @override
    def _finish(self) -> None:
        self._finish_sheet()
        self._write_about()
        try:
            self._book.close()
        except FileCreateError as error:
            # xlsxwriter wraps what the operating system said; the caller explains it better.
            raise error.args[0] from error

    @override
    def _abandon(self) -> None:
        # xlsxwriter cannot abort. Until assembly both names refer to the same open file.
        for sheet in self._book.worksheets():
            for file in (sheet.row_data_fh, sheet.fh):
                with contextlib.suppress(OSError):
                    file.close()

    def _new_sheet(self, name: str) -> Any:
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        for position, column in enumerate(self._columns):
            sheet.set_column(position, position, column.width)
            sheet.write_string(0, position, column.name, self._header)
        return sheet

    def _finish_sheet(self) -> None:
        self._sheet.autofilter(0, 0, max(self._next_row - 1, 1), len(self._columns) - 1)

    def _write_cell(self, position: int, column: Column, row: ResultRow) -> None:
        match column.value(row):
            case None:
                return
            case str() as text:
                alarm = self._alarm if column.name == "simulated" and text != "no" else None
                self._sheet.write_string(self._next_row, position, neutral_text(text), alarm)
            case datetime() as moment:
                # Excel knows no time zones; the column says UTC.
                local = moment.astimezone(UTC).replace(tzinfo=None)
                self._sheet.write_datetime(self._next_row, position, local, self._formats[position])
            case number:
                self._sheet.write_number(self._next_row, position, number, self._formats[position])

    def _remember(self, row: ResultRow) -> None:
        """Collect what the About sheet shows."""
        self._simulated = self._simulated or row.simulated
        self._recorded = self._recorded or row.recorded
        self._sources.update((one.source, one.licence) for one in row.contributions)
        if row.provenance:
            self._factors.add(row.provenance.factors)

    def _write_about(self) -> None:
        large = self._book.add_format({"bold": True, "font_size": 14})
        large_alarm = self._book.add_format(
            {"bold": True, "font_size": 14, "font_color": "#B00020"}
        )
        self._about.set_column(0, 0, 24)
        self._about.set_column(1, 1, 28)
        self._about.set_column(2, 2, 90)
        lines: list[tuple[tuple[str, ...], Any]] = [(("Weighbridge results",), large), ((), None)]
        if self._simulated:
            lines += [((SIMULATED_WARNING,), large_alarm), ((), None)]
        if self._recorded:
            lines += [((RECORDED_WARNING,), large_alarm), ((), None)]
        factors = ", ".join(sorted(self._factors)) or "none used"
        lines += [
            (("Boundary", "cradle-to-gate", "Raw materials to finished product, per unit."), None),
            (("Characterisation", "GWP100", "All greenhouse gases, as kg CO2e."), None),
            (("Factors", factors, "Name and version of the factor table."), None),
            (
                (
                    "Rounding",
                    "4 significant digits",
                    "Applied to kg CO2e when this file was written; stored values are exact.",
                ),
                None,
            ),
            ((), None),
            (("Column", "Unit", "Meaning"), self._header),
            *(((column.name, column.unit, column.meaning), None) for column in self._columns),
            ((), None),
            (("Source of factors", "Licence"), self._header),
            *((source, None) for source in sorted(self._sources)),
        ]
        for number, (cells, style) in enumerate(lines):
            for position, text in enumerate(cells):
                self._about.write_string(number, position, neutral_text(text), style)
