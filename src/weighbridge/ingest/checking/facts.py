"""The facts of each row (`domain.facts`), read column by column and written as one JSON text a
row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.facts import FootprintBoundary, FootprintUnit
from weighbridge.ingest.checking.optional import (
    ReadColumn,
    by_distinct,
    read_amounts,
    read_currencies,
    read_shares,
    read_texts,
)
from weighbridge.ingest.columns.fields import Field, normalise
from weighbridge.ingest.values import amounts
from weighbridge.ingest.values.currencies import currency_of
from weighbridge.ingest.values.nothing import placeholder_note
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from weighbridge.ingest.base import RawChunk
    from weighbridge.ingest.checking.notes import NoteBook
    from weighbridge.ingest.checking.rules import RowRules
    from weighbridge.ingest.columns.matching import ColumnMap
    from weighbridge.ingest.values.amounts import Read

MAX_CHARACTERS: Final = 5_000
"""The most characters of a text among the facts."""

_TEXTS: Final = {
    Field.MATERIALS: "materials",
    Field.PROCESS_HINTS: "process_hints",
    Field.VARIANT: "variant",
    Field.PARENT_CODE: "parent_code",
    Field.SUPPLIER: "supplier",
}
_NUMBERS: Final[dict[Field, tuple[str, Read, float]]] = {
    # field → (fact, how a cell is read, the least value that is accepted)
    Field.PIECES_PER_PACK: ("pieces_per_pack", amounts.read_pieces, 1e-9),
    Field.QUANTITY: ("quantity", amounts.read_quantity, 0.0),
    Field.PRICE: ("price", amounts.read_price, 0.0),
    Field.SUPPLIER_FOOTPRINT: ("supplier_footprint_kg_co2e", amounts.read_footprint, 1e-12),
}
_GIVEN: Final = {
    **{name: (fact,) for name, fact in _TEXTS.items()},
    **{name: (fact,) for name, (fact, _, _) in _NUMBERS.items()},
    Field.RECYCLED_SHARE: ("recycled_share",),
    Field.GROSS_WEIGHT: ("gross_weight_kg", "weight_is_gross"),
    Field.PRICE: ("price", "currency"),
    Field.SUPPLIER_FOOTPRINT: ("supplier_footprint_kg_co2e", "supplier_footprint_per"),
    Field.SUPPLIER_BOUNDARY: ("supplier_footprint_boundary",),
}
_OTHER_UNIT: Final = "other"
"""Stands for a unit that is not known, so that the supplier's figure is left out."""
_PER_KILOGRAM: Final = re.compile(
    r"(?:/|[\W_](?:per|je|pro|par|por|na|za)[\W_])\s*1?\s*(?:kg|kilo|kilogramm?e?)(?:[\W_]|$)",
    re.IGNORECASE,
)
"""Matches where a header names a unit per kilogram, such as `kg CO2e/kg`; not in `CO2e (kg)`, where
kg is the footprint's unit.
"""
_FOOTPRINT_UNITS: Final = {
    **dict.fromkeys(
        ("piece", "pieces", "pc", "pcs", "unit", "units", "item", "each", "ea", "product", "stück", "stuck", "stk", "pièce", "pieza", "pezzo", "pce", "h87", "c62"),
        FootprintUnit.PIECE,
    ),
    **dict.fromkeys(
        ("kg", "kilogram", "kilograms", "kilogramm", "kilogramme", "kilo", "kgm"), FootprintUnit.KG
    ),
}  # fmt: skip
_BOUNDARIES: Final = {
    **dict.fromkeys(
        ("cradletogate", "cradlegate", "a1a3", "a1toa3", "wiegebiswerkstor", "vonderwiegebiszumwerkstor", "dubequauportail", "duberceaualaporte", "partial", "partialpcf", "craddletogate"),
        FootprintBoundary.CRADLE_TO_GATE,
    ),
    **dict.fromkeys(
        ("cradletograve", "cradlegrave", "a1c4", "wiegebisbahre", "vonderwiegebiszurbahre", "duberceaualatombe", "total", "totalpcf", "fulllifecycle", "lifecycle"),
        FootprintBoundary.CRADLE_TO_GRAVE,
    ),
    **dict.fromkeys(("gatetogate", "a3", "werkstorbiswerkstor"), FootprintBoundary.GATE_TO_GATE),
}  # fmt: skip


