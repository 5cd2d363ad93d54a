"""Writes the rejected rows of a catalogue to a CSV for its owner to fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.export.csv_writer import open_csv, write_csv_line
from weighbridge.export.files import PendingFile, explaining

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from weighbridge.domain.products import RejectedRow

HEADER = ("row", "field", "reason", "code")


def write_rejected(path: Path, rows: Iterable[RejectedRow]) -> int:
    """Write one line per rejected row and return how many there were. Written completely or not at all."""
    count = 0
    with explaining(path):
        pending = PendingFile(path)
        try:
            file, lines = open_csv(pending.path)
            with file:
                write_csv_line(lines, HEADER)
                for row in rows:
                    write_csv_line(lines, (row.row, row.field, row.reason, row.code))
                    count += 1
            pending.commit()
        finally:
            pending.discard()
    return count
