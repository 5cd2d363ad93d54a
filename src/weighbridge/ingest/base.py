"""What every reader of a catalogue gives: chunks of raw text, one column per field we know.

A reader finds the header, asks `columns/` which columns to take, and yields those as text together
with each row's number as a person counts it. It judges the form of a row (too many fields, broken
JSON), never its content: that is `checking/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.domain.products import RejectedRow
    from weighbridge.ingest.columns.matching import ColumnMap, Wanted

ROW: Final = "row_number"
"""Name of the column with row numbers; it cannot collide with a Field."""

CHUNK_ROWS: Final = 10_000
"""Rows handed on at once.

Larger chunks are no faster and cost memory (the CSV benchmark shows both).
"""


class CatalogueFormat(StrEnum):
    """The kinds of file that we read. JSON and JSONL are told apart by content alone."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class SheetUse:
    """A sheet of a workbook and what is done with it."""

    name: str
    used: bool
    why: str
    header_row: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader found out about the file before its first row.

    None: the format has no such thing.
    """

    format: CatalogueFormat
    encoding: str | None = None
    encoding_certainty: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    sheets: tuple[SheetUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user decided instead of us: `--encoding`, `--sheet`."""

    encoding: str | None = None
    sheet: str | None = None


NO_CHOICES: Final = Choices()


@dataclass(frozen=True, slots=True)
class CellRemark:
    """What a reader knows of a cell that its text does not show: a date in disguise, a formula
    without a result.

    `column` is the chunk's name of the column. The remark follows the cell's text in messages.
    """

    row: int
    column: str
    remark: str


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Some rows of a file, unjudged.

    `frame` has the column `ROW` (Int64) and one String column for each of `columns.columns()`.
    `rejected` are the rows between them that have no fields to judge; `remarks` belong to rows of
    the frame.
    """

    frame: pl.DataFrame
    columns: ColumnMap
    rejected: tuple[RejectedRow, ...] = ()
    sheet: str | None = None
    remarks: tuple[CellRemark, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Rows that hold no product and are not faulty either, counted by kind."""
    hidden: frozenset[int] = frozenset()
    """Rows that are hidden in the program that the file comes from."""


class Reader(Protocol):
    """One opened catalogue."""

    def source(self, wanted: Wanted) -> Source:
        """What the file is. Raises MissingColumn when no header has the required columns."""
        ...

    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        """The rows in file order; may be called again to read the file again.

        Raises MissingColumn before the first chunk, and UnreadableFile at any point where the file
        turns out to be damaged.
        """
        ...


def make_chunk(
    columns: ColumnMap,
    row_numbers: Sequence[int] | pl.Series,
    values: Mapping[str, Sequence[str | None] | pl.Series],
    rejected: Sequence[RejectedRow] = (),
    *,
    sheet: str | None = None,
    remarks: Sequence[CellRemark] = (),
    hidden: frozenset[int] = frozenset(),
) -> RawChunk:
    """Builds a chunk. Lone surrogates, which no encoder takes, become U+FFFD."""
    series = [pl.Series(ROW, row_numbers, dtype=pl.Int64)]
    series += [_cells(name, texts) for name, texts in values.items()]
    return RawChunk(
        pl.DataFrame(series), columns, tuple(rejected), sheet, tuple(remarks), hidden=hidden
    )


def _cells(name: str, texts: Sequence[str | None] | pl.Series) -> pl.Series:
    """The cells as text; `="00123"`, by which programs keep spreadsheets from changing a code, as
    what it shows.
    """
    cells = _text_series(name, texts)
    if not cells.str.starts_with('="').any():
        return cells
    return cells.str.replace(r'(?s)^="(.*)"$', "${1}")


def _text_series(name: str, texts: Sequence[str | None] | pl.Series) -> pl.Series:
    if isinstance(texts, pl.Series):
        return texts.alias(name)
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        cleaned = [None if text is None else _SURROGATES.sub("\ufffd", text) for text in texts]
        return pl.Series(name, cleaned, dtype=pl.String)


_SURROGATES: Final = re.compile("[\ud800-\udfff]")
