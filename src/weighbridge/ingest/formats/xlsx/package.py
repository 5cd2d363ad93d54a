"""The ZIP package of a workbook, and a bounded way to read the XML in it.

A few kilobytes can unpack to gigabytes or to a document that no parser survives. The stated sizes
are added up before anything is unpacked; `zipfile` never unpacks more of a member than the size it
states and checks its checksum, so a size that lies ends as damage. `parse` bounds what the XML
itself can cost: no DOCTYPE (hence no entities), no deep nesting, no endless tags, no endless supply
of new names.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar
from xml.parsers import expat

from weighbridge.errors import UnreadableFile
from weighbridge.zip_archives import ZIP_DAMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

MAX_UNPACKED_BYTES: Final = 1 << 30
MAX_RATIO: Final = 200
"""The most that a workbook may unpack to, as a multiple of its size; real ones unpack to 5 to 60
times.
"""
RATIO_MATTERS_ABOVE_BYTES: Final = 64 << 20
"""A workbook that unpacks to less than this may exceed `MAX_RATIO`."""
MAX_DIRECTORY_BYTES: Final = 8 << 20
"""The most bytes of a workbook's list of parts; a workbook of a thousand sheets has about 100 kB.
"""
_PIECE_BYTES: Final = 1 << 16
_MAX_TAG_BYTES: Final = 4 << 20
_MAX_DEPTH: Final = 64
_MAX_NAMES: Final = 10_000
_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252"})
"""The encodings of XML that are accepted; Python's codecs for others may raise any error."""
_SPREADSHEET_NAMESPACES: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_DAMAGE: Final = (*ZIP_DAMAGE, expat.ExpatError)


class Package:
    """An opened package.

    Raises UnreadableFile for one that is damaged, or too large to be read with safety.
    """

    def __init__(self, path: Path) -> None:
        with damaged_means_unreadable():
            self._zip = zipfile.ZipFile(path)
            self._members = {name.filename.lower(): name for name in self._zip.infolist()}
            _check_sizes(self._zip.infolist(), path.stat().st_size)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._members

    def pieces(self, name: str) -> Iterator[bytes]:
        """The unpacked bytes of a member."""
        member = self._members.get(name.lower())
        if member is None:
            raise UnreadableFile(
                f"The XLSX file is damaged: {name} is missing. Save it again in the program that made it."
            )
        with damaged_means_unreadable(), self._zip.open(member) as file:
            left = member.file_size
            while piece := file.read(_PIECE_BYTES):
                left -= len(piece)
                yield piece
            if left:
                raise zipfile.BadZipFile(f"{member.filename} is shorter than it states")


def check_directory(path: Path) -> None:
    """Raises UnreadableFile for a ZIP whose list of parts is longer than any workbook's.

    Only the end records are read, as in 4.3.14 and 4.3.16 of
    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES))
        tail = file.read(_END_BYTES)
    stated = 0
    for mark, at, length in ((b"PK\x05\x06", 12, 4), (b"PK\x06\x06", 40, 8)):
        begins = tail.rfind(mark)
        if begins >= 0:
            number = int.from_bytes(tail[begins + at : begins + at + length], "little")
            stated = max(stated, 0 if number == _SEE_ZIP64 else number)
    if min(stated, size) > MAX_DIRECTORY_BYTES:
        raise UnreadableFile(
            f"The list of parts in the XLSX file or ZIP archive takes more than "
            f"{MAX_DIRECTORY_BYTES >> 20} MB, more than any real workbook needs. Save the sheet as CSV."
        )


_END_BYTES: Final = 66_000
"""The most bytes that a ZIP file's end record, its zip64 companions and the longest comment take.
"""
_SEE_ZIP64: Final = 0xFFFF_FFFF
"""Stands in a ZIP file's end record in place of a number that is in the zip64 end record."""


