"""From a file, or from records that came over HTTP, to checked chunks ready for the store.

A `Catalogue` looks at every row once and decides how columns are read; `chunks` reads them by these
decisions. For files of users it lives in a child process (`isolation/`), whose chunks `service/`
hands to `store/imports.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.domain.products import FieldLimits
from weighbridge.errors import InputError, UnreadableFile, UnsupportedFormat
from weighbridge.ingest.base import ROW, CatalogueFormat, RawChunk, Reader
from weighbridge.ingest.checking.chunks import CheckedChunk
from weighbridge.ingest.checking.rows import check_rows
from weighbridge.ingest.checking.rules import RowRules
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.matching import ColumnMap, Wanted
from weighbridge.ingest.decisions import USUAL, Given, ReadOptions
from weighbridge.ingest.formats.csv_reader import CsvReader
from weighbridge.ingest.formats.json_reader import JsonReader
from weighbridge.ingest.formats.json_records import chunks_of_records
from weighbridge.ingest.formats.parquet_reader import ParquetReader
from weighbridge.ingest.formats.sniff import declared_format, detect_format
from weighbridge.ingest.formats.xlsx.reader import XlsxReader
from weighbridge.ingest.kept import KeptRows
from weighbridge.ingest.repeats import Repeats
from weighbridge.ingest.report import Head, refuse_doubts
from weighbridge.ingest.second_tables import SecondTables
from weighbridge.ingest.shops.rows import ShopRows
from weighbridge.ingest.survey import Survey
from weighbridge.ingest.values.pictures import PictureFolder
from weighbridge.ingest.values.units import KILOGRAM
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


class Catalogue:
    """One file, of which every row has been looked at, so that it is known how to read its columns.

    The constructor reads the file once; `chunks` reads a large file a second time. `head` says what
    was found out. Raises UnsupportedFormat, UnreadableFile or MissingColumn.
    """

    def __init__(
        self,
        path: Path,
        options: ReadOptions = USUAL,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Open the file and read it once through, to decide how its columns are read.

        `on_progress` gets the number of the last row looked at, chunk by chunk.

        Raises:
            InputError: the file as a whole cannot be used; the message names it.
        """
        self._path = path
        self._options = options
        self._wanted = Wanted(options.mapping)
        name = options.name or path.name
        self._reader = open_reader(path, options)
        self._shop_rows = ShopRows()
        self._kept = KeptRows()
        with _file_named_in_errors(name):
            source = self._reader.source(self._wanted)
            self._survey = Survey(source)
            columns: ColumnMap | None = None
            for chunk in self._shop_rows.read(self._first_reading()):
                if columns is None or chunk.sheet is None:  # records may come with more keys
                    columns = chunk.columns
                self._survey.look_at(chunk)
                if chunk.frame.height:
                    on_progress(int(chunk.frame[ROW][-1]))
        decisions = self._survey.decide(options.given)
        self.head = Head(name, source, columns or ColumnMap({}), decisions)

    def _first_reading(self) -> Iterator[RawChunk]:
        """Every chunk of the file; each is also kept in memory, unless the file is too large."""
        for chunk in self._reader.chunks(self._wanted):
            self._kept.add(chunk)
            yield chunk

    def decide(self, given: Given) -> None:
        """Decide again how to read the columns, now by what the user said; the file is not read."""
        self.head = replace(self.head, decisions=self._survey.decide(given))

    def chunks(self) -> Iterator[CheckedChunk]:
        """Every row, checked, in file order; never more than a chunk in memory."""
        options = self._options
        folder = PictureFolder(self._path.resolve().parent) if options.pictures_beside else None
        rules = RowRules(options.limits, self.head.decisions, folder)
        with _file_named_in_errors(self.head.name):
            raw = self._reader.chunks(self._wanted) if self._kept.overflowed else self._kept
            rows = self._shop_rows.read(iter(raw))
            yield from _check_chunks(rows, rules, options.at_most)


