"""Reads Parquet through polars, a slice at a time.

A few kilobytes of Parquet may hold gigabytes: many rows share one text of a dictionary, or a page
unpacks to a thousand times its size. Both are bounded by column and row group: what the footer
states before anything is unpacked, and the text of the rows as they come. A footer that lies is
stopped by the limit on the process that reads (`ingest/isolation/`).
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

import polars as pl
from typing_extensions import override

from weighbridge.domain.products import RejectedRow
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.base import (
    CHUNK_ROWS,
    ROW,
    CatalogueFormat,
    RawChunk,
    Reader,
    Source,
    make_chunk,
)
from weighbridge.ingest.columns.fields import REQUIRED, normalise
from weighbridge.ingest.columns.matching import Wanted, match_columns
from weighbridge.ingest.formats.native_errors import damaged_means_unreadable
from weighbridge.ingest.formats.parquet_footer import read_row_groups
from weighbridge.ingest.values.numbers import AMBIGUOUS
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.ingest.formats.parquet_footer import RowGroup


MAX_CELL_BYTES: Final = 1 << 20
MAX_UNPACKED_BYTES: Final = 256 << 20
"""The most bytes that one column may have in one row group, as the file's footer states them."""
MAX_TEXT_BYTES: Final = 1 << 30
"""The most bytes that one column may have in one row group with the text of every cell written out.
"""
_PART_BYTES: Final = 8 << 20
_SLICE_BYTES: Final = 32 << 20
_GROWTH: Final = 4
_TOO_LONG: Final = (
    f"a cell is longer than {MAX_CELL_BYTES:,} bytes; leave out or shorten what is in it"
)


