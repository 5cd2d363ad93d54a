"""Fills the empty cells of variants from their parents, the products they are variants of, wherever
in the file these are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.columns.matching import inherited
from weighbridge.ingest.shops.columns import or_null, with_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.ingest.base import RawChunk

INHERITED: Final = (
    Field.NAME,
    Field.DESCRIPTION,
    Field.IMAGE,
    Field.COUNTRY,
    Field.MATERIALS,
)
"""The fields that a variant takes over from its parent where its own row is empty."""
_LEARNED: Final = (*INHERITED, Field.WEIGHT, Field.GROSS_WEIGHT, Field.WEIGHT_UNIT)
_ALL: Final = pl.lit(value=True)


@dataclass(frozen=True, slots=True)
class _Parent:
    """A product with variants: its code, and the cells that its variants may take over."""

    code: str
    cells: Mapping[str, str | None]


class Parents:
    """Remembers every product that has variants, by the names that variants use for it."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Parent] = {}
        self._variants: dict[str, tuple[str, str]] = {}
        self._wanted: set[str] = set()

    @property
    def known(self) -> frozenset[str]:
        """The names of the parents that are remembered."""
        return frozenset(self._by_name)

    def learn_named(self, frame: pl.DataFrame, asking: pl.Expr = _ALL) -> None:
        """Remember the rows that variants of this or an earlier chunk name as their parent, as far
        as these variants are `asking` rows.

        A parent in a chunk before all its variants is learnt when the file is read again.
        """
        names = frame.filter(asking).select(or_null(Field.PARENT_CODE)).to_series().drop_nulls()
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
            code, number_told = _stripped(record, "own"), _stripped(record, "told")
            parent = _Parent(code or number_told, _cells_for_variants(record))
            self._by_name |= {name: parent for name in (code, number_told) if name}

    def fill(self, raw: RawChunk, names: Sequence[str]) -> RawChunk:
        """The chunk with empty cells of variants filled from their parent, for the columns `names`.

        A variant's parent code becomes the parent's own code where it was a number.
        """
        told = [raw.frame[Field.PARENT_CODE].str.strip_chars()]
        if not told[0].is_in([*self._by_name]).any():
            return raw
        records = raw.frame.to_dicts()
        for record in records:
            parent = self._by_name.get(_stripped(record, Field.PARENT_CODE))
            if parent is not None:
                _inherit(record, parent, names)
                record[Field.PARENT_CODE] = parent.code
        return replace(raw, frame=pl.DataFrame(records, schema=raw.frame.schema))

    def fill_texts(self, raw: RawChunk) -> RawChunk:
        """For files of no known program: the chunk with rows of variants that lack a name or
        description filled from their parents, also in other empty cells except weights.

        The columns `inherited` say which text is whose. Every other row stays as it is.
        """
        texts = [name for name in REQUIRED[1:] if name in raw.frame.columns]
        if not texts:
            return raw
        lacks = pl.any_horizontal([or_null(name).is_null() for name in texts])
        self.learn_named(raw.frame, lacks)  # of all parents a large file may have too many
        named = pl.col(Field.PARENT_CODE).str.strip_chars().is_in([*self._by_name])
        if not raw.frame.select((lacks & named).any()).item():
            return raw
        records = raw.frame.to_dicts()
        for record in records:
            parent = self._by_name.get(_stripped(record, Field.PARENT_CODE))
            missing = [name for name in texts if not _stripped(record, name)]
            if parent and missing:
                _inherit(record, parent, INHERITED)
                record |= {inherited(name): parent.code for name in missing if record[name]}
        marks = {inherited(name): pl.String for name in texts}
        return replace(raw, frame=pl.DataFrame(records, schema={**raw.frame.schema, **marks}))

    def learn_magento(self, frame: pl.DataFrame) -> None:
        """Remember the parents in a Magento export, and the variants that each of them lists.

        They stand in `configurable_variations`: "sku=A-S,size=S|sku=A-M,size=M".
        """
        for record in frame.filter(or_null("variations").is_not_null()).iter_rows(named=True):
            code = _stripped(record, Field.CODE)
            self._by_name[code] = _Parent(code, _cells_for_variants(record))
            for variation in str(record["variations"]).split("|"):
                pairs = [pair.partition("=") for pair in variation.split(",")]
                sku = next((value.strip() for key, _, value in pairs if key.strip() == "sku"), "")
                apart = ", ".join(f"{k.strip()}: {v.strip()}" for k, _, v in pairs if k != "sku")
                self._variants[sku] = (code, apart)

    def fill_magento(self, raw: RawChunk, names: Sequence[str]) -> RawChunk:
        """The chunk with parent, variant and empty cells filled in for the variants of a parent.

        `names` are the columns that variants take over.
        """
        codes = raw.frame[Field.CODE].str.strip_chars()
        nothing = pl.lit(None, dtype=pl.String)
        raw = with_column(raw, Field.PARENT_CODE, nothing, "variations")
        raw = with_column(raw, Field.VARIANT, nothing, "variations")
        if not codes.is_in([*self._variants]).any():
            return raw
        records = raw.frame.to_dicts()
        for record in records:
            code, apart = self._variants.get(_stripped(record, Field.CODE), ("", ""))
            if code:
                _inherit(record, self._by_name[code], names)
                record[Field.PARENT_CODE] = _stripped(record, Field.PARENT_CODE) or code
                record[Field.VARIANT] = _stripped(record, Field.VARIANT) or apart
        return replace(raw, frame=pl.DataFrame(records, schema=raw.frame.schema))


def _stripped(record: Mapping[str, str | None], name: str) -> str:
    """The cell without outer white space; "" where it is missing or null."""
    return (record.get(name) or "").strip()


def _cells_for_variants(record: Mapping[str, str | None]) -> dict[str, str | None]:
    """The cells of a row that its variants may take over."""
    return {key: cell for key, cell in record.items() if key.partition("+")[0] in _LEARNED}


def _inherit(record: dict[str, str | None], parent: _Parent, names: Sequence[str]) -> None:
    """Fill the empty cells of a variant's row, in the columns `names`, from its parent."""
    for key, cell in parent.cells.items():
        if key.partition("+")[0] in names and key in record and not _stripped(record, key):
            record[key] = cell
