"""Numbers as people of several countries write them, read by the decimal sign of their column.

Pure. A cell such as `1,234.5` or `0,5` can be read in one way only. `1.234` can mean 1234 or 1.234,
and which it is is a fact about the column, never about the cell: `survey` collects the evidence of
all cells and decides.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

if TYPE_CHECKING:
    import polars as pl

DecimalSign = Literal[".", ","]

PLAIN_NUMBER: Final = r"^[0-9]{1,12}(?:\.[0-9]{1,12})?$"
"""A number that can be read in one way where the point is the decimal sign.

ASCII digits only; polars runs the same pattern.
"""
WHOLE_NUMBER: Final = r"^[0-9]{1,12}$"
"""A number that can be read in one way whatever the decimal sign."""


@dataclass(frozen=True, slots=True)
class SignEvidence:
    """How many cells of a column show which decimal sign is meant, and how many do not.

    `points` and `commas` count the cells that can be read with this decimal sign only. The doubtful
    ones have this sign, which may separate decimals or thousands. `filled` counts all cells that
    are not null.
    """

    points: int = 0
    commas: int = 0
    doubtful_points: int = 0
    doubtful_commas: int = 0
    filled: int = 0

    def __add__(self, other: Self) -> SignEvidence:
        return SignEvidence(
            self.points + other.points,
            self.commas + other.commas,
            self.doubtful_points + other.doubtful_points,
            self.doubtful_commas + other.doubtful_commas,
            self.filled + other.filled,
        )

    @property
    def doubtful(self) -> int:
        """How many cells can be read in two ways."""
        return self.doubtful_points + self.doubtful_commas

    @property
    def sign(self) -> DecimalSign | None:
        """The decimal sign of at least nine in ten clear cells; None if neither has so many."""
        clear = self.points + self.commas
        if not clear:
            return None
        if self.points >= _MAJORITY * clear:
            return "."
        return "," if self.commas >= _MAJORITY * clear else None


_MAJORITY: Final = 0.9
_START, _END = r"(?:^|[^0-9.,])", r"(?:[^0-9.,]|[.,]?$|[.,]\s)"


def _decimal_sign_pattern(decimal_sign: str, thousands_sign: str) -> str:
    """A pattern for cells in which `decimal_sign` can only be the decimal sign.

    Both arguments are regular expressions for one sign.
    """
    return (
        rf"{thousands_sign}[0-9]{{3}}{decimal_sign}[0-9]"  # both signs, this one last
        # the other one more than once, in threes
        rf"|{_START}[0-9]{{1,3}}(?:{thousands_sign}[0-9]{{3}}){{2,}}{_END}"
        rf"|{_START}0?{decimal_sign}[0-9]"  # 0.250, .5
        rf"|{_START}[0-9]+{decimal_sign}(?:[0-9]{{1,2}}|[0-9]{{4,}}){_END}"  # not three digits behind it
        rf"|{_START}[0-9]{{4,}}{decimal_sign}[0-9]+{_END}"  # no thousands sign before it
    )


_POINT_SHOWN: Final = _decimal_sign_pattern(r"\.", ",")
_COMMA_SHOWN: Final = _decimal_sign_pattern(",", r"\.")
_POINT_DOUBTFUL: Final = rf"{_START}[1-9][0-9]{{0,2}}\.[0-9]{{3}}{_END}"
_COMMA_DOUBTFUL: Final = rf"{_START}[1-9][0-9]{{0,2}},[0-9]{{3}}{_END}"


def evidence_of(cells: pl.Series) -> SignEvidence:
    """What the cells of one column say about their decimal sign."""
    filled = len(cells) - cells.null_count()
    signed = cells.filter(cells.str.contains(r"[0-9]?[.,][0-9]"))
    if signed.is_empty():
        return SignEvidence(filled=filled)
    points = signed.str.contains(_POINT_SHOWN)
    commas = signed.str.contains(_COMMA_SHOWN)
    clear = points | commas
    return SignEvidence(
        points=int((points & ~commas).sum()),
        commas=int((commas & ~points).sum()),
        doubtful_points=int((signed.str.contains(_POINT_DOUBTFUL) & ~clear).sum()),
        doubtful_commas=int((signed.str.contains(_COMMA_DOUBTFUL) & ~clear).sum()),
        filled=filled,
    )


_DECIMALS_AFTER: Final = {
    ".": re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*"),
    ",": re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*"),
}


def plain_number(text: str, decimal: DecimalSign | None) -> str | None:
    """The number in the form that Python's `float` reads (1,234.5 → 1234.5).

    None when it could be read in two ways or in none. `decimal` is the column's decimal sign; None:
    not known.
    """
    mantissa, exponent_sign, exponent = text.casefold().partition("e")
    sign = mantissa[0] if mantissa[:1] in ("+", "-") else ""
    spaced = mantissa.lstrip("+-").strip().replace("’", "'")
    digits = re.sub(r"\s", "'", spaced)
    if "'" in digits:
        if not re.fullmatch(r"[0-9]{1,3}(?:'[0-9]{3})+(?:[.,][0-9]*)?", digits):
            return None
        # The thousands are marked already, so what else there is is the decimal sign.
        plain: str | None = digits.replace("'", "").replace(",", ".")
    else:
        plain = _without_thousands(digits, decimal)
    return None if plain is None else f"{sign}{plain}{exponent_sign}{exponent}"


def _without_thousands(digits: str, decimal: DecimalSign | None) -> str | None:
    """The digits with a decimal point and no thousands separators; None if ambiguous or malformed.

    One separator before three digits (`1.234`) is ambiguous unless `decimal` is given.
    """
    points, commas = digits.count("."), digits.count(",")
    if not points and not commas:
        return digits
    if points and commas:
        last: Final = max(".,", key=digits.rfind)
        if not _DECIMALS_AFTER[last].fullmatch(digits):
            return None
        return digits.replace("," if last == "." else ".", "").replace(last, ".")
    separator = "." if points else ","
    in_threes = re.fullmatch(rf"[0-9]{{1,3}}(?:\{separator}[0-9]{{3}})+", digits) is not None
    if points + commas > 1:
        return digits.replace(separator, "") if in_threes else None
    if in_threes and not digits.startswith("0"):
        if decimal is None:
            return None
        return digits.replace(separator, "." if separator == decimal else "")
    return digits.replace(separator, ".")


AMBIGUOUS: Final = r"^-?[1-9][0-9]{0,2}\.[0-9]{3}$"
"""A number whose point may separate decimals or thousands; polars runs the same pattern."""


def unambiguous(literal: str) -> str:
    """The number written so that its point cannot be taken for a thousands separator.

    1.234 → 1.2340; other numbers stay as they are.
    """
    return f"{literal}0" if re.fullmatch(AMBIGUOUS, literal) else literal


_FRACTIONS: Final = re.compile(r"(?:([0-9]+)\s+)?([0-9]{1,3})\s*[/\u2044]\s*([0-9]{1,3})")
_VULGAR: Final = re.compile(r"(?<=[0-9])(?=[¼½¾⅐-⅞])")


def tidy(text: str) -> str:
    """The text with plain digits, letters and spaces instead of full-width ones, and with fractions
    as decimals: "1½" and "1 1/2" become 1.5.
    """
    if text.isascii() and "/" not in text:
        return text.strip()
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")  # zero width, direction
    plain = unicodedata.normalize("NFKC", _VULGAR.sub(" ", seen)).replace("\u2212", "-").strip()
    return _FRACTIONS.sub(_as_decimal, plain)


def _as_decimal(match: re.Match[str]) -> str:
    """A fraction as a decimal number; as it stands if it is no proper fraction."""
    whole, part, of = match.groups()
    if int(of) == 0 or int(part) >= int(of):
        return match[0]
    # At least four digits behind the point: no column takes it for thousands.
    value = int(whole or 0) + int(part) / int(of)
    return unambiguous(f"{value:.10f}".rstrip("0")) if value else match[0]
