"""Parents that variants name, wherever in the file they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.shops.columns import or_null, with_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.ingest.base import RawChunk

_LEARNED: Final = (
    Field.NAME,
    Field.DESCRIPTION,
    Field.IMAGE,
    Field.COUNTRY,
    Field.MATERIALS,
    Field.WEIGHT,
    Field.GROSS_WEIGHT,
    Field.WEIGHT_UNIT,
)


@dataclass(frozen=True, slots=True)
class _Parent:
    code: str
    cells: Mapping[str, str | None]


class Parents:
    """Every product seen that has variants, by the names that variants use for it."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Parent] = {}
        self._variants: dict[str, tuple[str, str]] = {}
        self._wanted: set[str] = set()

    def learn_named(self, frame: pl.DataFrame) -> None:
        """Rows that variants name, in this chunk or in one before.

        A parent that stands before all its variants is learnt when the file is read again.
        """
        names = frame.select(or_null(Field.PARENT_CODE)).to_series().drop_nulls()
        self._wanted |= set(names.str.strip_chars())
        if not self._wanted:
            return
        number = pl.col("id").str.strip_chars() if "id" in frame.columns else pl.lit(None)
        # WooCommerce writes a product's number as "id:12", and a bare 12 is a code.
        told = pl.format("id:{}", number) if "kind" in frame.columns else number
        named = frame.with_columns(
            pl.col(Field.CODE).str.strip_chars().alias("own"), told.alias("told")
        )
        wanted = pl.Series([*self._wanted], dtype=pl.String).implode()
        for record in named.filter(
            pl.col("own").is_in(wanted) | pl.col("told").cast(pl.String).is_in(wanted)
        ).iter_rows(named=True):
            code, number_told = _cell(record, "own"), _cell(record, "told")
            parent = _Parent(code or number_told, _own(record))
            self._by_name |= {name: parent for name in (code, number_told) if name}

    def fill(self, raw: RawChunk, names: Sequence[str]) -> RawChunk:
        """Empty cells of variants take what the parent says; the parent is named by its code."""
        told = [raw.frame[Field.PARENT_CODE].str.strip_chars()]
        if not told[0].is_in([*self._by_name]).any():
            return raw
        records = raw.frame.to_dicts()
        for record in records:
            parent = self._by_name.get(_cell(record, Field.PARENT_CODE))
            if parent is not None:
                _inherit(record, parent, names)
                record[Field.PARENT_CODE] = parent.code
        return replace(raw, frame=pl.DataFrame(records, schema=raw.frame.schema))

    def learn_magento(self, frame: pl.DataFrame) -> None:
        """`configurable_variations`: "sku=A-S,size=S|sku=A-M,size=M"."""
        for record in frame.filter(or_null("variations").is_not_null()).iter_rows(named=True):
            code = _cell(record, Field.CODE)
            self._by_name[code] = _Parent(code, _own(record))
            for variation in str(record["variations"]).split("|"):
                pairs = [pair.partition("=") for pair in variation.split(",")]
                sku = next((value.strip() for key, _, value in pairs if key.strip() == "sku"), "")
                apart = ", ".join(f"{k.strip()}: {v.strip()}" for k, _, v in pairs if k != "sku")
                self._variants[sku] = (code, apart)

    def fill_magento(self, raw: RawChunk, names: Sequence[str]) -> RawChunk:
        """Simple products that a configurable one lists."""
        codes = raw.frame[Field.CODE].str.strip_chars()
        nothing = pl.lit(None, dtype=pl.String)
        raw = with_column(raw, Field.PARENT_CODE, nothing, "variations")
        raw = with_column(raw, Field.VARIANT, nothing, "variations")
        if not codes.is_in([*self._variants]).any():
            return raw
        records = raw.frame.to_dicts()
        for record in records:
            code, apart = self._variants.get(_cell(record, Field.CODE), ("", ""))
            if code:
                _inherit(record, self._by_name[code], names)
                record[Field.PARENT_CODE] = _cell(record, Field.PARENT_CODE) or code
                record[Field.VARIANT] = _cell(record, Field.VARIANT) or apart
        return replace(raw, frame=pl.DataFrame(records, schema=raw.frame.schema))


def _cell(record: Mapping[str, str | None], name: str) -> str:
    return (record.get(name) or "").strip()


def _own(record: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: cell for key, cell in record.items() if key.partition("+")[0] in _LEARNED}


def _inherit(record: dict[str, str | None], parent: _Parent, names: Sequence[str]) -> None:
    for key, cell in parent.cells.items():
        if key.partition("+")[0] in names and key in record and not _cell(record, key):
            record[key] = cell
