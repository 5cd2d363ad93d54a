"""What a workbook says outside its sheets: their names, the texts that cells share, the formats of
numbers.
"""

from __future__ import annotations

import posixpath
import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from weighbridge.errors import UnreadableFile
from weighbridge.ingest.formats.xlsx.numbers import NumberFormat, number_format
from weighbridge.ingest.formats.xlsx.package import Package, XmlHandler, parse_whole

if TYPE_CHECKING:
    from pathlib import Path

MAX_SHARED_BYTES: Final = 200 << 20
"""The most memory that the texts shared by a workbook's cells may take."""
_MAX_SHEETS: Final = 1_000
_MAX_FORMATS: Final = 100_000
_RELATED: Final = "http://schemas.openxmlformats.org/package/2006/relationships Relationship"
_ESCAPED: Final = re.compile("_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its name, and the member of the package that holds it."""

    name: str
    member: str
    is_visible: bool


class Workbook:
    """An opened workbook: its sheets, the texts that cells share, and the formats of numbers."""

    def __init__(self, path: Path) -> None:
        """Open the workbook and read what its sheets share; `package` stays open for the sheets.

        Raises:
            UnreadableFile: it is damaged, or larger than allowed.
        """
        self.package = Package(path)
        root = _related(self.package, "_rels/.rels", "")
        member = next(
            (m for kind, m in root.values() if kind == "officeDocument"), "xl/workbook.xml"
        )
        folder, name = posixpath.split(member)
        related = _related(self.package, f"{folder}/_rels/{name}.rels", folder)
        book = _Book()
        parse_whole(self.package, member, book)
        self.since_1904 = book.since_1904
        self.sheets = tuple(
            Sheet(name, related[key][1], visible)
            for name, key, visible in book.sheets
            if key in related and related[key][0] == "worksheet"
        )
        parts = dict(related.values())
        texts, styles = SharedTexts(), _Styles()
        if "sharedStrings" in parts:
            parse_whole(self.package, parts["sharedStrings"], texts)
        if parts.get("styles", "?") in self.package:
            parse_whole(self.package, parts["styles"], styles)
        self.texts = texts
        self.formats = styles.formats()


def _related(package: Package, member: str, folder: str) -> dict[str, tuple[str, str]]:
    """The parts that a part refers to: relationship id → (kind, member of the package).

    `folder` is where relative targets begin; {} if there is no member with relationships.
    """
    handler = _Relationships(folder)
    if member in package:
        parse_whole(package, member, handler)
    return handler.found


class _Relationships(XmlHandler):
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: dict[str, tuple[str, str]] = {}
        self.starts = {_RELATED: self._take}

    def _take(self, attributes: dict[str, str]) -> None:
        if len(self.found) < _MAX_SHEETS * 2:
            target = attributes.get("Target", "")
            member = target[1:] if target.startswith("/") else f"{self._folder}/{target}"
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id", "")] = kind, posixpath.normpath(member).lstrip("/")


class _Book(XmlHandler):
    """Collects the sheets as (name, relationship id, is visible), and the calendar of dates."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.since_1904 = False
        self.starts = {"workbookPr": self._note_calendar, "sheet": self._add_sheet}

    def _note_calendar(self, attributes: dict[str, str]) -> None:
        self.since_1904 = attributes.get("date1904") in {"1", "true"}

    def _add_sheet(self, attributes: dict[str, str]) -> None:
        if len(self.sheets) >= _MAX_SHEETS:
            raise UnreadableFile(
                f"The workbook has more than {_MAX_SHEETS:,} sheets. "
                "Save the sheet that you need as a file of its own."
            )
        key = next((v for k, v in attributes.items() if k.endswith(" id")), "")
        visible = attributes.get("state", "visible") == "visible"
        self.sheets.append((attributes.get("name", ""), key, visible))


class SharedTexts(XmlHandler):
    """Collects the texts that cells refer to by index, without reading aids for East Asian texts.

    They lie end to end: a workbook has hundreds of thousands, and a string takes 50 bytes more.
    """

    def __init__(self) -> None:
        self._encoded = bytearray()
        self._ends = array("I", [0])
        self._takes = False
        self._is_aid = False
        self.starts = {"t": self._begin_text, "rPh": self._begin_aid}
        self.ends = {"t": self._end_text, "rPh": self._end_aid, "si": self._end_entry}

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        text = self._encoded[self._ends[number] : self._ends[number + 1]].decode()
        return unescape(text) if "_x" in text else text

    def _begin_text(self, _: dict[str, str]) -> None:
        self._takes = not self._is_aid

    def _end_text(self) -> None:
        self._takes = False

    def _begin_aid(self, _: dict[str, str]) -> None:
        self._is_aid = True

    def _end_aid(self) -> None:
        self._is_aid = False

    def _end_entry(self) -> None:
        self._ends.append(len(self._encoded))
        self._check_size()

    @override
    def text(self, text: str) -> None:
        if self._takes:
            self._encoded += text.encode()
            self._check_size()

    def _check_size(self) -> None:
        """Raises UnreadableFile above MAX_SHARED_BYTES of memory."""
        if len(self._encoded) + len(self._ends) * self._ends.itemsize > MAX_SHARED_BYTES:
            raise UnreadableFile(
                f"The texts of the XLSX file take more than {MAX_SHARED_BYTES >> 20:,} MB of memory"
                f" (seen at text {len(self) + 1:,} of its shared strings). Save the sheet "
                "as CSV: it is read at any size."
            )


class _Styles(XmlHandler):
    """Collects format codes, and the number of the format that each cell style uses."""

    def __init__(self) -> None:
        self._codes: dict[int, str] = {}
        self._numbers: list[int] = []
        self._in_cells = False
        self.starts = {
            "numFmt": self._add_code,
            "cellXfs": self._begin_cells,
            "xf": self._add_format,
        }
        self.ends = {"cellXfs": self._end_cells}

    def _add_code(self, attributes: dict[str, str]) -> None:
        if len(self._codes) < _MAX_FORMATS:
            self._codes[_digits_as_int(attributes.get("numFmtId"))] = attributes.get(
                "formatCode", ""
            )

    def _begin_cells(self, _: dict[str, str]) -> None:
        self._in_cells = True

    def _end_cells(self) -> None:
        self._in_cells = False

    def _add_format(self, attributes: dict[str, str]) -> None:
        if self._in_cells and len(self._numbers) < _MAX_FORMATS:
            self._numbers.append(_digits_as_int(attributes.get("numFmtId")))

    def formats(self) -> list[NumberFormat]:
        """The number format of each cell format, in the order by which cells refer to them."""
        return [number_format(number, self._codes.get(number)) for number in self._numbers]


def _digits_as_int(text: str | None) -> int:
    """The value of up to nine digits; 0 for any other text."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def unescape(text: str) -> str:
    """The text with _x000D_ and the like, which XLSX writes for characters that XML cannot hold,
    replaced by these characters.
    """
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
