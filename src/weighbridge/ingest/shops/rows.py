"""Rows of shop exports, one product each.

A variant takes what its row leaves empty from the product it belongs to. Rows that are no products
(further pictures, other languages) are counted and passed over. Parents may follow their variants:
the first reading of a file (the survey) learns them, the second one finds them all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.columns.shops import BIGCOMMERCE, MAGENTO, ODOO, SAP, SHOPIFY, WOOCOMMERCE
from weighbridge.ingest.shops.columns import or_null, pass_over, with_column
from weighbridge.ingest.shops.parents import Parents
from weighbridge.ingest.shops.variants import (
    VARIANT_MARKS,
    readable_options,
    with_magento_attributes,
    with_materials,
    with_variants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.ingest.base import RawChunk

_PICTURES: Final = "rows of further pictures"
_RULES: Final = "rows of pictures and rules"
_VIEWS: Final = "rows of other store views"
_PLANTS: Final = "rows of other languages and plants"
_CONTINUED: Final = "rows that continue the product above"
_ONLY_PARENTS: Final = "rows of products sold only as variants, without a code of their own"
_KEY: Final = "belongs to"
_FILLED: Final = (
    Field.NAME,
    Field.DESCRIPTION,
    Field.IMAGE,
    Field.COUNTRY,
    Field.MATERIALS,
    "option1_name",
    "option2_name",
    "option3_name",
)


class ShopRows:
    """Makes the rows of one file products. What is no shop's export is handed on as it is."""

    def __init__(self) -> None:
        self._parents = Parents()
        self._over_chunks: dict[str, str] = {}
        """Of each product that a chunk ends in: its pictures, also those in the next one."""
        self._is_first_reading = True
        self._start()

    def _start(self) -> None:
        self._last: pl.DataFrame | None = None
        self._products = 0
        self._codes = pl.Series("codes", [], dtype=pl.UInt64)

    def read(self, chunks: Iterator[RawChunk]) -> Iterator[RawChunk]:
        """The chunks of a file in order; may be called again to read the file again."""
        self._start()
        for chunk in chunks:
            yield self._apply(chunk)
        self._is_first_reading = False

    def _apply(self, raw: RawChunk) -> RawChunk:
        names = raw.frame.columns
        match raw.columns.shop:
            case shop if shop is SHOPIFY:
                return self._shopify(raw)
            case shop if shop is MAGENTO:
                return self._magento(raw)
            case shop if shop is WOOCOMMERCE and Field.PARENT_CODE in names:
                return self._woocommerce(raw)
            case shop if shop is BIGCOMMERCE and "kind" in names:
                return self._bigcommerce(raw)
            case shop if shop is ODOO:
                # Exports of lists (suppliers, attribute values) go on below the product.
                empty = [or_null(name).is_null() for name in REQUIRED if name in names]
                return pass_over(raw, pl.all_horizontal(empty), _CONTINUED)
            case shop if shop is SAP and ("language" in names or "plant" in names):
                return self._without_repeats(raw, pl.lit(value=True), _PLANTS)
            case _:
                return raw

    def _shopify(self, raw: RawChunk) -> RawChunk:
        if Field.PARENT_CODE in raw.frame.columns:
            raw = self._fill_down(raw, pl.col(Field.PARENT_CODE).str.strip_chars())
        sold = [or_null(name) for name in ("price", "option1_value") if name in raw.frame.columns]
        nothing = pl.coalesce(or_null(Field.CODE), *sold).is_null()
        return with_variants(pass_over(raw, nothing, _PICTURES))

    def _bigcommerce(self, raw: RawChunk) -> RawChunk:
        kind = pl.col("kind").str.strip_chars().str.to_lowercase()
        raw = pass_over(raw, kind.is_in(["image", "video", "rule"]), _RULES)
        numbers = raw.frame.select((kind == "product").fill_null(value=False).cum_sum()).to_series()
        numbers += self._products
        self._products = int(numbers[-1]) if numbers.len() else self._products
        marked = or_null(Field.NAME).str.contains(VARIANT_MARKS)
        in_name = pl.when(marked).then(Field.NAME)
        if Field.VARIANT in raw.frame.columns:
            either = pl.coalesce(or_null(Field.VARIANT), in_name).alias(Field.VARIANT)
            raw = _with_frame(raw, raw.frame.with_columns(either))
        raw = with_column(raw, Field.VARIANT, in_name, "kind")
        unmarked = pl.when(~marked.fill_null(value=False)).then(Field.NAME)
        keyed = raw.frame.with_columns(
            unmarked.alias(Field.NAME), numbers.cast(pl.String).alias("number")
        )
        is_child = kind.is_in(["sku", "variant"])
        parent = pl.when(kind == "product").then(
            pl.coalesce(or_null(Field.CODE), *([or_null("id")] if "id" in keyed.columns else []))
        )
        raw = with_column(
            _with_frame(raw, keyed.with_columns(parent.alias("parent"))),
            Field.PARENT_CODE,
            pl.lit(None, dtype=pl.String),
            "kind",
        )
        raw = self._fill_down(raw, pl.col("number"), (Field.WEIGHT, "parent"))
        told = pl.when(is_child).then("parent").alias(Field.PARENT_CODE)
        variant = readable_options(pl.col(Field.VARIANT)).alias(Field.VARIANT)
        raw = _with_frame(raw, raw.frame.with_columns(told, variant))
        childless = ~is_child.any().over("number")
        only = (kind == "product") & or_null(Field.CODE).is_null() & ~childless
        return pass_over(raw, only, _ONLY_PARENTS)

    def _fill_down(self, raw: RawChunk, key: pl.Expr, more: tuple[str, ...] = ()) -> RawChunk:
        """Empty cells take what the product's first row says, also from the chunk before."""
        wanted = (*_FILLED, *more)
        names = [name for name in raw.frame.columns if name.partition("+")[0] in wanted]
        frame = raw.frame.with_columns(key.alias(_KEY), *(or_null(name) for name in names))
        skipped = 0
        if self._last is not None and self._last.columns == frame.columns:
            frame, skipped = pl.concat([self._last, frame], how="vertical"), 1
        pictures = "image_src" if "image_src" in frame.columns else Field.IMAGE
        images = _pictures(frame, pictures)
        if skipped and self._is_first_reading and pictures in frame.columns:
            product, told = frame.select(_KEY, images.alias(pictures)).row(0)
            self._over_chunks |= {product: told} if product and told else {}
        images = self._whole(images)
        positions = raw.columns.positions
        # A shop with a single column of pictures shows the product in it, never one variant.
        shared = positions.get(Field.IMAGE, -1) == raw.columns.helpers.get("image_src")
        has_key = pl.col(_KEY).is_not_null() & (pl.col(_KEY) != "")
        filled = frame.with_columns(
            pl.when(has_key)
            # A variant without a picture of its own has the product's, not its neighbour's.
            .then(
                (images if shared else pl.coalesce(name, images))
                if name == Field.IMAGE
                else pl.col(name).forward_fill().over(_KEY)
            )
            .otherwise(pl.col(name))
            .alias(name)
            for name in names
        )
        last = filled
        if pictures in frame.columns:
            last = filled.with_columns(frame.select(images.alias(pictures)).to_series())
        self._last = last.tail(1).select(frame.columns)
        return _with_frame(raw, filled.slice(skipped).drop(_KEY))

    def _whole(self, images: pl.Expr) -> pl.Expr:
        """The pictures of each product, also those in a chunk still to come."""
        if self._is_first_reading or not self._over_chunks:
            return images
        known = pl.col(_KEY).replace_strict(
            [*self._over_chunks],
            [*self._over_chunks.values()],
            default=None,
            return_dtype=pl.String,
        )
        return pl.coalesce(known, images)

    def _woocommerce(self, raw: RawChunk) -> RawChunk:
        """A variation names its parent by SKU or by "id:NUMBER"."""
        kind = pl.col("kind").str.to_lowercase() if "kind" in raw.frame.columns else pl.lit("")
        self._parents.learn_woocommerce(raw.frame)
        raw = with_materials(self._parents.fill(raw, (*_FILLED[:5], Field.WEIGHT)))
        raw = with_variants(raw, kind.str.contains("variation"))
        only = kind.str.contains("variable|grouped") & or_null(Field.CODE).is_null()
        return pass_over(raw, only, _ONLY_PARENTS)

    def _magento(self, raw: RawChunk) -> RawChunk:
        code, name = or_null(Field.CODE), or_null(Field.NAME)
        view = or_null("view") if "view" in raw.frame.columns else pl.lit(None, dtype=pl.String)
        raw = pass_over(raw, code.is_null() & (name.is_null() | view.is_not_null()), _VIEWS)
        raw = self._without_repeats(raw, view.is_not_null(), _VIEWS)
        if "variations" in raw.frame.columns:
            self._parents.learn_magento(raw.frame)
            raw = self._parents.fill_magento(raw, _FILLED[:5])
        return with_magento_attributes(raw)

    def _without_repeats(self, raw: RawChunk, rows: pl.Expr, what: str) -> RawChunk:
        """The first row of a code is the product; the later ones among `rows` are passed over."""
        codes = raw.frame.select(pl.col(Field.CODE).str.strip_chars().hash(seed=1)).to_series()
        again = ~codes.is_first_distinct() | codes.is_in(self._codes.implode())
        self._codes = self._codes.append(codes.unique()).unique()
        return pass_over(raw, rows & or_null(Field.CODE).is_not_null() & pl.lit(again), what)


def _pictures(frame: pl.DataFrame, pictures: str) -> pl.Expr:
    """The pictures of each product, one a line: by their positions, or as the rows stand."""
    cells = or_null(pictures)
    if "image_position" in frame.columns:
        place = pl.when(cells.is_not_null()).then(
            pl.col("image_position").cast(pl.Float64, strict=False).fill_null(1e9)
        )
        cells = cells.sort_by(place, nulls_last=True, maintain_order=True)
    joined = cells.str.join("\n", ignore_nulls=True).over(_KEY)
    return pl.when(joined != "").then(joined)


def _with_frame(raw: RawChunk, frame: pl.DataFrame) -> RawChunk:
    return replace(raw, frame=frame)
