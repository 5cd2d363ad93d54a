"""What every reader of a catalogue gives: chunks of raw text, one column per field we know.

A reader finds the header, asks `columns.py` which columns to take, and yields those as text together with each row's
number as a person counts it. It judges the form of a row (too many fields, broken JSON), never its content: that is
`rows.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.domain.products import RejectedRow
    from weighbridge.ingest.columns import ColumnMap, Field, Wanted

ROW: Final = "row_number"
"""Name of the column with row numbers; it cannot collide with a Field."""

CHUNK_ROWS: Final = 20_000
"""Rows handed on at once. Larger chunks are no faster and cost memory (the CSV benchmark shows both)."""


class CatalogueFormat(StrEnum):
    """The kinds of file that we read. JSON and JSONL are told apart by content alone."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Some rows of a file, unjudged.

    `frame` has the column `ROW` (Int64) and one String column per Field found in the file. `rejected` are the rows
    between them that have no fields to judge. `comma_is_decimal`: the form of the file says that `1,250` means 1.25
    (see `weights.py`).
    """

    frame: pl.DataFrame
    columns: ColumnMap
    rejected: tuple[RejectedRow, ...] = ()
    comma_is_decimal: bool = False


class Reader(Protocol):
    """One opened catalogue."""

    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        """The rows in file order; may be called again to read the file again.

        Raises MissingColumn before the first chunk, and UnreadableFile at any point where the file turns out to be damaged.
        """
        ...


def make_chunk(
    columns: ColumnMap,
    row_numbers: Sequence[int] | pl.Series,
    values: Mapping[Field, Sequence[str | None] | pl.Series],
    rejected: Sequence[RejectedRow] = (),
    *,
    comma_is_decimal: bool = False,
) -> RawChunk:
    """Builds a chunk. Lone surrogates, which no encoder takes, become U+FFFD, which `rows.py` rejects."""
    series = [pl.Series(ROW, row_numbers, dtype=pl.Int64)]
    series += [_text_series(name, texts) for name, texts in values.items()]
    return RawChunk(pl.DataFrame(series), columns, tuple(rejected), comma_is_decimal)


def _text_series(name: Field, texts: Sequence[str | None] | pl.Series) -> pl.Series:
    if isinstance(texts, pl.Series):
        return texts.alias(name)
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        cleaned = [None if text is None else _SURROGATES.sub("\ufffd", text) for text in texts]
        return pl.Series(name, cleaned, dtype=pl.String)


_SURROGATES: Final = re.compile("[\ud800-\udfff]")
