"""What sets a variant apart ("Size: 40 cm, Colour: red"), and materials hidden among the
attributes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.columns.fields import SYNONYMS, Field
from weighbridge.ingest.shops.columns import or_null, with_column

if TYPE_CHECKING:
    from weighbridge.ingest.base import RawChunk

VARIANT_MARKS: Final = r"^\s*\[[A-Z]{1,3}\]"
"""Matches the beginning of the name in a SKU row of BigCommerce, which holds the options of the
SKU: `[RT]Size=Small`.
"""
_MATERIAL_PAIR: Final = (
    r"(?i)(?:^|,)(?:materials?|composition|fabric|material_composition)=\"?([^,\"]+)"
)
_ORIGIN_PAIR: Final = (
    r"(?i)(?:^|,)(?:country_of_manufacture|country_of_origin|made_in)=\"?([^,\"]+)"
)


def with_variants(raw: RawChunk, rows: pl.Expr | None = None) -> RawChunk:
    """The chunk with its columns of option names and values joined as the variant: "Size: M".

    Only the rows where `rows` is true get one; None: all rows.
    """
    parts, taken_from = [], ""
    for name, value in _option_columns(raw):
        told = or_null(value).is_not_null() & (pl.col(value) != "Default Title")
        if rows is not None:
            told &= rows
        label = pl.concat_str(or_null(name), pl.lit(": "))
        parts.append(pl.when(told).then(pl.concat_str(pl.coalesce(label, pl.lit("")), value)))
        taken_from = taken_from or value
    if not parts:
        return raw
    variant = pl.concat_str(parts, separator=", ", ignore_nulls=True)
    return with_column(raw, Field.VARIANT, pl.when(variant != "").then(variant), taken_from)


def readable_options(variant: pl.Expr) -> pl.Expr:
    """Options of BigCommerce and eBay (`Size=Small;Colour=Red`) as "Size: Small, Colour: Red".

    Old exports write `[RT]Size=Small,[CS]Colour=Red`, new ones
    `Type=Rectangle|Name=Size|Value=SmallType=Swatch|Name=Colour|Value=Red[#ff0000]`:
    https://support.bigcommerce.com/s/article/Importing-Product-Options-v3.
    """
    return (
        variant.str.replace_all(r"\[#[^\]]*\]", "")
        .str.replace_all(r"[\s,|]*Type=[^|]*\|Name=([^|]*)\|Value=", ", ${1}: ")
        .str.replace_all(r"[\s,]*\[[A-Z]{1,3}\]([^=,]*)=", ", ${1}: ")
        .str.replace_all(r"[\s;]*;\s*([^=;]+)=", ", ${1}: ")
        .str.replace_all(r"^([^=:,]+)=", "${1}: ")
        .str.strip_chars_start(", ")
    )


def with_parcel_weight(raw: RawChunk) -> RawChunk:
    """The chunk with eBay's two columns of a parcel's weight (pounds and ounces, or kilograms and
    grams) joined as the gross weight.
    """
    if not {"major", "minor", "unit"} <= set(raw.frame.columns):
        return raw
    metric = pl.col("unit").str.contains(r"(?i)^\s*(?:kg|kilo|metric)")
    imperial = pl.col("unit").str.contains(r"(?i)^\s*(?:lb|pound|english|imperial)")
    told = pl.coalesce(or_null("major"), or_null("minor")).is_not_null()
    amounts = [pl.coalesce(or_null(name), pl.lit("0")) for name in ("major", "minor")]
    # Without a unit the cell is one that nobody can read: the row says so.
    text = (
        pl.when(metric)
        .then(pl.format("{} kg {} g", *amounts))
        .when(imperial)
        .then(pl.format("{} lb {} oz", *amounts))
        .otherwise(pl.format("{}; {}", *amounts))
    )
    return with_column(raw, Field.GROSS_WEIGHT, pl.when(told).then(text), "major")


def with_materials(raw: RawChunk) -> RawChunk:
    """The chunk with the value of an option named like a column of materials as its materials."""
    found, taken_from = [], ""
    for name, value in _option_columns(raw):
        key = pl.col(name).str.to_lowercase().str.replace_all(r"[^\p{Alphabetic}0-9]", "")
        found.append(pl.when(key.is_in([*SYNONYMS[Field.MATERIALS]])).then(or_null(value)))
        taken_from = taken_from or value
    return with_column(raw, Field.MATERIALS, pl.coalesce(found), taken_from) if found else raw


def with_magento_attributes(raw: RawChunk) -> RawChunk:
    """The chunk with the materials that Magento's `additional_attributes` name, and the origin
    where its own column is empty.

    "color=Red,material=Cotton,country_of_manufacture=China".
    """
    if "attributes" not in raw.frame.columns:
        return raw
    found = pl.col("attributes").str.extract(_MATERIAL_PAIR, 1)
    origin = pl.col("attributes").str.extract(_ORIGIN_PAIR, 1)
    if Field.COUNTRY in raw.frame.columns:
        filled = pl.coalesce(or_null(Field.COUNTRY), origin).alias(Field.COUNTRY)
        raw = replace(raw, frame=raw.frame.with_columns(filled))
    else:
        raw = with_column(raw, Field.COUNTRY, origin, "attributes")
    return with_column(raw, Field.MATERIALS, found, "attributes")


def _option_columns(raw: RawChunk) -> list[tuple[str, str]]:
    """The columns of options that the chunk has, as (column of names, column of values)."""
    pairs = [(f"option{number}_name", f"option{number}_value") for number in (1, 2, 3)]
    return [pair for pair in pairs if set(pair) <= set(raw.frame.columns)]
