"""Weights that a table writes in two columns, the larger unit and the rest: `Weight (lb)`,
`Weight (oz)`; `weight_kg`, `weight_g`.

The two may also be one weight written twice. A single row tells that: 1 kg beside 1200 g, or a
fraction of the larger unit. Without such a row, 1 kg beside 200 g are parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.base import ROW
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.matching import MINOR_UNITS, minor_weight
from weighbridge.ingest.shops.columns import or_null

if TYPE_CHECKING:
    from weighbridge.ingest.base import RawChunk

_PLAIN: Final = r"^([0-9]{1,9}(?:\.[0-9]{0,9})?)$"


class SplitWeights:
    """Joins the two columns of weights of one file; remembers in which fields they are no parts."""

    def __init__(self) -> None:
        self._twice: set[Field] = set()

    def join(self, raw: RawChunk) -> RawChunk:
        """The chunk with both columns of a weight in one cell, `1 kg 200 g`, where they are parts.

        What tells otherwise may come in a later chunk: it counts when the file is read again.
        """
        for name in (Field.WEIGHT, Field.GROSS_WEIGHT):
            unit = raw.columns.units.get(name)
            if unit is None or unit.name not in MINOR_UNITS or name in self._twice:
                continue
            if minor_weight(name) not in raw.frame.columns:
                continue
            large, rest = _large_and_rest(name)
            size = MINOR_UNITS[unit.name][1]
            both = large.is_not_null() & rest.is_not_null()
            is_twice = both & ((large % 1 != 0) | (rest >= size))
            if raw.frame.select(is_twice.any()).item():
                self._twice.add(name)
            else:
                raw = _joined(raw, name, unit.name)
        return raw


def _large_and_rest(name: Field) -> tuple[pl.Expr, pl.Expr]:
    """The plain numbers in the two columns of a field of weights; null where a cell holds none."""
    plain = [
        or_null(column).str.strip_chars().str.replace(",", ".", literal=True).str.extract(_PLAIN)
        for column in (name, minor_weight(name))
    ]
    large, rest = (one.cast(pl.Float64, strict=False) for one in plain)
    return large, rest


def _joined(raw: RawChunk, name: Field, unit: str) -> RawChunk:
    """The chunk with the parts of the weights of one field joined."""
    large, rest = _large_and_rest(name)
    whole = pl.when(or_null(name).is_null()).then(0.0).otherwise(large)
    told = raw.frame.select(ROW, whole=whole, rest=rest).filter(
        pl.col("whole").is_not_null() & (pl.col("rest") > 0)
    )
    if told.is_empty():
        return raw
    small = MINOR_UNITS[unit][0]
    texts = {
        row: f"{rest:g} {small}" if not whole else f"{whole:g} {unit} {rest:g} {small}"
        for row, whole, rest in told.iter_rows()
    }
    cells = pl.col(ROW).replace_strict(texts, default=None, return_dtype=pl.String)
    frame = raw.frame.with_columns(pl.coalesce(cells, name).alias(name))
    stored = raw.stored_numbers
    if name in stored:
        stored = {**stored, name: stored[name] - texts.keys()}
    return replace(raw, frame=frame, stored_numbers=stored)