def given(columns: ColumnMap) -> set[str]:
    """The names of the facts that a file has columns for."""
    return {fact for name in columns.positions for fact in _GIVEN.get(name, ())}


def as_json(
    good: pl.DataFrame, raw: RawChunk, rules: RowRules, notes: NoteBook, weights: pl.DataFrame
) -> pl.Series:
    """The facts of each good row as a JSON object; null for a row without facts.

    `good` are the rows of `raw` that become products. `weights` has their columns "net" and "gross"
    in kg. What is wrong with a cell is added to `notes`.
    """
    columns = raw.columns
    found: dict[str, pl.Series] = {}
    for name, fact in _TEXTS.items():
        if name in columns.positions:
            found[fact] = _values_noting_problems(
                notes, name, read_texts(good[name], MAX_CHARACTERS)
            )
    for name, (fact, read, least) in _NUMBERS.items():
        if name in columns.positions:
            read_all = read_amounts(good[name], rules.decisions.rule(name), read, least)
            found[fact] = _values_noting_problems(notes, name, read_all)
    if Field.RECYCLED_SHARE in columns.positions:
        rule = rules.decisions.rule(Field.RECYCLED_SHARE)
        shares = read_shares(good[Field.RECYCLED_SHARE], rule, amounts.read_share)
        found["recycled_share"] = _values_noting_problems(notes, Field.RECYCLED_SHARE, shares)
    if Field.PRICE in columns.positions:
        found["currency"] = _currencies(good, columns, notes, found["price"])
    if Field.SUPPLIER_FOOTPRINT in columns.positions:
        found |= _supplier_figures(good, columns, notes, found["supplier_footprint_kg_co2e"])
    if Field.SUPPLIER_BOUNDARY in columns.positions:
        boundaries = by_distinct(good[Field.SUPPLIER_BOUNDARY], _boundary, pl.String())
        found["supplier_footprint_boundary"] = _values_noting_problems(
            notes, Field.SUPPLIER_BOUNDARY, boundaries
        )
    if Field.GROSS_WEIGHT in columns.positions:
        found["gross_weight_kg"] = weights["gross"]
        only_gross = weights["net"].is_null() & weights["gross"].is_not_null()
        found["weight_is_gross"] = weights.select(
            pl.when(only_gross).then(pl.lit(True))
        ).to_series()
    if not found:
        return pl.Series([None] * good.height, dtype=pl.String)
    return _facts_as_json(pl.DataFrame([series.alias(fact) for fact, series in found.items()]))


def _values_noting_problems(notes: NoteBook, name: Field, column: ReadColumn) -> pl.Series:
    """Add the problems of a column to `notes`; returns its values."""
    notes.add(name, column)
    return column.values


def _facts_as_json(facts: pl.DataFrame) -> pl.Series:
    """Each row of a table of facts as a JSON object without its nulls; null if it has only
    nulls.
    """
    parts = [
        pl.when(pl.col(name).is_not_null()).then(
            pl.format('"{}":{}', pl.lit(name), _json_value(name, dtype))
        )
        for name, dtype in facts.schema.items()
    ]
    body = pl.concat_str(parts, separator=",", ignore_nulls=True)
    return facts.select(
        pl.when(body != "").then(pl.format("{}{}{}", pl.lit("{"), body, pl.lit("}")))
    ).to_series()


def _json_value(name: str, dtype: pl.DataType) -> pl.Expr:
    """The values of a column, each written as JSON."""
    column = pl.col(name)
    if dtype == pl.String:
        # A struct of one field is the way by which polars writes a text as JSON.
        encoded = pl.struct(column.alias("x")).struct.json_encode()
        return encoded.str.slice(5, encoded.str.len_chars() - 6)
    return column.cast(pl.String)


