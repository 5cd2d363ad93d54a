"""What names and descriptions say of masses ("Honey 500 g"), as evidence for the unit of a column
of weights that names none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.values.numbers import plain_number
from weighbridge.ingest.values.units import GRAM, KILOGRAM, OUNCE, POUND, UNIT_NAMES, MassUnit
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from weighbridge.ingest.values.numbers import DecimalSign

_CANDIDATES: Final = (KILOGRAM, GRAM, POUND, OUNCE)
_MOST_ROWS: Final = 2_000
"""Once this many rows that state a mass are kept for a file, no more are looked at."""
_ROWS_OF_A_CHUNK: Final = 500
"""About how many rows of one chunk, at most, are searched for a stated mass."""
_WORDS: Final = "|".join(
    sorted((re.escape(name) for name in UNIT_NAMES if name not in {"t", "to", "st"}), key=len)[::-1]
)
_STATED: Final = (
    rf"(?i)(?:^|[\s(,;:/-])([0-9]{{1,6}}(?:[.,][0-9]{{1,3}})?)\s*({_WORDS})(?:[\s),;.!]|$)"
)
"""Matches a mass in a text; 16 GB, 180 g/m² and 5–10 kg do not match."""
_EXACT: Final = 0.02
"""How far two masses may differ, as a share of the stated one, to count as the same."""
_LEAST_RATIO: Final = 0.6
_GREATEST_RATIO: Final = 5.0
"""With the right unit, a weight is at most this many times the stated mass, and at least
`_LEAST_RATIO` times: honey of 500 g weighs 0.78 kg with its jar.
"""
_ENOUGH: Final = 3
"""In how many rows the cell's number, read in one unit, must be the mass that the text states
before that unit counts as clear.
"""
_CLEAR: Final = 0.8
"""Of the rows in which the cell's number is the stated mass in some unit, the share that must agree
on the unit before it counts as clear.
"""


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """A unit that the texts suggest: the number of rows that do, and one of them as an example."""

    unit: MassUnit
    count: int
    example: str
    is_clear: bool


@dataclass(slots=True)
class StatedMasses:
    """Collects the numbers without a unit of a column of weights, each with the mass that the name
    or description of its row states.
    """

    _rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def look_at(self, frame: pl.DataFrame, cells: pl.Series, is_bare: pl.Series) -> None:
        """Look at rows spread evenly over a chunk, and keep those whose texts state a mass.

        `cells` is the column of weights; `is_bare` is true where a cell is a number without a unit.
        """
        texts = [name for name in (Field.NAME, Field.DESCRIPTION) if name in frame.columns]
        if len(self._rows) >= _MOST_ROWS or not texts:
            return
        rows = frame.select(texts).with_columns(cell=cells, is_bare=is_bare)
        rows = rows.filter(pl.col("is_bare").fill_null(value=False))
        rows = rows.gather_every(max(1, rows.height // _ROWS_OF_A_CHUNK))
        texts_that_state = [
            pl.when(pl.col(text).str.contains(_STATED)).then(text) for text in texts
        ]
        stating = rows.select("cell", said=pl.coalesce(texts_that_state)).drop_nulls()
        found = stating.select(
            "cell",
            "said",
            number=pl.col("said").str.extract(_STATED, 1),
            unit=pl.col("said").str.extract(_STATED, 2),
        )
        self._rows += found.iter_rows()

    def evidence(self, decimal: DecimalSign | None) -> UnitEvidence | None:
        """The unit of the column's numbers by what the texts state; None if they do not tell.

        It is clear where the texts repeat the column's numbers. Otherwise only grams are looked
        for: taken for kilograms, they make a product a thousand times too heavy.
        """
        exact: Counter[MassUnit] = Counter()
        near: Counter[MassUnit] = Counter()
        examples: dict[MassUnit, str] = {}
        for cell, text, number, unit_name in self._rows:
            value = plain_number(cell, decimal) or plain_number(cell, ",")
            stated_kg = UNIT_NAMES[unit_name.lower()].to_kg(float(number.replace(",", ".")))
            if not value or not stated_kg:
                continue
            for unit in _CANDIDATES:
                ratio = unit.to_kg(float(value)) / stated_kg
                exact[unit] += abs(ratio - 1) <= _EXACT
                if _LEAST_RATIO <= ratio <= _GREATEST_RATIO:
                    near[unit] += 1
                    examples.setdefault(unit, f"{quote(text, 40)} beside {cell}")
        unit, count = max(exact.items(), key=lambda item: item[1], default=(GRAM, 0))
        if count >= _ENOUGH and count >= _CLEAR * exact.total():
            return UnitEvidence(unit, count, examples[unit], is_clear=True)
        if near[GRAM] and near[GRAM] >= near[KILOGRAM]:
            return UnitEvidence(GRAM, near[GRAM], examples[GRAM], is_clear=False)
        return None
