"""What a file is, whatever its name says."""

from __future__ import annotations

import contextlib
import io
import zipfile
from typing import TYPE_CHECKING

import polars as pl
import pytest

from weighbridge.errors import InputError, UnreadableFile, UnsupportedFormat
from weighbridge.ingest.catalogue import open_reader
from weighbridge.ingest.decisions import ReadOptions
from weighbridge.ingest.formats.csv_reader import CsvReader
from weighbridge.ingest.formats.json_reader import JsonReader
from weighbridge.ingest.formats.parquet_reader import ParquetReader
from weighbridge.ingest.formats.xlsx.reader import XlsxReader

if TYPE_CHECKING:
    from pathlib import Path

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
FRAME = pl.DataFrame({"code": ["A"], "name": ["b"], "description": ["c"]})


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def put_zip(folder: Path, name: str, *members: str) -> Path:
    with zipfile.ZipFile(folder / name, "w") as package:
        for member in members:
            package.writestr(member, "x")
    return folder / name


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x8B, 0xFF])
def test_any_byte_of_a_workbooks_directory_may_be_wrong(tmp_path: Path, byte: int) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as package:
        for member in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/blätter.xml"):
            package.writestr(member, "x")
    data = whole.getvalue()
    directory = data.index(b"PK\x01\x02")
    for place in (*range(4, 60), *range(directory, len(data))):
        path = put(tmp_path, "a.xlsx", data[:place] + bytes([byte]) + data[place + 1 :])
        with contextlib.suppress(InputError):
            open_reader(path)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.tsv", "a.txt", "a", "a.dat"])
def test_text_is_csv(tmp_path: Path, name: str) -> None:
    assert isinstance(open_reader(put(tmp_path, name, b"code,name\n")), CsvReader)


def test_content_decides_if_the_name_does_not(tmp_path: Path) -> None:
    FRAME.write_excel(tmp_path / "book.xlsx")
    FRAME.write_parquet(tmp_path / "table")
    (tmp_path / "book.xlsx").rename(tmp_path / "book")
    assert isinstance(open_reader(tmp_path / "book"), XlsxReader)
    assert isinstance(open_reader(tmp_path / "table"), ParquetReader)
    assert isinstance(open_reader(put(tmp_path, "list", b'[{"code": 1}]')), JsonReader)


def test_a_header_in_brackets_is_no_json(tmp_path: Path) -> None:
    assert isinstance(open_reader(put(tmp_path, "a.csv", b"[code],[name]\n")), CsvReader)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.json", b"code,name\n", r"should be JSON.*content is text \(CSV\).*\.csv"),
        ("a.parquet", b"code,name\n", r"should be Parquet.*content is text"),
        ("a.xlsx", b"code,name\n", r"should be an Excel workbook.*content is text"),
        ("a.csv", b'{"code": 1}\n', r"should be text \(CSV\).*content is JSON"),
        ("a.csv", b"", "empty"),
        ("a.csv", b" \n \n", "empty"),
        ("a.xlsx", b"PK\x03\x04 and no more", "damaged or not complete"),
    ],
)
def test_a_file_that_contradicts_its_name_is_refused(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    with pytest.raises(UnreadableFile, match=words):
        open_reader(put(tmp_path, name, data))


def test_a_workbook_named_csv_is_refused(tmp_path: Path) -> None:
    FRAME.write_excel(tmp_path / "book.xlsx")
    path = (tmp_path / "book.xlsx").rename(tmp_path / "book.csv")
    with pytest.raises(UnreadableFile, match=r"content is an Excel workbook.*\(\.xlsx\)"):
        open_reader(path)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.xlsx", b"\n <!DOCTYPE HTML><html>", "web page.*login"),
        ("a.csv", b"<html><body>Sign in", "web page"),
        ("a.xls", b"<?xml version='1.0'?><Workbook>", "XML"),
        ("a.xls", OLE, r"old kind \(\.xls\)"),
        ("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        ("a.csv", b"%PDF-1.7", "PDF"),
        ("a.csv.gz", b"\x1f\x8b\x08", "gzip archive. Unpack"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "picture"),
        ("a.csv", bytes(range(256)) * 20 + b"\0" * 4000, "neither text"),
    ],
)
def test_unsupported_files_are_named_with_a_remedy(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=words):
        open_reader(put(tmp_path, name, data))


@pytest.mark.parametrize(
    ("member", "words"),
    [("xl/workbook.bin", "xlsb"), ("content.xml", "OpenDocument"), ("a.csv", "ZIP archive")],
)
def test_other_zip_files_are_named(tmp_path: Path, member: str, words: str) -> None:
    with pytest.raises(UnsupportedFormat, match=words):
        open_reader(put_zip(tmp_path, "a.xlsx", member))


def test_an_explicit_format_overrides_the_extension(tmp_path: Path) -> None:
    path = put(tmp_path, "a.json", b"code,name\n")
    assert isinstance(open_reader(path, ReadOptions(format_name="CSV")), CsvReader)
    with pytest.raises(UnsupportedFormat, match='no format "docx"'):
        open_reader(path, ReadOptions(format_name="docx"))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        open_reader(tmp_path / "nothing.csv")
    with pytest.raises(UnreadableFile, match="folder"):
        open_reader(tmp_path)


def test_any_file_name_gives_a_printable_message(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_reader(put(tmp_path, "a", b""), ReadOptions(name="evil\x1b[31m\u202e" + "x" * 300))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("zip64", [False, True])
def test_archive_with_an_endless_list_of_parts_is_refused_unread(
    tmp_path: Path, zip64: bool
) -> None:
    size = 20 << 20
    rubbish = b"\0" * size
    end64 = b"PK\x06\x06" + bytes(36) + size.to_bytes(8, "little") + bytes(8) if zip64 else b""
    stated = 0xFFFF_FFFF if zip64 else size
    end = b"PK\x05\x06" + bytes(8) + stated.to_bytes(4, "little") + bytes(6)
    path = tmp_path / "parts.xlsx"
    path.write_bytes(b"PK\x03\x04" + rubbish + end64 + end)
    with pytest.raises(UnreadableFile, match=r"list of parts .* more than 8 MB"):
        open_reader(path)
