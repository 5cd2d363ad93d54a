"""Writes CSV: one line per product, for spreadsheets and scripts. UTF-8, commas, quotes where
needed.

`write_csv_line` writes every line of results, rejected rows and notes, and neutralises text that a
spreadsheet would run.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Protocol

from typing_extensions import override

from weighbridge.export.cells import neutral_text, plain_number
from weighbridge.export.columns import Cell, columns_of
from weighbridge.export.files import FileWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from weighbridge.export.base import ResultRow
    from weighbridge.steps.shown import ShownField


class LineWriter(Protocol):
    """What `csv.writer` returns, as far as we use it."""

    def writerow(self, row: Iterable[str], /) -> object:
        """Write one line."""
        ...


def open_csv(path: Path, *, byte_order_mark: bool = False) -> tuple[IO[str], LineWriter]:
    """(a new CSV file, the writer of its lines). The caller closes the file.

    With a byte order mark Excel reads the file as UTF-8 instead of the machine's own encoding.
    """
    file = path.open("w", encoding="utf-8-sig" if byte_order_mark else "utf-8", newline="")
    return file, csv.writer(file, lineterminator="\n")


def write_csv_line(lines: LineWriter, cells: Iterable[Cell]) -> None:
    """Write one line: text neutralised, numbers in plain digits, times in ISO 8601, None empty."""
    lines.writerow([_as_text(cell) for cell in cells])


def _as_text(cell: Cell) -> str:
    """The text of a cell: "" for None, times in UTC, texts neutralised against formulas."""
    match cell:
        case None:
            return ""
        case str():
            return neutral_text(cell)
        case datetime():
            return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return plain_number(cell)


class CsvWriter(FileWriter):
    """Writes products to a CSV file, in the columns of `columns.py`."""

    _file: IO[str]
    _lines: LineWriter

    def __init__(
        self, path: Path, fields: Sequence[ShownField], *, byte_order_mark: bool = False
    ) -> None:
        self._byte_order_mark = byte_order_mark
        super().__init__(path, fields)

    @override
    def _start(self, path: Path) -> None:
        self._columns = columns_of(self._fields)
        self._file, self._lines = open_csv(path, byte_order_mark=self._byte_order_mark)
        write_csv_line(self._lines, [column.name for column in self._columns])

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        for row in rows:
            write_csv_line(self._lines, [column.value(row) for column in self._columns])

    @override
    def _finish(self) -> None:
        self._file.close()

    @override
    def _abandon(self) -> None:
        self._file.close()
