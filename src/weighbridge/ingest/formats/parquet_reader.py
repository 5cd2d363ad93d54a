"""Reads Parquet through polars, a slice at a time."""

from __future__ import annotations

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
from weighbridge.ingest.columns.fields import REQUIRED
from weighbridge.ingest.columns.matching import Wanted, match_columns
from weighbridge.ingest.formats.native_errors import damaged_means_unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


MAX_CELL_BYTES: Final = 1 << 20
_TOO_LONG: Final = (
    f"a cell is longer than {MAX_CELL_BYTES:,} bytes; leave out or shorten what is in it"
)


class ParquetReader(Reader):
    """A Parquet file. The first record is row 1."""

    def __init__(self, path: Path) -> None:
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
        texts = [self._as_text(name, headers[i]) for name, i in columns.columns().items()]
        start = 0
        while True:
            with damaged_means_unreadable("Parquet file"):
                frame = self._scan.slice(start, CHUNK_ROWS).select(texts).collect()
            if frame.is_empty():
                return
            row_numbers = pl.int_range(start + 1, start + 1 + frame.height, eager=True).alias(ROW)
            start += frame.height
            # A few kilobytes may hold gigabytes of one sign: such a row goes no further.
            lengths = [frame[name].str.len_bytes().fill_null(0) for name in columns.columns()]
            is_sound = pl.all_horizontal(length <= MAX_CELL_BYTES for length in lengths)
            sound = frame.select(is_sound.alias("sound")).to_series()
            kept = frame.filter(sound)
            yield make_chunk(
                columns,
                row_numbers.filter(sound),
                {name: kept[name] for name in columns.columns()},
                [RejectedRow(row, "row", _TOO_LONG) for row in row_numbers.filter(~sound)],
            )

    def _as_text(self, name: str, header: str) -> pl.Expr:
        """The column as text: whole numbers without ".0"; bytes and nested values are refused."""
        dtype = self._schema[header]
        if name not in REQUIRED and (dtype.is_nested() or dtype in (pl.Binary, pl.Object)):
            return _text_of_nested(header, dtype).alias(name)
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise UnreadableFile(
                f"Column {header!r} of the Parquet file holds {dtype}; {name} must be text or "
                "numbers."
                f" Convert the column, or take it out of the file."
            )
        text = pl.col(header).cast(pl.String)
        if dtype.is_float():
            text = text.str.replace(r"\.0$", "")
        return text.alias(name)


def _text_of_nested(header: str, dtype: pl.DataType) -> pl.Expr:
    """Lists of texts as one text; what else is nested as JSON, and bytes as words that no check
    takes for a value.
    """
    column = pl.col(header)
    if isinstance(dtype, pl.List) and not dtype.inner.is_nested():
        return column.list.eval(pl.element().cast(pl.String)).list.join(" | ", ignore_nulls=True)
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    return pl.when(column.is_not_null()).then(pl.lit("(not a text)"))
