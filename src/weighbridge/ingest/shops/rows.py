"""Turns the rows of shop exports into rows of one product each.

A variant takes what its row leaves empty from its parent, the product it is a variant of. Rows that
are no products (further pictures, other languages) are counted and passed over. Parents may follow
their variants: the first reading of a file (the survey) learns them, the second one finds them all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.shops.columns import or_null, pass_over, with_column
from weighbridge.ingest.shops.parents import INHERITED, Parents
from weighbridge.ingest.shops.split_weights import SplitWeights
from weighbridge.ingest.shops.variants import (
    VARIANT_MARKS,
    readable_options,
    with_magento_attributes,
    with_materials,
    with_parcel_weight,
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
_MASSES: Final = (Field.WEIGHT, Field.GROSS_WEIGHT, Field.WEIGHT_UNIT)
_FILLED: Final = (*INHERITED, "option1_name", "option2_name", "option3_name")


class ShopRows:
    """Turns the rows of one file into one row per product; only exports of shops are changed."""

    def __init__(self) -> None:
        self._parents = Parents()
        self._weights = SplitWeights()
        self._over_chunks: dict[str, str] = {}
        """All pictures of each product whose rows lie in two chunks, by the key that its rows
        share.
        """
        self._is_first_reading = True
        self._start()

    def _start(self) -> None:
        """Forget the rows seen, to read the file from its beginning."""
        self._last: pl.DataFrame | None = None
        self._products = 0
        self._codes = pl.Series("codes", [], dtype=pl.UInt64)

    def read(self, chunks: Iterator[RawChunk]) -> Iterator[RawChunk]:
        """The chunks of a file with one row per product, in order.

        May be called again to read the file again.
        """
        self._start()
        for chunk in chunks:
            yield self._weights.join(self._apply(chunk))
        self._is_first_reading = False

    def _apply(self, raw: RawChunk) -> RawChunk:
        """The chunk with one row per product, by the way its shop arranges rows; unchanged if it is
        no shop's export.
        """
        names = raw.frame.columns
        match raw.columns.shop.rows if raw.columns.shop else "":
            case "grouped":
                return self._by_handle(raw)
            case "views":
                return self._by_store_view(raw)
            case "named" if Field.PARENT_CODE in names:
                return self._by_parent_code(raw)
            case "typed" if "kind" in names:
                return self._by_kind(raw)
            case "continued":
                return self._by_missing_title(raw)
            case "lists":
                # Exports of lists (suppliers, attribute values) go on below the product.
                empty = [or_null(name).is_null() for name in REQUIRED if name in names]
                return pass_over(raw, pl.all_horizontal(empty), _CONTINUED)
            case "plants" if "language" in names or "plant" in names:
                return self._without_repeats(raw, pl.lit(value=True), _PLANTS)
            case "" if Field.PARENT_CODE in names:
                return self._parents.fill_texts(raw)
            case _:
                return raw

    def _by_handle(self, raw: RawChunk) -> RawChunk:
        """Shopify, where rows of a product share a handle and only the first has what is common to
        them: fills the others from it, and passes over rows that only have a further picture.
        """
        if Field.PARENT_CODE in raw.frame.columns:
            raw = self._fill_down(raw, pl.col(Field.PARENT_CODE).str.strip_chars())
        sold = [or_null(name) for name in ("price", "option1_value") if name in raw.frame.columns]
        nothing = pl.coalesce(or_null(Field.CODE), *sold).is_null()
        return with_variants(pass_over(raw, nothing, _PICTURES))

    def _by_kind(self, raw: RawChunk) -> RawChunk:
        """BigCommerce, where each row says its kind and variants follow their product: fills them
        from it, and passes over rows of pictures and rules.
        """
        kind = pl.col("kind").str.strip_chars().str.to_lowercase()
        raw = pass_over(raw, kind.is_in(["image", "video", "rule"]), _RULES)
        marked = or_null(Field.NAME).str.contains(VARIANT_MARKS)
        in_name = pl.when(marked).then(Field.NAME)
        if Field.VARIANT in raw.frame.columns:
            either = pl.coalesce(or_null(Field.VARIANT), in_name).alias(Field.VARIANT)
            raw = _with_frame(raw, raw.frame.with_columns(either))
        raw = with_column(raw, Field.VARIANT, in_name, "kind")
        unmarked = pl.when(~marked.fill_null(value=False)).then(Field.NAME).alias(Field.NAME)
        raw = _with_frame(raw, raw.frame.with_columns(unmarked))
        return self._with_parent_above(
            raw, kind == "product", kind.is_in(["sku", "variant"]), "kind"
        )

    def _by_missing_title(self, raw: RawChunk) -> RawChunk:
        """eBay, where rows without a title are variants of the row above: fills them from it."""
        raw = with_parcel_weight(raw)
        starts = or_null(Field.NAME).is_not_null()
        if not {"options", "label"} <= set(raw.frame.columns):
            return raw
        raw = with_column(raw, Field.VARIANT, pl.when(~starts).then(or_null("options")), "options")
        return self._with_parent_above(raw, starts, ~starts, "label")

    def _with_parent_above(
        self, raw: RawChunk, starts: pl.Expr, is_child: pl.Expr, taken_from: str
    ) -> RawChunk:
        """Exports in which variants follow their product: each takes over what its row lacks.

        `starts` is true for rows that start a product, `is_child` for those of variants; the
        variants' parent code comes from the helper column `taken_from`. Products without a code
        that are sold only as variants are passed over.
        """
        numbers = raw.frame.select(starts.fill_null(value=False).cum_sum()).to_series()
        numbers += self._products
        self._products = int(numbers[-1]) if numbers.len() else self._products
        ids = [or_null("id")] if "id" in raw.frame.columns else []
        parent = pl.when(starts).then(pl.coalesce(or_null(Field.CODE), *ids)).alias("parent")
        childless = ~is_child.any().over("number")
        only = starts & or_null(Field.CODE).is_null() & ~childless
        keyed = raw.frame.with_columns(numbers.cast(pl.String).alias("number"), parent)
        keyed = keyed.with_columns(only.alias("only"), is_child.alias("is child"))
        nothing = pl.lit(None, dtype=pl.String)
        raw = with_column(_with_frame(raw, keyed), Field.PARENT_CODE, nothing, taken_from)
        raw = self._fill_down(raw, pl.col("number"), (*_MASSES, "parent"))
        told = pl.when("is child").then("parent").alias(Field.PARENT_CODE)
        variant = readable_options(pl.col(Field.VARIANT)).alias(Field.VARIANT)
        raw = _with_frame(raw, raw.frame.with_columns(told, variant))
        raw = pass_over(raw, pl.col("only"), _ONLY_PARENTS)
        return _with_frame(raw, raw.frame.drop("only", "is child"))

    def _fill_down(self, raw: RawChunk, key: pl.Expr, more: tuple[str, ...] = ()) -> RawChunk:
        """The chunk with empty cells filled from the rows above of the same product.

        Rows with the same `key` are one product, also across chunks. `more` are columns to fill
        besides the usual ones.
        """
        wanted = (*_FILLED, *more)
        names = [name for name in raw.frame.columns if name.partition("+")[0] in wanted]
        frame = raw.frame.with_columns(key.alias(_KEY), *(or_null(name) for name in names))
        skipped = 0
        if self._last is not None and self._last.columns == frame.columns:
            frame, skipped = pl.concat([self._last, frame], how="vertical"), 1
        pictures = "image_src" if "image_src" in frame.columns else Field.IMAGE
        images = _pictures_of_product(frame, pictures)
        if skipped and self._is_first_reading and pictures in frame.columns:
            product, told = frame.select(_KEY, images.alias(pictures)).row(0)
            self._over_chunks |= {product: told} if product and told else {}
        images = self._with_later_chunks(images)
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

    def _with_later_chunks(self, images: pl.Expr) -> pl.Expr:
        """The pictures of each product, with those of a product whose rows lie in two chunks.

        On the first reading of the file these are not known: `images` as they are.
        """
        if self._is_first_reading or not self._over_chunks:
            return images
        known = pl.col(_KEY).replace_strict(
            [*self._over_chunks],
            [*self._over_chunks.values()],
            default=None,
            return_dtype=pl.String,
        )
        return pl.coalesce(known, images)

    def _by_parent_code(self, raw: RawChunk) -> RawChunk:
        """Exports in which a variant names its parent, by code or by the program's own number:
        fills variants from their parents.
        """
        itself = pl.col(Field.PARENT_CODE) == pl.col(Field.CODE)
        parent = pl.when(~itself.fill_null(value=False)).then(Field.PARENT_CODE)
        raw = _with_frame(raw, raw.frame.with_columns(parent.alias(Field.PARENT_CODE)))
        self._parents.learn_named(raw.frame)
        raw = with_materials(self._parents.fill(raw, (*INHERITED, *_MASSES)))
        if "kind" not in raw.frame.columns:
            return with_variants(raw)
        kind = pl.col("kind").str.to_lowercase()
        raw = with_variants(raw, kind.str.contains("variation"))
        only = kind.str.contains("variable|grouped") & or_null(Field.CODE).is_null()
        return pass_over(raw, only, _ONLY_PARENTS)

    def _by_store_view(self, raw: RawChunk) -> RawChunk:
        """Magento, which has a row for each store view: passes over all but the first of a product,
        and fills variants from their parents.
        """
        code, name = or_null(Field.CODE), or_null(Field.NAME)
        view = or_null("view") if "view" in raw.frame.columns else pl.lit(None, dtype=pl.String)
        raw = pass_over(raw, code.is_null() & (name.is_null() | view.is_not_null()), _VIEWS)
        raw = self._without_repeats(raw, view.is_not_null(), _VIEWS)
        if "variations" in raw.frame.columns:
            self._parents.learn_magento(raw.frame)
            raw = self._parents.fill_magento(raw, INHERITED)
        return with_magento_attributes(raw)

    def _without_repeats(self, raw: RawChunk, rows: pl.Expr, what: str) -> RawChunk:
        """The chunk without rows whose code came before, of those where `rows` is true.

        They are counted under `what`, for the report.
        """
        codes = raw.frame.select(pl.col(Field.CODE).str.strip_chars().hash(seed=1)).to_series()
        again = ~codes.is_first_distinct() | codes.is_in(self._codes.implode())
        self._codes = self._codes.append(codes.unique()).unique()
        return pass_over(raw, rows & or_null(Field.CODE).is_not_null() & pl.lit(again), what)


def _pictures_of_product(frame: pl.DataFrame, pictures: str) -> pl.Expr:
    """A polars expression: all pictures of each row's product, one a line.

    `pictures` is the column that has them. They are ordered by the column of positions, else as the
    rows stand.
    """
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
