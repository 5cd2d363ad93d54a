"""Makes texts and numbers safe for the cells of spreadsheets: nothing that a program would run,
nothing that a file cannot hold.

A product's name comes from outside, and a cell of a CSV such as `=HYPERLINK(…)` is run by the
program that opens it. So in a CSV an apostrophe is put before text that could be read as a formula;
spreadsheets then take it for text. In a workbook each cell has a type, so text is never run.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from weighbridge.plain_text import visible

_LINE_END: Final = re.compile(r"\r\n?")
# What XML 1.0, and with it XLSX, has no way to write and `visible` leaves.
_UNWRITABLE: Final = re.compile("[\ufffe\uffff]")
# A cell also begins after ; tab and line end: a spreadsheet set to semicolons, as in much of
# Europe, splits a comma-separated line there whatever the quotes say. Excel skips spaces before a
# formula; the invisible characters are skipped in case a program does so too. Full-width forms
# count as their ASCII kin.
_BEFORE_FORMULA: Final = re.compile(
    r"(^|[;\t\n])(?=[ \v\f\u00a0\u00ad\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]*[=+\-@＝＋－＠])"
)
_MARK: Final = "'"
_AFTER_MARK: Final = re.compile(rf"(^|[;\t\n]){_MARK}")


def writable_text(text: str) -> str:
    """`text` with its line ends all `\\n`, what XLSX cannot hold left out, and control characters
    made visible.
    """
    return _UNWRITABLE.sub("", visible(_LINE_END.sub("\n", text)))


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet would run `text` if somebody typed it into a cell."""
    return _BEFORE_FORMULA.match(text) is not None


def neutral_text(text: str) -> str:
    """`text` with an apostrophe before whatever a spreadsheet would run as a formula.

    Otherwise as `writable_text` gives it.
    """
    marked = _BEFORE_FORMULA.sub(rf"\1{_MARK}", writable_text(text))
    return _MARK + marked if marked[:1] in ("\t", "\n") else marked


def own_text(cell: str) -> str:
    """The text that `neutral_text` made this cell of: without the apostrophes that it put in."""
    bare = _AFTER_MARK.sub(r"\1", cell)
    return bare if neutral_text(bare) == cell else cell


def finite(value: float | None) -> float | None:
    """`value`, or None for infinity and not-a-number: neither a spreadsheet nor JSON has a way to
    write them.
    """
    return value if value is not None and math.isfinite(value) else None


def significant(value: float, digits: int) -> float:
    """`value` rounded to `digits` significant digits: 0.012345 to four is 0.01235."""
    return float(f"{value:.{digits}g}")


def plain_number(value: float) -> str:
    """`value` as digits, without an exponent: some programs take 1e-05 for text."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")
