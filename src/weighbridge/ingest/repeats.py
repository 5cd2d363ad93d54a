"""Codes that a file has in several rows: the first row counts, the later ones are rejected, each
with the number of the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.products import RejectedRow
from weighbridge.ingest.base import ROW
from weighbridge.ingest.values.wording import quote, readable_code

if TYPE_CHECKING:
    from weighbridge.ingest.checking.chunks import CheckedChunk

_SEED: Final = 20_261_127


class Repeats:
    """Remembers eight bytes and a row number for each code, whatever the length of the file.

    The database has the last word on two codes with the same eight bytes: it compares the codes
    themselves.
    """

    def __init__(self) -> None:
        self._seen = pl.DataFrame(schema={"hash": pl.UInt64, "first": pl.Int64, "sheet": pl.Int32})
        self._sheets: list[str | None] = []

    def reject_repeats(
        self, chunk: CheckedChunk, sheet: str | None = None, column: str | None = None
    ) -> CheckedChunk:
        """The chunk, with every row rejected whose code an earlier row of the file has.

        `sheet` and `column` (the header of the codes) are for the rejected rows.
        """
        if sheet not in self._sheets:
            self._sheets.append(sheet)
        hashed = chunk.products.select(
            pl.col("code").hash(_SEED).alias("hash"),
            pl.col(ROW).alias("first"),
            pl.lit(self._sheets.index(sheet), dtype=pl.Int32).alias("sheet"),
        )
        fresh = hashed.unique("hash", keep="first", maintain_order=True)
        known = fresh.join(self._seen, on="hash", how="inner", suffix="_before")
        if fresh.height == hashed.height and known.is_empty():
            self._seen = self._seen.vstack(fresh)
            return chunk
        self._seen = self._seen.vstack(fresh.join(known, on="hash", how="anti")).rechunk()
        return self._reject_later_rows(chunk, hashed, sheet, column)

    def _reject_later_rows(
        self, chunk: CheckedChunk, hashed: pl.DataFrame, sheet: str | None, column: str | None
    ) -> CheckedChunk:
        """The chunk with repeated rows rejected, each naming the row that had its code first.

        `hashed` has the hash of each product's code.
        """
        before = hashed.select("hash").join(
            self._seen, on="hash", how="left", maintain_order="left"
        )
        is_first = (chunk.products[ROW] == before["first"]) & (hashed["sheet"] == before["sheet"])
        repeated = chunk.products.select(ROW, "code").hstack(before.select("first", "sheet"))
        repeated = repeated.filter(~is_first)
        rejected: list[RejectedRow] = []
        for row, code, first, number in repeated.iter_rows():
            other = self._sheets[number] if self._sheets[number] != sheet else None
            reason = _repeat_reason(code, first, other)
            rejected.append(RejectedRow(row, "code", reason, readable_code(code), sheet, column))
        gone = repeated[ROW].implode()
        return replace(
            chunk,
            products=chunk.products.filter(is_first),
            notes=chunk.notes.filter(~chunk.notes[ROW].is_in(gone)),
            rejected=tuple(sorted([*chunk.rejected, *rejected], key=lambda row: row.row)),
        )


def _repeat_reason(code: str, first: int, other_sheet: str | None) -> str:
    """Why the row is rejected; `other_sheet` is the sheet of row `first` if it is not this one."""
    where = f" of sheet {quote(other_sheet)}" if other_sheet else ""
    return f"row {first}{where} has the same code {quote(code)} and is kept; give each product a code of its own"
