"""Looks into the ZIP package of a workbook before the reader does: is it whole, and is it safe to unpack?

A few kilobytes can unpack to gigabytes, or name one cell at the far corner of the sheet so that a reader reserves memory for all cells between.
Everything is counted by really unpacking it, piece by piece: the sizes written in a ZIP file may lie.
"""

from __future__ import annotations

import copy
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Final

from weighbridge.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_UNPACKED_BYTES: Final = 1 << 30
MAX_RATIO: Final = 200
"""Real workbooks unpack to 5 to 60 times their size."""
RATIO_MATTERS_ABOVE_BYTES: Final = 64 << 20
MAX_CELLS: Final = 50_000_000
"""Rows × columns of a sheet; the reader takes about 30 bytes for each, used or not."""

_PIECE_BYTES: Final = 1 << 20
_OVERLAP_BYTES: Final = 256
_CELL: Final = re.compile(
    rb"""<(?:\w+:)?c\b[^>]*?\sr\s*=\s*["']([A-Za-z]{1,3})([0-9]{1,7})["'][^>]*(?<!/)>"""
)


def check_package(path: Path) -> None:
    """Raises UnreadableFile for a package that is damaged, or too large to be read with safety."""
    try:
        with zipfile.ZipFile(path) as package:
            _check_members(package, path.stat().st_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFile(
            f"The XLSX file is damaged or not complete ({error}). Save it again in the program that made it."
        ) from error


def _check_members(package: zipfile.ZipFile, packed_bytes: int) -> None:
    unpacked_bytes = 0
    for member in package.infolist():
        member_bytes = 0
        extent = _Extent()
        is_sheet = "worksheets/" in member.filename
        for piece in _pieces(package, member):
            member_bytes += len(piece)
            unpacked_bytes += len(piece)
            if unpacked_bytes > MAX_UNPACKED_BYTES:
                raise UnreadableFile(
                    f"The XLSX file unpacks to more than {MAX_UNPACKED_BYTES >> 20:,} MB. Save the sheet as CSV: it is read at any size."
                )
            if unpacked_bytes > max(RATIO_MATTERS_ABOVE_BYTES, MAX_RATIO * packed_bytes):
                raise UnreadableFile(
                    f"The XLSX file unpacks to more than {MAX_RATIO} times its size, as no real workbook does. Save the sheet as CSV."
                )
            if is_sheet:
                extent.include(piece)
        if member_bytes != member.file_size:
            raise UnreadableFile(
                f"The XLSX file is damaged: {member.filename} does not have the size that the file states."
            )
        if extent.cells > MAX_CELLS:
            raise UnreadableFile(
                f"A sheet of the XLSX file spans {extent.cells:,} cells, more than {MAX_CELLS:,}."
                " Remove stray cells far from the table, or save the sheet as CSV."
            )


def _pieces(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpacks to the real end of the data; zipfile by itself stops at the stated size."""
    unbounded = copy.copy(member)
    unbounded.file_size = MAX_UNPACKED_BYTES + 1
    checksum = 0
    with package.open(unbounded) as file:
        file._expected_crc = None  # type: ignore[attr-defined]
        while piece := file.read(_PIECE_BYTES):
            checksum = zlib.crc32(piece, checksum)
            yield piece
    if checksum != member.CRC:
        raise zipfile.BadZipFile(f"{member.filename} does not match its checksum")


class _Extent:
    """The far corner of a sheet, collected from the cell references in its XML."""

    def __init__(self) -> None:
        self._rows = 0
        self._columns = 0
        self._tail = b""

    def include(self, piece: bytes) -> None:
        text = self._tail + piece
        found = _CELL.findall(text)
        if found:
            self._rows = max(self._rows, max(int(row) for _, row in found))
            self._columns = max(
                self._columns, max(map(_column_number, {column for column, _ in found}))
            )
        self._tail = text[-_OVERLAP_BYTES:]

    @property
    def cells(self) -> int:
        return self._rows * self._columns


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