def read_catalogue(path: Path, options: ReadOptions = USUAL) -> Iterator[CheckedChunk]:
    """Every row of a file, checked, chunk by chunk; the file is read in this process.

    Raises AmbiguousColumn before the first chunk if only the file's owner can say how to read one
    of its columns.
    """
    catalogue = Catalogue(path, options)
    refuse_doubts(catalogue.head)
    yield from catalogue.chunks()


class _file_named_in_errors:  # noqa: N801 - used like a function
    """Context manager that puts the file's name before the message of an InputError.

    An OSError becomes an UnreadableFile with the name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, InputError):
            raise type(error)(f"{quote(self._name)}: {error}") from error
        if isinstance(error, OSError):
            raise UnreadableFile(
                f"{quote(self._name)} cannot be read: {error.strerror or error}."
            ) from error


def open_reader(path: Path, options: ReadOptions = USUAL) -> Reader:
    """The reader for a file, chosen by its content and checked against its name."""
    shown = options.name or path.name
    if path.is_dir():
        raise UnreadableFile(f"{quote(shown)} is a folder; name the file in it.")
    kind = detect_format(path, shown, declared_format(shown, options.format_name))
    with _file_named_in_errors(shown):
        match kind:
            case CatalogueFormat.CSV:
                return CsvReader(path, options.choices)
            case CatalogueFormat.XLSX:
                return XlsxReader(path, options.choices)
            case CatalogueFormat.JSON | CatalogueFormat.JSONL:
                return JsonReader(path, options.choices)
            case CatalogueFormat.PARQUET:
                return ParquetReader(path)
    raise UnsupportedFormat(
        f"{quote(shown)} has no format that Weighbridge reads. Save it as CSV or XLSX."
    )


def check_records(
    records: Iterable[object],
    *,
    mapping: Mapping[Field, str] | None = None,
    limits: FieldLimits | None = None,
) -> Iterator[CheckedChunk]:
    """Decoded JSON (a request body) as checked chunks, by the same checks as files.

    The first record is row 1. A required field that no record has rejects each row instead of
    stopping everything. Weights without a unit are in kg; a number that can be read in two ways is
    left out, with a note.
    """
    wanted = Wanted(mapping or {}, all_required=False)
    numbered = enumerate(records, start=1)
    chunks = list(ShopRows().read(chunks_of_records(numbered, wanted)))
    survey = Survey(None)
    for chunk in chunks:
        survey.look_at(chunk)
    given = Given(unit=KILOGRAM) if _no_header_names_a_unit(chunks) else Given()
    rules = RowRules(limits or FieldLimits(), survey.decide(given), None)
    yield from _check_chunks(iter(chunks), rules, None)


def _no_header_names_a_unit(chunks: list[RawChunk]) -> bool:
    return not any(chunk.columns.units for chunk in chunks)


def _check_chunks(
    chunks: Iterator[RawChunk], rules: RowRules, at_most: int | None
) -> Iterator[CheckedChunk]:
    """The chunks checked; rows with repeated codes and of second tables are rejected.

    Ends after `at_most` products; None: no limit.
    """
    left = at_most
    repeats, tables = Repeats(), SecondTables()
    for whole in chunks:
        raw = tables.cut(whole)
        chunk = repeats.reject_repeats(
            check_rows(raw, rules), raw.sheet, raw.columns.shown_header(Field.CODE)
        )
        if left is not None and chunk.products.height >= left:
            yield _first_rows(chunk, left)
            return
        left = None if left is None else left - chunk.products.height
        yield chunk


def _first_rows(chunk: CheckedChunk, count: int) -> CheckedChunk:
    """The first `count` products, with the notes and rejected rows up to the last of them."""
    products = chunk.products.head(count)
    last = int(str(products["row_number"].max())) if count else 0
    return CheckedChunk(
        products,
        tuple(row for row in chunk.rejected if row.row < last),
        chunk.given,
        chunk.pictures_of(products),
        chunk.notes.filter(chunk.notes["row_number"] <= last),
        chunk.passed_over,
    )
