"""A second table below the first one of a file or sheet: its rows would be read by a header that is
not theirs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.products import RejectedRow
from weighbridge.ingest.base import ROW
from weighbridge.ingest.columns.fields import NAMES, Field
from weighbridge.ingest.columns.headers import read_header
from weighbridge.ingest.columns.meanings import meanings
from weighbridge.ingest.values.wording import quote_all, readable_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.ingest.base import RawChunk

_TEXTS: Final = (Field.NAME, Field.DESCRIPTION)
_HEADERS: Final = pl.Series(sorted({name for names in NAMES.values() for name in names}))


class SecondTables:
    """Rejects the rows of second tables; remembers from chunk to chunk where one has begun."""

    def __init__(self) -> None:
        self._sheet: str | None = None
        self._begins: tuple[int, str] | None = None
        """Row number and header of the second table in this sheet."""

    def cut(self, raw: RawChunk) -> RawChunk:
        """The chunk, with the rows of a second table rejected, and rows that repeat the header in
        other words.
        """
        if raw.sheet != self._sheet:
            self._sheet, self._begins = raw.sheet, None
        frame, rejected = raw.frame, list(raw.rejected)
        if self._begins is None:
            for row, cells, fields in _headers_within(raw):
                if fields == (Field.CODE, *_TEXTS):
                    if _is_own(cells, raw):
                        continue  # `checking/rows.py` rejects it
                    reason = "the row repeats the header in other words and holds no product"
                    rejected.append(RejectedRow(row, "row", reason, sheet=raw.sheet))
                    frame = frame.filter(pl.col(ROW) != row)
                else:
                    self._begins = row, quote_all(cells)
                    break
        if self._begins is not None:
            first, header = self._begins
            below = frame.filter(pl.col(ROW) >= first)
            frame = frame.filter(pl.col(ROW) < first)
            reason = (
                f"a second table begins in row {first:,} ({header}), with other columns; give "
                "each table a file or a sheet of its own"
            )
            codes = zip(below[ROW], below[Field.CODE], strict=True)
            rejected += [
                RejectedRow(row, "row", reason, readable_code(code), raw.sheet)
                for row, code in codes
            ]
        if frame.height == raw.frame.height:
            return raw
        return replace(raw, frame=frame, rejected=tuple(sorted(rejected, key=lambda one: one.row)))


def _headers_within(
    raw: RawChunk,
) -> list[tuple[int, tuple[str, ...], tuple[Field | None, ...]]]:
    """Rows that are headers: their code, name and description are all names of fields.

    Each as (row number, cells, fields): these three cells, and the fields that they name. Where the
    row repeats these three of the file's own header, and another cell is a different header, such
    as "Weight (g)" under "Weight (kg)", that cell and its field follow as a fourth.
    """
    names = (Field.CODE, *_TEXTS)
    columns = raw.columns.positions
    if any(name not in raw.frame.columns for name in names):
        return []
    if columns.get(Field.NAME) == columns.get(Field.DESCRIPTION):
        return []
    plain = [pl.col(name).str.strip_chars().str.to_lowercase() for name in _TEXTS]
    named = [text.is_in(_HEADERS.implode()) for text in plain]
    found = []
    for record in raw.frame.filter(pl.all_horizontal(named)).iter_rows(named=True):
        texts = tuple((record[name] or "").strip() for name in names)
        fields = tuple(_field_named_by(text) for text in texts)
        if None in fields or fields[1] == fields[2]:
            continue
        for name in columns:
            cell = (record.get(name) or "").strip()
            if name not in names and _is_header_of_another_column(cell, name, raw):
                texts, fields = (*texts, cell), (*fields, _field_named_by(cell))
                break
        found.append((record[ROW], texts, fields))
    return found


def _is_own(texts: Sequence[str], raw: RawChunk) -> bool:
    """Whether these are the header's own texts for code, name and description."""
    own = [(raw.columns.header(name) or "").strip() for name in (Field.CODE, *_TEXTS)]
    return [text.lower() for text in texts] == [text.lower() for text in own]


def _is_header_of_another_column(cell: str, name: Field, raw: RawChunk) -> bool:
    """Whether a cell below the column of a field is the header of another field, or of the same in
    another unit.

    A cell without a unit repeats the column's own header: that may have its unit from another row.
    """
    named = _field_named_by(cell)
    if named is None:
        return False
    unit, own = read_header(cell).unit, raw.columns.units.get(name)
    return named is not name or (unit is not None and unit != own)


def _field_named_by(text: str) -> Field | None:
    """The field that a cell would name if it were a header; None if it would name none."""
    return next((name for name, _ in meanings(read_header(text), None)), None)
