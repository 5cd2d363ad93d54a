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
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from weighbridge.domain.products import RejectedRow
    from weighbridge.ingest.columns.matching import ColumnMap, Wanted

ROW: Final = "row_number"
"""Name of the column with row numbers; it cannot collide with a Field."""

CHUNK_ROWS: Final = 10_000
"""The most rows in one chunk.

Larger chunks are no faster and cost memory (the CSV benchmark shows both).
"""


class CatalogueFormat(StrEnum):
    """The kinds of file that we read.

    Whether a file is JSON or JSONL is decided by its content, whatever its name says.
    """

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class SheetUse:
    """A sheet of a workbook, and whether and why its rows are read."""

    name: str
    used: bool
    why: str
    header_row: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader found out about the file before its first row.

    A field is None where the format has no such thing: a Parquet file has no delimiter.
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
    """What a reader knows of a cell and its text does not show: that the cell holds a date, say, or
    a formula without a stored result.

    `column` is the column's name in the chunk. Messages give the remark as the reason.
    """

    row: int
    column: str
    remark: str


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Some rows of a file, before their cells are checked.

    `frame` has the column `ROW` (Int64) and one String column for each of `columns.columns()`.
    `rejected` are rows that could not be split into fields and so are not in the frame; `remarks`
    are about rows of the frame.
    """

    frame: pl.DataFrame
    columns: ColumnMap
    rejected: tuple[RejectedRow, ...] = ()
    sheet: str | None = None
    remarks: tuple[CellRemark, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """How many rows hold no product and are not faulty either, by what these rows are."""
    hidden: frozenset[int] = frozenset()
    """Numbers of the rows that are hidden in the spreadsheet that was read."""
    stored_numbers: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """For each column of numbers: in which rows its cell is a number of the file itself, not text.

    Such a cell can be read in one way only, and says nothing about how people write numbers.
    """


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
    stored_numbers: Mapping[str, Collection[int]] | None = None,
) -> RawChunk:
    """Builds a chunk; `values` has the cells of each column, by the column's name in the chunk.

    Lone surrogates, which no encoder takes, become U+FFFD.
    """
    series = [pl.Series(ROW, row_numbers, dtype=pl.Int64)]
    series += [_cells(name, texts) for name, texts in values.items()]
    return RawChunk(
        pl.DataFrame(series),
        columns,
        tuple(rejected),
        sheet,
        tuple(remarks),
        hidden=hidden,
        stored_numbers={name: frozenset(rows) for name, rows in (stored_numbers or {}).items()},
    )


def _cells(name: str, texts: Sequence[str | None] | pl.Series) -> pl.Series:
    """The cells as text, with `="00123"` replaced by what a spreadsheet shows for it, 00123.

    Programs write codes as such formulas to keep spreadsheets from changing them.
    """
    cells = _text_series(name, texts)
    if not cells.str.starts_with('="').any():
        return cells
    return cells.str.replace(r'(?s)^="(.*)"$', "${1}")


def _text_series(name: str, texts: Sequence[str | None] | pl.Series) -> pl.Series:
    """The texts as a polars series of this name, with lone surrogates replaced by U+FFFD."""
    if isinstance(texts, pl.Series):
        return texts.alias(name)
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        cleaned = [None if text is None else _SURROGATES.sub("\ufffd", text) for text in texts]
        return pl.Series(name, cleaned, dtype=pl.String)


_SURROGATES: Final = re.compile("[\ud800-\udfff]")
