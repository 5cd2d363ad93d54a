"""What a weight cell says, in kilograms: numbers as people of several countries write them, with or without a unit.

Pure. `rows.py` sends the plain numbers (`1.5`) through polars and only the rest through `read_weight`; both ways
give the same result.

How separators are read:
- One point is a decimal point: `1.234` is 1.234.
- Both kinds present: the last one is the decimal sign: `1,234.5` and `1.234,5` are 1234.5.
- The same sign more than once, in groups of three, separates thousands: `1.234.567` is 1234567.
- One comma is a decimal comma: `1,5` is 1.5, `0,250` is 0.25, `12,3456` is 12.3456.
- One comma before exactly three digits (`1,234`) may mean either. In a file whose columns are separated by
  semicolons the comma is the decimal sign (that is why such files exist). Elsewhere the row is rejected: a mass wrong by
  a factor of 1,000 must not pass in silence.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.wording import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WEIGHT_KG: Final = 1e6
PLAIN_NUMBER: Final = r"^[0-9]{1,12}(?:\.[0-9]{1,12})?$"
"""What needs no thought. ASCII digits only; the same pattern is run by polars."""

NO_VALUE: Final = frozenset(
    {"", "-", "–", "—", "?", "n/a", "na", "n.a.", "nan", "none", "null", "unknown"}
)
"""What people and programs write into a weight cell when they do not know."""


@dataclass(frozen=True, slots=True)
class MassUnit:
    """A unit of mass. Metric units are powers of ten: dividing by 1000 rounds correctly, times 0.001 does not."""

    name: str
    kg_multiplier: float = 1.0
    kg_divisor: float = 1.0

    def to_kg(self, value: float) -> float:
        """The value in kilograms."""
        return value * self.kg_multiplier / self.kg_divisor


KILOGRAM: Final = MassUnit("kg")
_GRAM: Final = MassUnit("g", kg_divisor=1000.0)
_MILLIGRAM: Final = MassUnit("mg", kg_divisor=1_000_000.0)
_TONNE: Final = MassUnit("t", kg_multiplier=1000.0)
_POUND: Final = MassUnit("lb", kg_multiplier=0.45359237)
_OUNCE: Final = MassUnit("oz", kg_multiplier=0.028349523125)

UNIT_NAMES: Final[Mapping[str, MassUnit]] = {
    "kg": KILOGRAM, "kgs": KILOGRAM, "kilo": KILOGRAM, "kilos": KILOGRAM, "kilogram": KILOGRAM, "kilograms": KILOGRAM,
    "kilogramm": KILOGRAM, "kgm": KILOGRAM,
    "g": _GRAM, "gr": _GRAM, "gm": _GRAM, "grm": _GRAM, "gram": _GRAM, "grams": _GRAM, "gramm": _GRAM, "grammes": _GRAM,
    "mg": _MILLIGRAM, "milligram": _MILLIGRAM, "milligrams": _MILLIGRAM,
    "t": _TONNE, "tonne": _TONNE, "tonnes": _TONNE, "tne": _TONNE,
    "lb": _POUND, "lbs": _POUND, "pound": _POUND, "pounds": _POUND, "lbr": _POUND,
    "oz": _OUNCE, "ounce": _OUNCE, "ounces": _OUNCE, "onz": _OUNCE,
}  # fmt: skip
"""Names and UN/ECE codes. "ton" is left out: it is 1000, 907 or 1016 kg."""

_CELL: Final = re.compile(
    r"(?P<number>[+-]?[0-9][0-9.,'’\s]*(?:e[+-]?[0-9]{1,3})?|[+-]?[.,][0-9]+)\s*(?P<unit>[^\W\d_]*)\.?",
    re.IGNORECASE,
)
_DECIMALS_AFTER: Final = {
    ".": re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*"),
    ",": re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cell says: a mass, nothing (both None), or why it cannot be used and what to do."""

    mass_kg: float | None = None
    problem: str | None = None


def read_weight(text: str, unit: MassUnit = KILOGRAM, *, comma_is_decimal: bool = False) -> Reading:
    """The mass in a cell. `unit` holds where the cell names none."""
    cell = text.strip()
    if cell.casefold() in NO_VALUE:
        return Reading()
    match = _CELL.fullmatch(cell)
    if match is None:
        return Reading(
            problem=f"{quote(cell)} is not a weight; write a number in kg, such as 1.5, or leave it empty"
        )
    unit_name = match["unit"].casefold()
    if unit_name and unit_name not in UNIT_NAMES:
        return Reading(problem=f"{quote(cell)} has an unknown unit; use kg, g, mg, t, lb or oz")
    if unit_name:
        unit = UNIT_NAMES[unit_name]
    number = plain_number(match["number"], comma_is_decimal=comma_is_decimal)
    if number is None:
        return Reading(
            problem=f"{quote(cell)} could be read in two ways; write it without thousands separators and with a decimal point, such as 1234.5"
        )
    return judge(unit.to_kg(float(number)), cell)


def judge(mass_kg: float, cell: str) -> Reading:
    """Whether a number can be a product's mass."""
    if not math.isfinite(mass_kg) or mass_kg > MAX_WEIGHT_KG:
        return Reading(
            problem=f"{quote(cell)} is more than {MAX_WEIGHT_KG:,.0f} kg; check the number and its unit"
        )
    if mass_kg <= 0:
        return Reading(
            problem=f"{quote(cell)} is not above 0; leave the weight empty if it is not known"
        )
    return Reading(mass_kg=mass_kg)


def plain_number(text: str, *, comma_is_decimal: bool) -> str | None:
    """The number in the form that Python reads, or None when it could mean two things."""
    mantissa, exponent_sign, exponent = text.casefold().partition("e")
    sign = mantissa[0] if mantissa[0] in "+-" else ""
    spaced = mantissa.lstrip("+-").strip().replace("’", "'")
    digits = re.sub(r"\s", "'", spaced)
    if "'" in digits:
        if not re.fullmatch(r"[0-9]{1,3}(?:'[0-9]{3})+(?:[.,][0-9]*)?", digits):
            return None
        digits = digits.replace("'", "")
        comma_is_decimal = (
            True  # the thousands are already marked, so a comma can only be the decimal sign
        )
    plain = _without_thousands(digits, comma_is_decimal=comma_is_decimal)
    return None if plain is None else f"{sign}{plain}{exponent_sign}{exponent}"


def _without_thousands(digits: str, *, comma_is_decimal: bool) -> str | None:
    points, commas = digits.count("."), digits.count(",")
    if points <= 1 and commas == 0:
        return digits
    if points and commas:
        decimal = max(".,", key=digits.rfind)
        other = "," if decimal == "." else "."
        if not _DECIMALS_AFTER[decimal].fullmatch(digits):
            return None
        return digits.replace(other, "").replace(decimal, ".")
    if commas == 1:
        looks_like_thousands = re.fullmatch(r"[1-9][0-9]{0,2},[0-9]{3}", digits) is not None
        return None if looks_like_thousands and not comma_is_decimal else digits.replace(",", ".")
    separator = "." if points else ","
    if re.fullmatch(rf"[0-9]{{1,3}}(?:\{separator}[0-9]{{3}})+", digits):
        return digits.replace(separator, "")
    return None
