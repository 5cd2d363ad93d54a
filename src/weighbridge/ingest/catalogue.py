"""From a file, or from records that came over HTTP, to checked chunks ready for the store.

A `Catalogue` looks at every row once and decides how columns are read; `chunks` reads them by these
decisions. For files of users it lives in a child process (`isolation/`), whose chunks `service/`
hands to `store/imports.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from weighbridge.domain.products import FieldLimits
from weighbridge.errors import AmbiguousColumn, InputError, UnreadableFile, UnsupportedFormat
from weighbridge.ingest.base import NO_CHOICES, ROW, CatalogueFormat, Choices, RawChunk, Reader
from weighbridge.ingest.checking.chunks import CheckedChunk
from weighbridge.ingest.checking.rows import check_rows
from weighbridge.ingest.checking.rules import RowRules
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.matching import ColumnMap, Wanted
from weighbridge.ingest.decisions import Given
from weighbridge.ingest.formats.csv_reader import CsvReader
from weighbridge.ingest.formats.json_reader import JsonReader
from weighbridge.ingest.formats.json_records import chunks_of_records
from weighbridge.ingest.formats.parquet_reader import ParquetReader
from weighbridge.ingest.formats.sniff import declared_format, detect_format
from weighbridge.ingest.formats.xlsx.reader import XlsxReader
from weighbridge.ingest.kept import KeptRows
from weighbridge.ingest.repeats import Repeats
from weighbridge.ingest.report import Head
from weighbridge.ingest.second_tables import SecondTables
from weighbridge.ingest.shops.rows import ShopRows
from weighbridge.ingest.survey import Survey
from weighbridge.ingest.values.pictures import PictureFolder
from weighbridge.ingest.values.units import KILOGRAM
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a catalogue is to be read; all that a user can say.

    `name` is what the user calls the file where its path is a temporary copy. `pictures_beside`
    False (uploads) refuses relative image paths. `at_most` ends after so many good rows.
    """

    format_name: str | None = None
    name: str | None = None
    mapping: Mapping[Field, str] = field(default_factory=dict)
    choices: Choices = NO_CHOICES
    given: Given = field(default_factory=Given)
    limits: FieldLimits = field(default_factory=FieldLimits)
    pictures_beside: bool = True
    at_most: int | None = None


USUAL: Final = ReadOptions()


class Catalogue:
    """One file, opened and looked through. Raises UnsupportedFormat, UnreadableFile or
    MissingColumn.

    Making one reads the file once, telling `on_progress` the last row it saw now and then; `chunks`
    reads it again where it is large.
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
        with _named(name):
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
        """Every chunk; those of a file that is not too large are kept."""
        for chunk in self._reader.chunks(self._wanted):
            self._kept.add(chunk)
            yield chunk

    def decide(self, given: Given) -> None:
        """Decide anew, by what the user says; nothing is read again."""
        self.head = replace(self.head, decisions=self._survey.decide(given))

    def chunks(self) -> Iterator[CheckedChunk]:
        """Every row, checked, in file order; never more than a chunk in memory."""
        options = self._options
        folder = PictureFolder(self._path.resolve().parent) if options.pictures_beside else None
        rules = RowRules(options.limits, self.head.decisions, folder)
        with _named(self.head.name):
            raw = self._reader.chunks(self._wanted) if self._kept.overflowed else self._kept
            rows = self._shop_rows.read(iter(raw))
            yield from _checked(rows, rules, options.at_most)


def read_catalogue(path: Path, options: ReadOptions = USUAL) -> Iterator[CheckedChunk]:
    """Every row of a file.

    In this process. Raises AmbiguousColumn for what only its owner can decide, before the first
    chunk.
    """
    catalogue = Catalogue(path, options)
    refuse_doubts(catalogue.head)
    yield from catalogue.chunks()


def refuse_doubts(head: Head) -> None:
    """Raises AmbiguousColumn when a question is left."""
    if head.decisions.doubts:
        messages = " ".join(doubt.message for doubt in head.decisions.doubts)
        raise AmbiguousColumn(f"{quote(head.name)}: {messages}")


class _named:  # noqa: N801 - used like a function
    """Puts the file's name before whatever is wrong with it."""

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
    with _named(shown):
        match kind:
            case CatalogueFormat.CSV:
                return CsvReader(path, options.choices)
            case CatalogueFormat.XLSX:
                return XlsxReader(path, options.choices)
            case CatalogueFormat.JSON | CatalogueFormat.JSONL:
                return JsonReader(path, options.choices)
            case CatalogueFormat.PARQUET:
                return ParquetReader(path)
    raise UnsupportedFormat(f"{quote(shown)} has no format that Weighbridge reads.")


def check_records(
    records: Iterable[object],
    *,
    mapping: Mapping[Field, str] | None = None,
    limits: FieldLimits | None = None,
) -> Iterator[CheckedChunk]:
    """The same checks for decoded JSON (a request body). The first record is row 1.

    A required field that no record has is reported for each row instead of stopping everything. The
    weight of the API is in kg; a number that can be read in two ways costs its cell.
    """
    wanted = Wanted(mapping or {}, all_required=False)
    numbered = enumerate(records, start=1)
    chunks = list(ShopRows().read(chunks_of_records(numbered, wanted)))
    survey = Survey(None)
    for chunk in chunks:
        survey.look_at(chunk)
    given = Given(unit=KILOGRAM) if _without_units(chunks) else Given()
    rules = RowRules(limits or FieldLimits(), survey.decide(given), None)
    yield from _checked(iter(chunks), rules, None)


def _without_units(chunks: list[RawChunk]) -> bool:
    return not any(chunk.columns.units for chunk in chunks)


def _checked(
    chunks: Iterator[RawChunk], rules: RowRules, at_most: int | None
) -> Iterator[CheckedChunk]:
    """The chunks judged, without repeated codes and second tables; at most `at_most` products."""
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
