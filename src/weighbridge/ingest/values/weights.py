"""What a weight cell says, in kilograms: one quantity, or several that belong together, with or
without a unit.

Pure. `checking/optional.py` converts plain numbers (`1.5`) with polars and only the rest with
`read_weight`; both ways give the same result. The decimal sign and the unit of numbers without one
are decided for the column (`survey.py`).

    1 lb 3 oz          parts of one mass, each in a smaller unit than the one before
    6 x 330 g          a number of equal pieces
    1.2 kg (2.6 lb)    the same mass twice: taken if the two agree
    ca. 2 kg           taken; a bound (< 1 kg) or a range (1-2 kg) is no weight
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from weighbridge.ingest.values.nothing import no_value_note
from weighbridge.ingest.values.numbers import PLAIN_NUMBER, DecimalSign, plain_number, tidy
from weighbridge.ingest.values.units import KILOGRAM, UNIT_NAMES, MassUnit
from weighbridge.ingest.values.wording import quote

__all__ = ["KILOGRAM", "PLAIN_NUMBER", "UNIT_NAMES", "MassUnit", "Reading", "read_weight"]

MAX_WEIGHT_KG: Final = 1e6
_SAME_MASS: Final = 0.06
"""How far two statements of one mass may differ, as a share of the larger, to count as the same:
such statements are rounded.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cell says: a mass, nothing (both None), or why it cannot be used and what to do."""

    mass_kg: float | None = None
    problem: str | None = None


_NUMBER: Final = r"[+-]?(?:[0-9][0-9.,'’\s]*(?:e[+-]?[0-9]{1,3})?|[.,][0-9]+)"
_UNIT: Final = r"[^\W\d_]+"
_ABOUT: Final = re.compile(
    r"^(?:ca|circa|approx|approximately|about|approx|appr|etwa|ungefähr|env|environ|aprox|ok|около|примерно|約|约|ungef|cca|kb)\b\.?\s*"
    r"|^[~≈∼±]\s*",
    re.IGNORECASE,
)
_PER_PIECE: Final = re.compile(
    r"\s*(?:/|\bper\b|\bje\b|\bpar\b|\bpor\b|\bal\b)\s*(?:pcs?|pieces?|pce|units?|ea|each|items?|stück|stk|stuck|st|pièce|unité|pieza|unidad|pezzo|шт|件|个)\.?$"
    r"|\s*\b(?:each|net|nett|netto|net weight|n\.?w\.?|nett)\b\.?$",
    re.IGNORECASE,
)
_ABOUT_BEHIND: Final = re.compile(
    r"\s*(?:\b(?:ca|circa|approx|approximately|appr|about|environ|env|aprox|около|約)\b\.?|[*†])$"
    r"|\s*±\s*[0-9.,]+\s*%$",
    re.IGNORECASE,
)
_IN_BRACKETS: Final = re.compile(r"[(\[](?P<inner>[^()\[\]]*[^\W\d_][^()\[\]]*)[)\]]")
"""Matches a mass with its unit in brackets; a number alone in brackets means a negative one to
accountants.
"""
_LABEL: Final = re.compile(
    r"^(?:net(?:to)?|weight|net weight|gewicht|nettogewicht|poids|peso|вес)\b\s*[:=]?\s*",
    re.IGNORECASE,
)
_UNIT_FIRST: Final = re.compile(
    rf"(?P<unit>{_UNIT})\.?\s*[:=]?\s*(?P<number>{_NUMBER})", re.IGNORECASE
)
_PART: Final = re.compile(rf"\s*(?P<number>{_NUMBER})\s*(?P<unit>{_UNIT})?\.?\s*,?", re.IGNORECASE)
_PIECES: Final = re.compile(
    r"(?P<count>[0-9]{1,4})\s*(?:pcs?\.?|pieces|stk\.?|stück|шт\.?)?\s*[x×*х]\s*(?P<rest>.*[0-9].*)",
    re.IGNORECASE,
)
_PIECES_LAST: Final = re.compile(
    r"(?P<rest>.*[0-9].*[^\W\d_]\.?)\s*[x×*х]\s*(?P<count>[0-9]{1,4})", re.IGNORECASE
)
_TWICE: Final = re.compile(r"(?P<first>[^(/=]+?)\s*(?:\((?P<inner>[^()]*)\)|[/=]\s*(?P<second>.+))")


def read_weight(
    text: str, unit: MassUnit | None = KILOGRAM, decimal: DecimalSign | None = None
) -> Reading:
    """The mass in a cell, or what is wrong with the cell.

    `unit` is that of a cell that names none; None: such a cell cannot be read. `decimal` is the
    column's decimal sign; None: not known.
    """
    cell = text.strip()
    placeholder = no_value_note(cell)
    if placeholder is not None:
        return Reading(problem=placeholder or None)
    try:
        mass_kg = _mass_of_text(_LABEL.sub("", tidy(cell)), unit, decimal)
    except _NotAWeight as error:
        return Reading(problem=f"{quote(cell)} {error}")
    return judge(mass_kg, cell)


class _NotAWeight(Exception):
    """Why a cell cannot be read; follows the cell in the message."""


def _mass_of_text(text: str, unit: MassUnit | None, decimal: DecimalSign | None) -> float:
    """The mass in kg of a text without a placeholder. Raises _NotAWeight with the reason."""
    if match := _IN_BRACKETS.fullmatch(text):
        text = match["inner"].strip()
    text = _PER_PIECE.sub("", _ABOUT_BEHIND.sub("", _ABOUT.sub("", text)))
    if match := _TWICE.fullmatch(text):
        return _mass_given_twice(match, unit, decimal)
    if match := _PIECES.fullmatch(text) or _PIECES_LAST.fullmatch(text):
        return int(match["count"]) * _mass_of_text(match["rest"].strip(), unit, decimal)
    if (match := _UNIT_FIRST.fullmatch(text)) and match["unit"].casefold() in UNIT_NAMES:
        return _mass_of_quantity(match["number"], _unit_named(match["unit"]), decimal)
    return _sum_of_parts(text, unit, decimal)


def _mass_given_twice(
    match: re.Match[str], unit: MassUnit | None, decimal: DecimalSign | None
) -> float:
    """The first of the two masses in a text such as `1.2 kg (2.6 lb)`, in kg.

    Raises _NotAWeight unless both are masses and nearly the same.
    """
    first = _mass_of_text(match["first"].strip(), unit, decimal)
    other = (match["inner"] or match["second"] or "").strip()
    if not re.search(r"[0-9]", other):
        if other.casefold() in {"net", "netto", "net weight", "nett"}:
            return first
        raise _NotAWeight(_NO_WEIGHT)
    second = _mass_of_text(other, None, decimal)
    if abs(first - second) > _SAME_MASS * max(first, second):
        raise _NotAWeight("names two different weights; keep one")
    return first


def _sum_of_parts(text: str, unit: MassUnit | None, decimal: DecimalSign | None) -> float:
    """The mass in kg that a text such as `1.5`, `1.5 kg` or `1 lb 3 oz` states; `unit` counts
    where a single number names none.

    Raises _NotAWeight unless each of several parts names a smaller unit than the part before.
    """
    parts: list[tuple[str, str | None]] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or match.end() == at:
            raise _NotAWeight(_NO_WEIGHT)
        parts.append((match["number"], match["unit"]))
        at = match.end()
    if not parts:
        raise _NotAWeight(_NO_WEIGHT)
    if len(parts) == 1:
        number, name = parts[0]
        return _mass_of_quantity(number, _unit_named(name) if name else unit, decimal)
    units = [_unit_named(name) if name else None for _, name in parts]
    sizes = [one.to_kg(1.0) if one else 0.0 for one in units]
    if None in units or sizes != sorted(set(sizes), reverse=True):
        raise _NotAWeight(_NO_WEIGHT)
    return sum(
        _mass_of_quantity(number, one, decimal)
        for (number, _), one in zip(parts, units, strict=True)
    )


_NO_WEIGHT: Final = "is not a weight; write a number in kg, such as 1.5, or leave it empty"


def _unit_named(name: str) -> MassUnit:
    """The unit of this name; raises _NotAWeight if it is not known."""
    unit = UNIT_NAMES.get(name.casefold())
    if unit is None:
        raise _NotAWeight("has an unknown unit; use kg, g, mg, t, lb or oz")
    return unit


def _mass_of_quantity(number: str, unit: MassUnit | None, decimal: DecimalSign | None) -> float:
    """One number in kg. Raises _NotAWeight if it is ambiguous, impossible or has no unit."""
    plain = plain_number(number.strip().rstrip(",") if decimal is None else number.strip(), decimal)
    if plain is None:
        raise _NotAWeight(
            "could be read in two ways; write it without thousands separators and with a decimal "
            "point, such as 1234.5, or say which sign is decimal (--decimal)"
        )
    if unit is None:
        raise _NotAWeight(
            "names no unit, and the column has weights in several units; write the unit behind the "
            "number, or give the unit of bare numbers (--unit)"
        )
    try:
        return unit.to_kg(float(plain))
    except ValueError:
        raise _NotAWeight(_NO_WEIGHT) from None


def judge(mass_kg: float, cell: str) -> Reading:
    """The mass, or why it cannot be a product's: it is not above 0, or is more than
    MAX_WEIGHT_KG.
    """
    if not math.isfinite(mass_kg) or mass_kg > MAX_WEIGHT_KG:
        return Reading(
            problem=f"{quote(cell)} is more than {MAX_WEIGHT_KG:,.0f} kg; check the number and its unit"
        )
    if mass_kg <= 0:
        return Reading(
            problem=f"{quote(cell)} is not above 0; leave the weight empty if it is not known"
        )
    return Reading(mass_kg=mass_kg)
