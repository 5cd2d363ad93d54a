"""What the shops' rules share: cells as null, added columns, rows that are passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from weighbridge.ingest.base import RawChunk
    from weighbridge.ingest.columns.fields import Field


def or_null(name: str) -> pl.Expr:
    """The column with empty cells as null."""
    return pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)).alias(name)


def pass_over(raw: RawChunk, rows: pl.Expr, what: str) -> RawChunk:
    """The chunk without the rows where `rows` is true; they are counted under `what`, for the
    report.
    """
    marked = raw.frame.select(rows.fill_null(value=False).alias("rows")).to_series()
    if marked.len() != raw.frame.height:  # a literal
        marked = marked.new_from_index(0, raw.frame.height)
    count = int(marked.sum() or 0)
    if not count:
        return raw
    counted = {**raw.passed_over, what: raw.passed_over.get(what, 0) + count}
    return replace(raw, frame=raw.frame.filter(~marked), passed_over=counted)


def with_column(raw: RawChunk, name: Field, cells: pl.Expr, taken_from: str) -> RawChunk:
    """The chunk with `cells` as the column of a field that the file has no column for.

    The cells come from the helper column `taken_from`. If the file has a column for the field, the
    chunk is returned as it is.
    """
    if name in raw.columns.positions:
        return raw
    positions = {**raw.columns.positions, name: raw.columns.helpers[taken_from]}
    return replace(
        raw,
        frame=raw.frame.with_columns(cells.alias(name)),
        columns=replace(raw.columns, positions=positions),
    )
