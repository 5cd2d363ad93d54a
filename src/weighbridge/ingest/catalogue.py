"""The way in: from a file, or from records that came over HTTP, to checked chunks ready for the store.

`service/` calls `read_catalogue` or `check_records` and hands the iterator to `store/imports.py`, which draws it in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.domain.products import FieldLimits
from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.base import CatalogueFormat, RawChunk, Reader
from weighbridge.ingest.columns import Field, Wanted
from weighbridge.ingest.csv_reader import CsvReader
from weighbridge.ingest.images import PictureFolder
from weighbridge.ingest.json_reader import JsonReader
from weighbridge.ingest.json_records import chunks_of_records
from weighbridge.ingest.parquet_reader import ParquetReader
from weighbridge.ingest.rows import CheckedChunk, check_rows
from weighbridge.ingest.sniff import declared_format, detect_format
from weighbridge.ingest.wording import quote
from weighbridge.ingest.xlsx_reader import XlsxReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


def open_catalogue(
    path: Path, format_name: str | None = None, *, name: str | None = None
) -> Reader:
    """The reader for a file, chosen by its content and checked against its name.

    `name` is what the user calls the file where `path` is a temporary copy. Raises UnsupportedFormat or UnreadableFile.
    """
    shown = name or path.name
    if path.is_dir():
        raise UnreadableFile(f"{quote(shown)} is a folder; name the file in it.")
    kind = detect_format(path, shown, declared_format(shown, format_name))
    try:
        match kind:
            case CatalogueFormat.CSV:
                return CsvReader(path)
            case CatalogueFormat.XLSX:
                return XlsxReader(path)
            case CatalogueFormat.JSON | CatalogueFormat.JSONL:
                return JsonReader(path)
            case CatalogueFormat.PARQUET:
                return ParquetReader(path)
    except InputError as error:
        raise type(error)(f"{quote(shown)}: {error}") from error


def read_catalogue(
    path: Path,
    *,
    format_name: str | None = None,
    name: str | None = None,
    mapping: Mapping[Field, str] | None = None,
    limits: FieldLimits | None = None,
    pictures_beside: bool = True,
    at_most: int | None = None,
) -> Iterator[CheckedChunk]:
    """Every row of a catalogue, checked, in file order; never more than a chunk in memory (XLSX excepted).

    `mapping` comes from `parse_mapping`. `pictures_beside` False (uploads) refuses relative image paths.
    `at_most` ends after so many good rows. Raises InputError before the first chunk or, for a file damaged further on, later.
    """
    shown = name or path.name
    wanted = Wanted(mapping or {})
    reader = open_catalogue(path, format_name, name=name)
    folder = PictureFolder(path.resolve().parent) if pictures_beside else None
    try:
        yield from _checked(reader.chunks(wanted), limits, folder, at_most)
    except InputError as error:
        raise type(error)(f"{quote(shown)}: {error}") from error
    except OSError as error:
        raise UnreadableFile(
            f"{quote(shown)} cannot be read: {error.strerror or error}."
        ) from error


def check_records(
    records: Iterable[object],
    *,
    mapping: Mapping[Field, str] | None = None,
    limits: FieldLimits | None = None,
) -> Iterator[CheckedChunk]:
    """The same checks for decoded JSON (a request body). The first record is row 1.

    A required field that no record has is reported for each row instead of stopping everything.
    """
    wanted = Wanted(mapping or {}, all_required=False)
    numbered = enumerate(records, start=1)
    yield from _checked(chunks_of_records(numbered, wanted), limits, None, None)


def _checked(
    chunks: Iterator[RawChunk],
    limits: FieldLimits | None,
    folder: PictureFolder | None,
    at_most: int | None,
) -> Iterator[CheckedChunk]:
    left = at_most
    for raw in chunks:
        chunk = check_rows(raw, limits or FieldLimits(), folder)
        if left is not None and chunk.products.height >= left:
            yield _first_rows(chunk, left)
            return
        left = None if left is None else left - chunk.products.height
        yield chunk


def _first_rows(chunk: CheckedChunk, count: int) -> CheckedChunk:
    products = chunk.products.head(count)
    last = products["row_number"].max() if count else 0
    used = set(products["picture_sha256"].drop_nulls())
    return CheckedChunk(
        products,
        tuple(row for row in chunk.rejected if row.row < int(str(last))),
        chunk.given,
        tuple(file for file in chunk.pictures if file.picture.sha256 in used),
    )