@contextmanager
def damaged_means_unreadable() -> Iterator[None]:
    """Context manager that turns the errors of zipfile and expat into UnreadableFile."""
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableFile(
            f"The XLSX file is damaged or not complete ({error}). Save it again in the program "
            "that made it."
        ) from error


def _check_sizes(members: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    """Refuse a workbook that unpacks to too much, before anything is unpacked.

    Raises:
        UnreadableFile: its stated sizes are too large, in bytes or as a multiple of the file.
        zipfile.BadZipFile: a member is compressed in a way that Excel never writes.
    """
    unpacked_bytes = sum(member.file_size for member in members)
    for member in members:
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise zipfile.BadZipFile(
                f"{member.filename} is compressed by a method that Excel does not use"
            )
    if unpacked_bytes > MAX_UNPACKED_BYTES:
        raise UnreadableFile(
            f"The XLSX file unpacks to more than {MAX_UNPACKED_BYTES >> 20:,} MB. Save the sheet "
            "as CSV: it is read at any size."
        )
    if unpacked_bytes > max(RATIO_MATTERS_ABOVE_BYTES, MAX_RATIO * packed_bytes):
        raise UnreadableFile(
            f"The XLSX file unpacks to more than {MAX_RATIO} times its size, as no real workbook "
            "does. Save the sheet as CSV."
        )


class XmlHandler:
    """The functions that `parse` calls at the start and end of elements, by the element's name.

    Other elements are passed over. Names are without namespace; elements of foreign namespaces have
    a space in their name.
    """

    starts: Mapping[str, Callable[[dict[str, str]], None]] = MappingProxyType({})
    ends: Mapping[str, Callable[[], None]] = MappingProxyType({})

    def text(self, text: str) -> None:
        """Called with a piece of the text inside an element."""


Called = TypeVar("Called")


class _ByFullName(dict[str, Called | None]):
    """The function to call for an element, or None, by the element's name with its namespace.

    There are millions of tags, so each name is split only once.
    """

    def __init__(self, by_name: Mapping[str, Called]) -> None:
        self._by_name = by_name

    def __missing__(self, name: str) -> Called | None:
        space, _, local = name.rpartition(" ")
        self[name] = self._by_name.get(local if space in _SPREADSHEET_NAMESPACES else name)
        return self[name]


def parse(package: Package, member: str, handler: XmlHandler) -> Iterator[None]:
    """Parses the XML of a member, calling the handler; yields None after each piece, so that the
    caller can collect what was found.

    Raises UnreadableFile for XML that is damaged or made to exhaust the parser.
    """
    names: dict[str, str] = {}
    starts, ends = _ByFullName(handler.starts), _ByFullName(handler.ends)
    parser = expat.ParserCreate(namespace_separator=" ", intern=names)
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise _hostile(member, "is nested too deeply")
        begin = starts[name]
        if begin is not None:
            begin(attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        finish = ends[name]
        if finish is not None:
            finish()

    def doctype(*_: object) -> None:
        raise _hostile(member, "declares a document type, as no real workbook does")

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise _hostile(member, f"is written in {encoding[:40]!r}, as no real workbook is")

    parser.XmlDeclHandler = declaration
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = doctype
    fed = 0
    for piece in package.pieces(member):
        fed += len(piece)
        with damaged_means_unreadable():
            parser.Parse(piece, False)
        if fed - parser.CurrentByteIndex > _MAX_TAG_BYTES or len(names) > _MAX_NAMES:
            raise _hostile(member, "has longer or more tags than any real workbook")
        yield
    with damaged_means_unreadable():
        parser.Parse(b"", True)
    yield


def parse_whole(package: Package, member: str, handler: XmlHandler) -> None:
    """Parses the XML of a whole member, calling the handler."""
    for _ in parse(package, member, handler):
        pass


def _hostile(member: str, fault: str) -> UnreadableFile:
    """The error for a member that no real workbook has; `fault` completes the sentence."""
    return UnreadableFile(
        f"The XLSX file is damaged: {member} {fault}. Save it again in the program that made it."
    )