class ParquetReader(Reader):
    """A Parquet file. The first record is row 1."""

    def __init__(self, path: Path) -> None:
        self._groups = read_row_groups(path)
        with damaged_means_unreadable("Parquet file"):
            self._scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            self._schema = self._scan.collect_schema()

    @override
    def source(self, wanted: Wanted) -> Source:
        match_columns(self._schema.names(), wanted)
        return Source(CatalogueFormat.PARQUET)

    @override
    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        headers = self._schema.names()
        columns = match_columns(headers, wanted)
        used = {name: headers[i] for name, i in columns.columns().items()}
        texts = [self._as_text(name, header) for name, header in used.items()]
        self._check_footer(set(used.values()))
        text_sizes = _TextSizes(self._groups, used)
        start, rows = 0, self._first_rows(set(used.values()))
        while True:
            with damaged_means_unreadable("Parquet file"):
                frame = self._scan.slice(start, rows).select(texts).collect()
            if frame.is_empty():
                return
            row_numbers = pl.int_range(start + 1, start + 1 + frame.height, eager=True).alias(ROW)
            lengths = frame.select(pl.all().str.len_bytes().fill_null(0))
            text_sizes.add(start, lengths)
            start += frame.height
            rows = _next_rows(rows, lengths)
            is_sound = lengths.select(pl.all_horizontal(pl.all() <= MAX_CELL_BYTES)).to_series()
            for first, count in _parts(lengths):
                sound = is_sound.slice(first, count)
                kept = frame.slice(first, count).filter(sound)
                numbers = row_numbers.slice(first, count)
                good = numbers.filter(sound)
                yield make_chunk(
                    columns,
                    good,
                    {name: kept[name] for name in used},
                    [RejectedRow(row, "row", _TOO_LONG) for row in numbers.filter(~sound)],
                    stored_numbers={
                        name: good.to_list()
                        for name, header in used.items()
                        if self._schema[header].is_numeric()
                    },
                )

    def _first_rows(self, used: set[str]) -> int:
        """How many rows to read first: so few that they fit into memory even if each cell holds
        all that its column unpacks to.
        """
        sizes = [
            size
            for group in self._groups
            for header, size in group.unpacked_bytes.items()
            if header in used
        ]
        return max(1, min(CHUNK_ROWS, _SLICE_BYTES // max(sizes, default=1)))

    def _check_footer(self, used: set[str]) -> None:
        """Raises UnreadableFile if a used column unpacks to more than MAX_UNPACKED_BYTES."""
        for number, group in enumerate(self._groups, start=1):
            for header, size in group.unpacked_bytes.items():
                if header in used and size > MAX_UNPACKED_BYTES:
                    raise _too_large(header, number, MAX_UNPACKED_BYTES)

    def _as_text(self, name: str, header: str) -> pl.Expr:
        """A polars expression: the column as text, whole numbers without ".0".

        Raises UnreadableFile if a required field holds bytes or nested values.
        """
        dtype = self._schema[header]
        if name not in REQUIRED and (dtype.is_nested() or dtype in (pl.Binary, pl.Object)):
            return _text_of_nested(header, dtype).alias(name)
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise UnreadableFile(
                f"Column {header!r} of the Parquet file holds {dtype}; {name} must be text or "
                "numbers. Convert the column, or take it out of the file."
            )
        text = pl.col(header).cast(pl.String)
        if dtype.is_float():
            text = text.str.replace(r"\.0$", "").str.replace(AMBIGUOUS, "${0}0")
        return text.alias(name)


class _TextSizes:
    """Adds up the bytes of text of each column within each row group."""

    def __init__(self, groups: Sequence[RowGroup], headers: Mapping[str, str]) -> None:
        ends = accumulate(group.rows for group in groups)
        self._ends = [*ends]
        self._headers = headers
        self._group = 0
        self._sizes: dict[str, int] = {}

    def add(self, start: int, lengths: pl.DataFrame) -> None:
        """Add the text lengths of the rows from `start` (counted from 0) to the total of each
        column in their row group.

        Raises UnreadableFile when a column exceeds MAX_TEXT_BYTES within one row group.
        """
        at, end = start, start + lengths.height
        while at < end:
            while self._group < len(self._ends) - 1 and self._ends[self._group] <= at:
                self._group += 1
                self._sizes = {}
            stop = min(end, self._ends[self._group]) if self._ends else end
            stop = stop if stop > at else end  # more rows than the footer states
            sums = lengths.slice(at - start, stop - at).select(pl.all().cast(pl.UInt64).sum())
            for name, size in sums.row(0, named=True).items():
                self._sizes[name] = self._sizes.get(name, 0) + size
                if self._sizes[name] > MAX_TEXT_BYTES:
                    raise _too_large(self._headers[name], self._group + 1, MAX_TEXT_BYTES)
            at = stop


def _next_rows(rows: int, lengths: pl.DataFrame) -> int:
    """How many rows to read next: at most _GROWTH times as many as before, and so few that cells as
    long as the longest seen fit into memory.
    """
    longest = max((int(size or 0) for size in lengths.max().row(0)), default=0)
    return max(1, min(CHUNK_ROWS, _GROWTH * rows, _SLICE_BYTES // max(longest, 1)))


def _too_large(header: str, group: int, limit: int) -> UnreadableFile:
    return UnreadableFile(
        f"Column {quote(header)} of row group {group:,} in the Parquet file unpacks to more than "
        f"{limit >> 20:,} MB. Leave the column out, or save the table as CSV: it is read at any "
        "size."
    )


def _parts(lengths: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Cuts rows into parts that hold a bounded amount of text: (index of first row, rows) of each.

    `lengths` are the bytes of each cell.
    """
    whole = lengths.select(pl.sum_horizontal(pl.all().cast(pl.Int64)).cum_sum() // _PART_BYTES)
    first = 0
    for count in whole.to_series().rle().struct.field("len"):
        yield first, count
        first += count


def _text_of_nested(header: str, dtype: pl.DataType) -> pl.Expr:
    """A polars expression: lists joined by " | ", structs by `_text_of_struct`.

    Anything else becomes "(not a text)", which no check takes for a value.
    """
    column = pl.col(header)
    if isinstance(dtype, pl.List) and not dtype.inner.is_nested():
        return column.list.eval(pl.element().cast(pl.String)).list.join(" | ", ignore_nulls=True)
    if isinstance(dtype, pl.Struct):
        return pl.when(column.is_not_null()).then(_text_of_struct(column, dtype))
    return pl.when(column.is_not_null()).then(pl.lit("(not a text)"))


_VALUES: Final = (
    "value",
    "amount",
    "weight",
    "code",
    "country",
    "src",
    "url",
    "link",
    "href",
    "name",
)
_UNITS: Final = ("unit", "units", "uom", "unitcode", "unitofmeasure", "currency", "currencycode")


def _text_of_struct(column: pl.Expr, dtype: pl.Struct) -> pl.Expr:
    """A polars expression: `{value: 1.5, unit: "kg"}` as 1.5 kg, `{country: "CN"}` as CN, and every
    other struct as JSON.
    """
    simple = {
        normalise(name): name for name, inner in dtype.to_schema().items() if not inner.is_nested()
    }
    value = next((simple[key] for key in _VALUES if key in simple), None)
    if value is None:
        return column.struct.json_encode()
    unit = next((simple[key] for key in _UNITS if key in simple), None)
    parts = [column.struct.field(name).cast(pl.String) for name in (value, unit) if name]
    number = parts[0].str.replace(r"\.0$", "")
    told = pl.concat_str(number, *parts[1:], separator=" ", ignore_nulls=True)
    return pl.when(number.is_not_null()).then(told)
