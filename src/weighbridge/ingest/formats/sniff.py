"""Finds out the format of a file by its content, and refuses it if its name says another.

This happens to a catalogue first of all. For a file in none of our formats, the message says what
it is and what to do.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from weighbridge.errors import UnreadableFile, UnsupportedFormat
from weighbridge.ingest.base import CatalogueFormat
from weighbridge.ingest.formats.text_encoding import told_encoding
from weighbridge.ingest.formats.xlsx.package import check_directory
from weighbridge.ingest.values.wording import quote
from weighbridge.zip_archives import ZIP_DAMAGE

_HEAD_BYTES: Final = 4096
_SUPPORTED: Final = "Weighbridge reads CSV, XLSX, JSON, JSONL and Parquet."
_SUFFIXES: Final = {
    ".csv": CatalogueFormat.CSV,
    ".tsv": CatalogueFormat.CSV,
    ".tab": CatalogueFormat.CSV,
    ".xlsx": CatalogueFormat.XLSX,
    ".xlsm": CatalogueFormat.XLSX,
    ".json": CatalogueFormat.JSON,
    ".jsonl": CatalogueFormat.JSONL,
    ".ndjson": CatalogueFormat.JSONL,
    ".parquet": CatalogueFormat.PARQUET,
    ".pq": CatalogueFormat.PARQUET,
}
_FORMAT_NAMES: Final = {
    CatalogueFormat.CSV: "text (CSV)",
    CatalogueFormat.XLSX: "an Excel workbook",
    CatalogueFormat.JSON: "JSON",
    CatalogueFormat.JSONL: "JSON",
    CatalogueFormat.PARQUET: "Parquet",
}
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN: Final = (
    (b"%PDF", "a PDF document. Export the table as CSV or XLSX"),
    (b"\x1f\x8b", "a gzip archive. Unpack it first"),
    (b"BZh", "a bzip2 archive. Unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive. Unpack it first"),
    (b"Rar!", "a RAR archive. Unpack it first"),
    (b"\xfd7zXZ", "an xz archive. Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive. Unpack it first"),
    (b"SQLite format 3", "an SQLite database. Export the table as CSV"),
    (b"ARROW1", "an Arrow file. Save it as Parquet"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)


def declared_format(name: str, format_name: str | None) -> CatalogueFormat | None:
    """What the user says the file is: by `--format`, or by the ending of its name.

    None if neither tells.
    """
    if format_name is None:
        return _SUFFIXES.get(Path(name).suffix.lower())
    declared = _SUFFIXES.get("." + format_name.strip().lower().removeprefix("."))
    if declared is None:
        raise UnsupportedFormat(f"There is no format {quote(format_name)}. {_SUPPORTED}")
    return declared


def detect_format(path: Path, name: str, declared: CatalogueFormat | None) -> CatalogueFormat:
    """The format of the content.

    Raises when it is none of ours, or not what it was declared to be.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UnreadableFile(
            f"{quote(name)} cannot be opened: {error.strerror or error}."
        ) from error
    if not head.strip():
        raise UnreadableFile(f"{quote(name)} is empty.")
    found = _by_content(path, name, head, declared)
    json_family = {CatalogueFormat.JSON, CatalogueFormat.JSONL}
    if declared is None or declared == found or {declared, found} <= json_family:
        return found
    raise UnreadableFile(
        f"{quote(name)} should be {_FORMAT_NAMES[declared]}, but its content is {_FORMAT_NAMES[found]}."
        f" Give the file its right ending (.{found}), or export it again."
    )


def _by_content(
    path: Path, name: str, head: bytes, declared: CatalogueFormat | None
) -> CatalogueFormat:
    """The format by the first bytes. Raises UnsupportedFormat for anything that is no catalogue."""
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path, name)
    if head.startswith(b"PAR1"):
        return CatalogueFormat.PARQUET
    if head.startswith(_OLE):
        raise UnsupportedFormat(_explain_ole(path, name))
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise UnsupportedFormat(f"{quote(name)} is {what}. {_SUPPORTED}")
    return _kind_of_text(head, name, declared)


def _kind_of_zip(path: Path, name: str) -> CatalogueFormat:
    """XLSX, if a workbook is inside.

    Raises:
        UnsupportedFormat: it is an .xlsb, an .ods or some other archive.
        UnreadableFile: the archive is damaged.
    """
    check_directory(path)
    try:
        with zipfile.ZipFile(path) as package:
            members = set(package.namelist())
    except ZIP_DAMAGE as error:
        raise UnreadableFile(
            f"{quote(name)} begins like an XLSX file or ZIP archive but is damaged or not "
            f"complete ({error})."
        ) from error
    if "xl/workbook.xml" in members:
        return CatalogueFormat.XLSX
    if "xl/workbook.bin" in members:
        raise UnsupportedFormat(f"{quote(name)} is a binary workbook (.xlsb). Save it as .xlsx.")
    if "content.xml" in members:
        raise UnsupportedFormat(
            f"{quote(name)} is an OpenDocument file (.ods). Save it as .xlsx or CSV."
        )
    raise UnsupportedFormat(
        f"{quote(name)} is a ZIP archive without a workbook in it. Unpack it first. {_SUPPORTED}"
    )


def _explain_ole(path: Path, name: str) -> str:
    """The message for a file in Microsoft's old container: an encrypted workbook, or one of before
    2007.
    """
    marker = "EncryptedPackage".encode("utf-16-le")
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(1 << 20):
            if marker in tail + piece:
                return f"{quote(name)} is protected by a password. Save a copy without a password."
            tail = piece[-len(marker) :]
    return f"{quote(name)} is a workbook of the old kind (.xls). Save it as .xlsx or CSV."


def _kind_of_text(head: bytes, name: str, declared: CatalogueFormat | None) -> CatalogueFormat:
    """JSON or CSV; JSONL counts as JSON here.

    Raises:
        UnsupportedFormat: it is HTML, XML or binary.
    """
    start = head.decode(told_encoding(head) or "utf-8", errors="replace")
    unprintable = sum(c < " " and c not in "\t\n\r\f" for c in start)
    if unprintable > len(start) // 20:
        raise UnsupportedFormat(
            f"{quote(name)} is neither text nor a format that is known here. {_SUPPORTED}"
        )
    start = start.lstrip().lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body", "<table")):
        raise UnsupportedFormat(
            f"{quote(name)} is a web page (HTML), perhaps a login or error page. Download or "
            "export the file again."
        )
    if start.startswith(("<?xml", "<workbook")):
        raise UnsupportedFormat(f"{quote(name)} is XML. Save it as .xlsx or CSV. {_SUPPORTED}")
    # A CSV header may begin with a bracket, so a file declared as CSV is believed unless it looks
    # like records.
    if start.startswith("{") or (start.startswith("[") and start[1:].lstrip()[:1] in {"{", "]"}):
        return CatalogueFormat.JSON
    if start.startswith("[") and declared in {CatalogueFormat.JSON, CatalogueFormat.JSONL}:
        return CatalogueFormat.JSON
    return CatalogueFormat.CSV
