"""Reads the optional fields of a row: weight, picture, country, facts. What cannot be used is left
out, with a note.

Each function takes the text of a column and gives its values and, cell by cell, what is wrong with
it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from weighbridge.ingest.checking.required import CONTROL, control_reason, length_reason
from weighbridge.ingest.survey import with_units
from weighbridge.ingest.values.countries import read_country
from weighbridge.ingest.values.currencies import currency_of
from weighbridge.ingest.values.lists import listed_texts
from weighbridge.ingest.values.nothing import placeholder_note
from weighbridge.ingest.values.numbers import PLAIN_NUMBER, WHOLE_NUMBER
from weighbridge.ingest.values.weights import MAX_WEIGHT_KG, read_weight
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.ingest.columns.fields import Field
    from weighbridge.ingest.decisions import NumberRule
    from weighbridge.ingest.values.amounts import Amount, Read


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """The value of each cell of a column, and what is wrong with it; null where nothing is.

    Both series have one entry for each row of the chunk.
    """

    values: pl.Series
    problems: pl.Series


def by_distinct(
    cells: pl.Series, read: Callable[[str], tuple[object, str | None]], dtype: pl.DataType
) -> ReadColumn:
    """A column read by `read`, which gives (value, what is wrong) for a text.

    Each distinct text is read only once; `dtype` is that of the values.
    """
    rest = cells.drop_nulls().unique()
    readings = [read(cell) for cell in rest]
    table = pl.DataFrame(
        {
            "cell": rest,
            "value": pl.Series([value for value, _ in readings], dtype=dtype),
            "problem": pl.Series([problem for _, problem in readings], dtype=pl.String),
        }
    )
    joined = pl.DataFrame({"cell": cells}).join(table, on="cell", how="left", maintain_order="left")
    return ReadColumn(joined["value"], joined["problem"])


def read_masses(frame: pl.DataFrame, name: Field, rule: NumberRule) -> ReadColumn:
    """A column of weights in kg, read by the rule for the column.

    Plain numbers are converted as a column; every other distinct text is read once.
    """
    cells = with_units(frame, name)
    unit = rule.unit
    if unit is None:
        return by_distinct(cells, lambda cell: _mass_and_problem(cell, rule), pl.Float64())
    numbers = _plain_numbers(cells, rule)
    # By a column: a single divisor polars turns into its reciprocal, which rounds differently.
    divisors = pl.Series([unit.kg_divisor]).new_from_index(0, numbers.len())
    mass_kg = numbers * unit.kg_multiplier / divisors
    usable = ((mass_kg > 0) & (mass_kg <= MAX_WEIGHT_KG)).fill_null(value=False)
    return _with_others_read(cells, mass_kg, usable, lambda cell: _mass_and_problem(cell, rule))


def _mass_and_problem(cell: str, rule: NumberRule) -> tuple[float | None, str | None]:
    reading = read_weight(cell, rule.unit, rule.decimal)
    return reading.mass_kg, reading.problem


def _plain_numbers(cells: pl.Series, rule: NumberRule) -> pl.Series:
    """The values of cells that are plain numbers: digits with or without a decimal point, or digits
    alone where the column's decimal sign is a comma. Null for all others.
    """
    pattern = PLAIN_NUMBER if rule.decimal == "." else WHOLE_NUMBER
    plain = cells.str.contains(pattern)
    frame = pl.DataFrame({"cell": cells, "plain": plain})
    return frame.select(pl.when("plain").then("cell")).to_series().cast(pl.Float64)


def _with_others_read(
    cells: pl.Series,
    values: pl.Series,
    usable: pl.Series,
    read: Callable[[str], tuple[object, str | None]],
) -> ReadColumn:
    """The column with `values` where they are usable, and the other cells read by `read`."""
    frame = pl.DataFrame({"cell": cells, "usable": usable})
    left = frame.select(pl.when(~pl.col("usable")).then("cell")).to_series()
    if left.null_count() == left.len():
        return ReadColumn(values, pl.Series([None] * left.len(), dtype=pl.String))
    one_by_one = by_distinct(left, read, pl.Float64())
    both = pl.DataFrame({"usable": usable, "fast": values, "slow": one_by_one.values})
    chosen = both.select(pl.when("usable").then("fast").otherwise("slow")).to_series()
    return ReadColumn(chosen, one_by_one.problems)


def read_amounts(cells: pl.Series, rule: NumberRule, read: Read, least: float) -> ReadColumn:
    """A column of numbers without a unit of mass, such as prices.

    Plain numbers of at least `least` are taken as they are; `read` judges every other cell.
    """
    numbers = _plain_numbers(cells, rule)
    usable = ((numbers >= least) & (numbers < 1e12)).fill_null(value=False)

    def value_and_problem(cell: str) -> tuple[float | None, str | None]:
        amount: Amount = read(cell, rule.decimal)
        return amount.value, amount.problem

    return _with_others_read(cells, numbers, usable, value_and_problem)


def read_shares(cells: pl.Series, rule: NumberRule, read: Read) -> ReadColumn:
    """A column of shares, as numbers from 0 to 1.

    Bare numbers are taken as percentages if the rule says that the column has percentages.
    """

    def share_and_problem(cell: str) -> tuple[float | None, str | None]:
        """(share from 0 to 1, what is wrong with the cell)."""
        amount = read(cell, rule.decimal)
        if amount.value is None:
            return None, amount.problem
        bare_percent = rule.is_percent and not amount.mark
        if bare_percent and (
            0 < amount.value < 1 or (amount.value == 1 and not rule.shows_percent)
        ):
            ways = f"{amount.value:g} % or {100 * amount.value:g} %"
            return None, f"{quote(cell)} can mean {ways}; write it with a percent sign"
        share = amount.value / 100 if amount.mark or rule.is_percent else amount.value
        if not 0 <= share <= 1:
            return None, f"{quote(cell)} is not a share between 0 and 100 %; correct it"
        return share, None

    return by_distinct(cells, share_and_problem, pl.Float64())


def read_countries(cells: pl.Series) -> ReadColumn:
    """A column of countries, as ISO 3166-1 alpha-2 codes."""

    def code_and_problem(cell: str) -> tuple[str | None, str | None]:
        origin = read_country(cell)
        return origin.code, origin.problem

    return by_distinct(cells, code_and_problem, pl.String())


def read_texts(cells: pl.Series, limit: int) -> ReadColumn:
    """A column of texts of at most `limit` characters, as they are.

    Placeholders such as NULL or #N/A count as empty; lists are joined by commas.
    """
    odd = (
        cells.str.contains(CONTROL)
        | cells.str.starts_with("[")
        | (cells.str.len_chars() > limit)
        | (cells.str.len_bytes() < 16)
    )

    def text_and_problem(cell: str) -> tuple[str | None, str | None]:
        placeholder = placeholder_note(cell)
        if placeholder is not None:
            return None, placeholder or None
        listed = listed_texts(cell)
        text = re.sub(r"[\r\n\t]+", " ", ", ".join(listed) if listed else cell)
        if len(text) > limit:
            return None, length_reason(limit)(text)
        if re.search(r"[\x00-\x1f\x7f-\x9f\ufffd]", text):
            return None, control_reason(text)
        return text, None

    frame = pl.DataFrame({"cell": cells, "odd": odd})
    odd_cells = frame.select(pl.when("odd").then("cell")).to_series()
    slow = by_distinct(odd_cells, text_and_problem, pl.String())
    both = frame.with_columns(slow=slow.values)
    return ReadColumn(
        both.select(pl.when("odd").then("slow").otherwise("cell")).to_series(), slow.problems
    )


def read_currencies(cells: pl.Series) -> ReadColumn:
    """A column of currencies, as ISO 4217 codes."""

    def code_and_problem(cell: str) -> tuple[str | None, str | None]:
        placeholder = placeholder_note(cell)
        if placeholder is not None:
            return None, placeholder or None
        code = currency_of(cell)
        return (
            code,
            None
            if code
            else f"{quote(cell)} is not a known currency; use its code (ISO 4217), such as EUR",
        )

    return by_distinct(cells, code_and_problem, pl.String())
