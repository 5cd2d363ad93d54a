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
    """A rejected row under HEADER."""
    return (row.row, row.field, row.reason, row.code, row.sheet, row.column)


def note_cells(note: RowNote) -> tuple[Cell, ...]:
    """A note under NOTES_HEADER."""
    return (note.row, note.field, note.reason, note.code, note.sheet, note.column, note.found)


def write_rejected(path: Path, rows: Iterable[RejectedRow]) -> int:
    """Write one line per rejected row and return how many there were.

    Whole or not at all, as every file here.
    """
    return _write(path, HEADER, map(rejected_cells, rows))


def write_notes(path: Path, notes: Iterable[RowNote]) -> int:
    """The same for notes."""
    return _write(path, NOTES_HEADER, map(note_cells, notes))


def _write(path: Path, header: Sequence[str], lines_of_cells: Iterable[tuple[Cell, ...]]) -> int:
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