def _currencies(
    good: pl.DataFrame, columns: ColumnMap, notes: NoteBook, price: pl.Series
) -> pl.Series:
    """The currency of each price: as its cell says, else the column of currencies, else the header.

    Null where there is no price or nothing says its currency.
    """
    marks = by_distinct(
        good[Field.PRICE],
        lambda cell: (currency_of(amounts.read_price(cell, None).mark), None),
        pl.String(),
    )
    beside = pl.Series([None] * good.height, dtype=pl.String)
    if Field.CURRENCY in columns.positions:
        beside = _values_noting_problems(
            notes, Field.CURRENCY, read_currencies(good[Field.CURRENCY])
        )
    both = pl.DataFrame({"price": price, "mark": marks.values, "beside": beside})
    said = pl.coalesce("mark", "beside", pl.lit(columns.currency, dtype=pl.String))
    return both.select(pl.when(pl.col("price").is_not_null()).then(said)).to_series()


def _supplier_figures(
    good: pl.DataFrame, columns: ColumnMap, notes: NoteBook, figures: pl.Series
) -> dict[str, pl.Series]:
    """The suppliers' footprints in kg CO2e and what each is for, as two columns by their facts.

    A figure is per kilogram where its cell, the column of units or the header says so, else per
    piece. A figure for anything else is left out, with a note.
    """
    header = columns.header(Field.SUPPLIER_FOOTPRINT) or ""
    usual = FootprintUnit.KG if _PER_KILOGRAM.search(header) else FootprintUnit.PIECE

    def unit_in_cell(cell: str) -> tuple[str | None, str | None]:
        return amounts.read_footprint(cell, None).mark or None, None

    marks = by_distinct(good[Field.SUPPLIER_FOOTPRINT], unit_in_cell, pl.String())
    beside = pl.Series([None] * good.height, dtype=pl.String)
    if Field.SUPPLIER_UNIT in columns.positions:
        read = by_distinct(good[Field.SUPPLIER_UNIT], _footprint_unit, pl.String())
        beside = _values_noting_problems(notes, Field.SUPPLIER_UNIT, read)
    both = pl.DataFrame({"figure": figures, "mark": marks.values, "beside": beside})
    said = pl.coalesce("mark", "beside", pl.lit(usual.value))
    usable = pl.col("figure").is_not_null() & (said != _OTHER_UNIT)
    chosen = both.select(
        pl.when(usable).then("figure").alias("supplier_footprint_kg_co2e"),
        pl.when(usable).then(said).alias("supplier_footprint_per"),
    )
    return {name: chosen[name] for name in chosen.columns}


def _footprint_unit(cell: str) -> tuple[str | None, str | None]:
    """(what a supplier's figure is for, what is wrong with the cell).

    (None, None) for a cell that says nothing; `_OTHER_UNIT` for a unit that is not known.
    """
    placeholder = placeholder_note(cell)
    if placeholder is not None:
        return None, placeholder or None
    known = _FOOTPRINT_UNITS.get(normalise(cell).removeprefix("per").removeprefix("1"))
    if known is None:
        why = f"{quote(cell)} is not a known unit, so the supplier's figure is left out"
        return _OTHER_UNIT, f"{why}; write piece or kg"
    return known.value, None


def _boundary(cell: str) -> tuple[str | None, str | None]:
    """(system boundary, what is wrong with the cell); (None, None) for a cell that says nothing."""
    placeholder = placeholder_note(cell)
    if placeholder is not None:
        return None, placeholder or None
    known = _BOUNDARIES.get(normalise(cell))
    if known is None:
        return (
            None,
            f"{quote(cell)} is not a known system boundary; write cradle-to-gate, cradle-to-grave or gate-to-gate",
        )
    return known.value, None
