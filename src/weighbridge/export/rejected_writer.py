"""Writes the rejected rows of a catalogue, and the notes on the others, to CSVs for its owner to
fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.export.csv_writer import open_csv, write_csv_line
from weighbridge.export.files import PendingFile, explaining

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from weighbridge.domain.products import RejectedRow, RowNote
    from weighbridge.export.columns import Cell

HEADER = ("row", "field", "reason", "code", "sheet", "column")
NOTES_HEADER = (*HEADER, "found")


def rejected_cells(row: RejectedRow) -> tuple[Cell, ...]:
    """The cells of a rejected row, in the order of HEADER."""
    return (row.row, row.field, row.reason, row.code, row.sheet, row.column)


def note_cells(note: RowNote) -> tuple[Cell, ...]:
    """The cells of a note, in the order of NOTES_HEADER."""
    return (note.row, note.field, note.reason, note.code, note.sheet, note.column, note.found)


def write_rejected(path: Path, rows: Iterable[RejectedRow]) -> int:
    """Write a CSV with one line per rejected row; returns how many rows there were.

    On an error a file that was there before stays as it was.
    """
    return _write_lines(path, HEADER, map(rejected_cells, rows))


def write_notes(path: Path, notes: Iterable[RowNote]) -> int:
    """Write a CSV with one line per note; returns how many notes there were.

    On an error a file that was there before stays as it was.
    """
    return _write_lines(path, NOTES_HEADER, map(note_cells, notes))


def _write_lines(
    path: Path, header: Sequence[str], lines_of_cells: Iterable[tuple[Cell, ...]]
) -> int:
    """Write the lines and return how many; on an error the old file stays as it was."""
    count = 0
    with explaining(path):
        pending = PendingFile(path)
        try:
            file, lines = open_csv(pending.path)
            with file:
                write_csv_line(lines, header)
                for cells in lines_of_cells:
                    write_csv_line(lines, cells)
                    count += 1
            pending.commit()
        finally:
            pending.discard()
    return count
