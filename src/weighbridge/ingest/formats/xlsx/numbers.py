"""Turns a stored number into what Excel shows for it: dates, times, and numbers whose format adds
zeros or letters.

Pure. Formats: ECMA-376 part 1, 18.8.30 (numFmt).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from weighbridge.ingest.values.currencies import CURRENCY_SIGNS, currencies
from weighbridge.ingest.values.units import UNIT_NAMES

_BUILT_IN_DATES: Final = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_BUILT_IN_PERCENTS: Final = frozenset([9, 10])
_CURRENCY: Final = re.compile(r"\[\$([^\]-]+)(?:-[^\]]*)?\]")
_BUILT_IN: Final = {1: "0", 2: "0.00"}
_UNSAID: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_WRITTEN: Final = re.compile(r'"([^"]*)"|\\(.)')
_DATE_LETTERS: Final = re.compile(r"[dmyhs]", re.IGNORECASE)
_TOKEN: Final = re.compile(r'"([^"]*)"|\\(.)|(_.|\*.|\[[^\]]*\])|([0#?])|(\.)|([-+(): $!&~^{}<>=])')
_SCALED: Final = re.compile(r"[0#?](,+)(?:[^0#?,]|$)")
MAX_WHOLE_DIGITS: Final = 15
"""Excel keeps 15 digits of a number
(https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3).
"""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The format of a cell: a date, or a pattern for digits, or neither."""

    is_date: bool = False
    pattern: str | None = None
    unit: str | None = None  # of mass, that the format writes behind the number: 0.0" kg"
    currency: str | None = None  # that the format writes beside the number: 0.00 €
    is_percent: bool = False  # it shows 0.3 as 30 %
    thousands: int = 0  # how many times it divides by a thousand: 0.0," t" shows 250 as 0.3 t


PLAIN: Final = NumberFormat()


def number_format(number: int, code: str | None) -> NumberFormat:
    """The number format of this id; `code` is its format code, None for a built-in one."""
    if code is None:
        return NumberFormat(
            number in _BUILT_IN_DATES,
            _BUILT_IN.get(number),
            is_percent=number in _BUILT_IN_PERCENTS,
        )
    first = code.partition(";")[0]
    if _DATE_LETTERS.search(_UNSAID.sub("", first).replace("General", "")):
        return NumberFormat(is_date=True)
    written = "".join(quoted or escaped for quoted, escaped in _WRITTEN.findall(first)).strip()
    unit = written if written.casefold() in UNIT_NAMES else None
    bare = _UNSAID.sub("", first)
    scaled = _SCALED.search(bare)
    return NumberFormat(
        pattern=first,
        unit=unit,
        currency=_currency(first, written),
        is_percent="%" in bare,
        thousands=len(scaled[1]) if scaled else 0,
    )


def _currency(pattern: str, written: str) -> str | None:
    """The code of the currency that a format writes: `[$€-407]`, `"EUR"`, a bare sign."""
    match = _CURRENCY.search(pattern)
    told = match[1].strip() if match else written or _UNSAID.sub("", pattern)
    if told.upper() in currencies():
        return told.upper()
    return next((code for sign, code in CURRENCY_SIGNS.items() if sign in told), None)


def as_percent(stored: str) -> str:
    """A stored share as percentage: 0.3 is "30 %"."""
    try:
        return f"{plain_number(str(Decimal(stored).scaleb(2)))} %"
    except InvalidOperation:
        return stored


def plain_number(stored: str) -> str:
    """A stored number as text, without a needless ".0" or exponent."""
    try:
        number = float(stored)
    except ValueError:
        return stored
    if number.is_integer() and abs(number) < 1e21:
        return str(int(Decimal(stored))) if stored.isascii() else stored
    return repr(number)


def in_thousands(stored: str, thousands: int) -> str:
    """A stored number divided by 1000 as many times as `thousands` says, without rounding."""
    try:
        return plain_number(str(Decimal(stored).scaleb(-3 * thousands)))
    except InvalidOperation:
        return stored


def shown_number(stored: str, pattern: str) -> str | None:
    """A number as its pattern shows it (123 by 00000 is 00123).

    None where the pattern has no digits, or the number is negative or too long.
    """
    tokens = _tokens(pattern)
    if tokens is None:
        return None
    whole, places, decimals = tokens
    try:
        number = Decimal(stored)
    except InvalidOperation:
        return None
    if number < 0 or number.adjusted() > MAX_WHOLE_DIGITS:
        return None
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    digits, _, fraction = f"{rounded:f}".partition(".")
    return _whole_part(whole, "" if digits == "0" else digits) + _decimal_part(decimals, fraction)


def _whole_part(tokens: tuple[str, ...], digits: str) -> str:
    """The part of a number before its point: `digits` put into the pattern's placeholders from the
    right; the first placeholder takes all that are left.
    """
    first = next((i for i, token in enumerate(tokens) if token[0] == "\0"), None)
    if first is None:
        return "".join(tokens) + digits
    shown: list[str] = []
    for i in range(len(tokens) - 1, -1, -1):
        if tokens[i][0] != "\0":
            shown.append(tokens[i])
        elif i == first and digits:
            shown.append(digits)
        elif digits:
            shown.append(digits[-1])
            digits = digits[:-1]
        else:
            shown.append({"0": "0", "#": "", "?": " "}[tokens[i][1]])
    return "".join(reversed(shown))


def _decimal_part(tokens: tuple[str, ...], digits: str) -> str:
    """The part of a number from its point on: "0" in the pattern keeps a trailing zero, "#" drops
    it.
    """
    if not tokens:
        return ""
    shown, left = ["."], list(digits)
    needed = max(
        [len(digits.rstrip("0"))]
        + [i + 1 for i, token in enumerate(t for t in tokens if t[0] == "\0") if token[1] == "0"]
    )
    for token in tokens:
        if token[0] != "\0":
            shown.append(token)
        elif left and needed > 0:
            shown.append(left.pop(0))
            needed -= 1
    return "".join(shown)


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[tuple[str, ...], int, tuple[str, ...]] | None:
    """A pattern as (tokens before the point, number of decimals, tokens after the point).

    A token that stands for a digit begins with a NUL. None for a pattern that is not understood or
    has no digits.
    """
    before: list[str] = []
    after: list[str] = []
    target, start, has_digits = before, 0, False
    while start < len(pattern):
        found = _TOKEN.match(pattern, start)
        if found is None:
            return None
        quoted, escaped, _, placeholder, point, literal = found.groups()
        if placeholder:
            target.append("\0" + placeholder)
            has_digits = True
        elif point:
            if target is after:
                return None
            target = after
        elif text := quoted or escaped or literal:
            target.append(text)
        start = found.end()
    places = sum(token[0] == "\0" for token in after)
    return (tuple(before), places, tuple(after)) if has_digits else None


def shown_date(stored: str, *, since_1904: bool) -> tuple[str, str] | None:
    """("date" or "time", its text) of a stored number; None when it is no number that can be a
    date.
    """
    try:
        days = float(stored)
        if not 0 <= days < 2_958_466:
            return None
        start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no time zones
        moment = start + timedelta(seconds=round(days * 86_400))
    except (ValueError, OverflowError):
        return None
    if days < 1:
        return "time", f"{moment:%H:%M:%S}"
    return "date", f"{moment:%Y-%m-%d}" if not days % 1 else f"{moment:%Y-%m-%d %H:%M:%S}"
