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

MAX_TEXT_BYTES: Final = 512 << 20
"""Text of all cells. Cells share a text by its number, but the reader makes a copy for each."""

_PIECE_BYTES: Final = 1 << 20
_OVERLAP_BYTES: Final = 256
_CELL: Final = re.compile(
    rb"""<(?:\w+:)?c\b[^>]*?\sr\s*=\s*["']([A-Za-z]{1,3})([0-9]{1,7})["'][^>]*(?<!/)>"""
)


_SHARED: Final = re.compile(rb"""\st\s*=\s*["']s["']""")
_SHARED_NUMBER: Final = re.compile(
    rb"""\st\s*=\s*["']s["'][^>]*>\s*<(?:\w+:)?v[^>]*>\s*([0-9]{1,9})\s*<"""
)
_END_OF_TEXT: Final = re.compile(rb"</(?:\w+:)?si\s*>")


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
    texts = _Texts()
    # The texts first: the sheets refer to them.
    for member in sorted(package.infolist(), key=lambda member: not _has_texts(member)):
        member_bytes = 0
        extent = _Extent()
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
            if _has_texts(member):
                texts.include(piece)
            else:
                extent.include(piece)
                texts.count(piece)
        if member_bytes != member.file_size:
            raise UnreadableFile(
                f"The XLSX file is damaged: {member.filename} does not have the size that the file states."
            )
        if extent.cells > MAX_CELLS:
            raise UnreadableFile(
                f"A sheet of the XLSX file spans {extent.cells:,} cells, more than {MAX_CELLS:,}."
                " Remove stray cells far from the table, or save the sheet as CSV."
            )
        if texts.shown_bytes > MAX_TEXT_BYTES:
            raise UnreadableFile(
                f"The cells of the XLSX file hold more than {MAX_TEXT_BYTES >> 20:,} MB of text. Save the sheet as CSV: it is read at any size."
            )


def _has_texts(member: zipfile.ZipInfo) -> bool:
    return member.filename.lower().endswith("sharedstrings.xml")


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


class _Texts:
    """The texts that cells share, and how much the sheets show of them, counted again for each cell that does."""

    def __init__(self) -> None:
        self.shown_bytes = 0
        self._sizes: list[int] = []
        self._longest = 0
        self._open_bytes = 0
        self._tail = b""

    def include(self, piece: bytes) -> None:
        """Note how long each text is, with its markup: never less than the text itself."""
        text = self._tail + piece
        start = 0
        for end in _END_OF_TEXT.finditer(text):
            self._sizes.append(self._open_bytes + end.end() - start)
            self._longest = max(self._longest, self._sizes[-1])
            start, self._open_bytes = end.end(), 0
        kept = min(len(text) - start, _OVERLAP_BYTES)
        self._open_bytes += len(text) - start - kept
        self._tail = text[len(text) - kept :]

    def count(self, piece: bytes) -> None:
        """Add what the cells in a piece of a sheet show. One that says it in an unusual way counts as the longest."""
        if not self._sizes:
            return
        found = _SHARED_NUMBER.findall(piece)
        odd = len(_SHARED.findall(piece)) - len(found)
        self.shown_bytes += odd * self._longest
        self.shown_bytes += sum(
            self._sizes[number] for number in map(int, found) if number < len(self._sizes)
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
