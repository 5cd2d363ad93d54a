"""Numbers that are no masses: prices, quantities, pieces in a pack, shares, a supplier's footprint.

Pure. Each function reads one cell by the decimal sign of its column and says what cannot be used,
with the remedy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.values.currencies import SEVERAL, currency_of
from weighbridge.ingest.values.nothing import no_value_note
from weighbridge.ingest.values.numbers import plain_number, tidy
from weighbridge.ingest.values.units import GRAM, KILOGRAM, TONNE
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.ingest.values.numbers import DecimalSign

    Read = Callable[[str, DecimalSign | None], "Amount"]

MOST: Final = 1e12
"""The largest number that is accepted."""


@dataclass(frozen=True, slots=True)
class Amount:
    """The number of a cell, nothing, or why the cell cannot be used.

    `mark` is what stands beside the number: a currency, say, or a percent sign.
    """

    value: float | None = None
    problem: str | None = None
    mark: str = ""


_PARTS: Final = re.compile(
    r"(?P<before>[^0-9+\-.,]*?)\s*(?P<number>[+-]?(?:[0-9][0-9.,'’\s]*[0-9]|[0-9]|[.,][0-9]+)(?:e[+-]?[0-9]{1,3})?)"
    r"\s*(?P<dash>[.,][-–—])?\s*(?P<after>[^0-9].*)?",
    re.IGNORECASE,
)
_PIECES: Final = frozenset(
    [
        "pcs",
        "pc",
        "pieces",
        "piece",
        "pce",
        "stk",
        "stück",
        "stuck",
        "st",
        "stueck",
        "units",
        "unit",
        "ea",
        "each",
        "items",
        "item",
        "pièces",
        "pièce",
        "unités",
        "unité",
        "unidades",
        "unidad",
        "uds",
        "ud",
        "pezzi",
        "pz",
        "peças",
        "stuks",
        "szt",
        "sztuk",
        "ks",
        "kusů",
        "stk",
        "kpl",
        "adet",
        "db",
        "buc",
        "шт",
        "штук",
        "件",
        "个",
        "個",
        "枚",
        "개",
        "pack",
        "packs",
        "er",
        "er-pack",
        "er",
        "pack",
        "-pack",
        "set",
    ]
)


def _read_number(
    cell: str, decimal: DecimalSign | None, allowed: Callable[[str], bool], example: str
) -> Amount:
    """The number of a cell, with the mark before or behind it.

    `allowed` tells whether a mark may stand there; `example` says what was expected, for the
    message. Value and problem are both None for a cell that says nothing.
    """
    placeholder = no_value_note(cell)
    if placeholder is not None:
        return Amount(problem=placeholder or None)
    match = _PARTS.fullmatch(tidy(cell))
    before = match["before"].strip(" :") if match else ""
    after = (match["after"] or "").strip(" .") if match else ""
    if match is None or not allowed(before) or not allowed(after):
        return Amount(problem=f"{quote(cell)} is not {example}; or leave it empty")
    plain = plain_number(match["number"], decimal)
    if plain is None:
        return Amount(
            problem=f"{quote(cell)} could be read in two ways; write it without thousands separators and with a decimal"
            " point, or say which sign is decimal (--decimal)"
        )
    value = float(plain)
    if not math.isfinite(value) or abs(value) > MOST:
        return Amount(problem=f"{quote(cell)} is more than {MOST:,.0f}; check the number")
    return Amount(value, mark=before or after)


def read_price(cell: str, decimal: DecimalSign | None) -> Amount:
    """A price of one product, not negative."""
    read = _read_number(
        cell,
        decimal,
        lambda mark: not mark or mark.casefold() in SEVERAL or currency_of(mark) is not None,
        "a price; write a number such as 19.90",
    )
    return _not_below(read, cell, 0.0, or_equal=True)


def read_quantity(cell: str, decimal: DecimalSign | None) -> Amount:
    """The number of products in a cell, not negative."""
    read = _read_number(cell, decimal, _is_piece, "a quantity; write a number such as 1200")
    return _not_below(read, cell, 0.0, or_equal=True)


def read_pieces(cell: str, decimal: DecimalSign | None) -> Amount:
    """The number of pieces in a pack, more than 0; "6er-Pack" and "pack of 6" are understood."""
    text = re.sub(r"^(?:pack|set|box|case) of ", "", cell.strip(), flags=re.IGNORECASE)
    read = _read_number(text, decimal, _is_piece, "a number of pieces; write a number such as 6")
    return _not_below(read, cell, 0.0, or_equal=False)


def _is_piece(mark: str) -> bool:
    """Whether the words beside a number mean pieces, or there are none."""
    return mark.casefold().strip(" .-") in _PIECES or not mark


def read_share(cell: str, decimal: DecimalSign | None) -> Amount:
    """A share as written; `mark` is the percent sign, or empty for a bare number.

    Whether bare numbers are percentages is decided for the whole column.
    """
    return _read_number(
        cell,
        decimal,
        lambda mark: mark.casefold() in {"", "%", "percent", "prozent", "pct", "٪"},
        "a share; write a percentage such as 30 %",
    )


_FOOTPRINT: Final = re.compile(
    r"(?:(?P<unit>kg|g|t)?\s*(?:co[2₂]?)?\s*-?\s*(?:e|eq|eqv|äq|equiv|equivalents?)?\.?)?\s*(?:(?:/|per)\s*(?P<per>kg|unit|piece|pc|pcs|stk|stück|product|item))?",
    re.IGNORECASE,
)
_KG_PER: Final = {"kg": KILOGRAM, "g": GRAM, "t": TONNE}


def read_footprint(cell: str, decimal: DecimalSign | None) -> Amount:
    """A footprint in kg CO2e, more than 0.

    `mark` is "kg" or "piece" where the cell says that the footprint is for one of these, else "".
    """
    read = _read_number(
        cell,
        decimal,
        lambda mark: _FOOTPRINT.fullmatch(mark) is not None,
        "a footprint; write kg CO2e such as 2.4",
    )
    if read.value is None:
        return read
    unit = _FOOTPRINT.fullmatch(read.mark)
    mass = _KG_PER[(unit["unit"] or "kg").casefold()] if unit else KILOGRAM
    per = (unit["per"] or "").casefold() if unit else ""
    mark = "" if not per else ("kg" if per == "kg" else "piece")
    return _not_below(Amount(mass.to_kg(read.value), mark=mark), cell, 0.0, or_equal=False)


def _not_below(read: Amount, cell: str, least: float, *, or_equal: bool) -> Amount:
    """The amount as it is, or the problem that it is below `least` (or equal, if not
    `or_equal`).
    """
    if read.value is None or read.value > least or (or_equal and read.value == least):
        return read
    below = "below" if or_equal else "not above"
    return Amount(problem=f"{quote(cell)} is {below} {least:g}; leave it empty if it is not known")
