"""Writes text for people: numbers and counts, and untrusted text without harmful characters.

A terminal obeys escape sequences, and every display reverses text at bidirectional controls. So a
name could hide the text after it or look like another name. `visible` writes such characters as
escapes that a reader can see. Used by the terminal, the log and the files that people open.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEYOND_BMP: Final = 0x1_0000
VALUE_ERROR: Final = "Value error, "
"""First words of a message on a value that a function of ours, or of the parser, has refused."""
_JARGON: Final = {
    VALUE_ERROR: "",
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it must be a number",
    "Input should be": "it must be",
}
_HARMFUL: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and line feed, ESC among them
    "\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides, isolates
    "\u2028\u2029"  # line and paragraph separators
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # interlinear annotation, tags
    "\ud800-\udfff"  # halves of a character
    "]"
)


def visible(text: str) -> str:
    """The text with each harmful character replaced by its JSON escape (`\\u001b`, `\\u202e`). Tabs
    and line feeds stay.
    """
    return _HARMFUL.sub(_escaped, text)


def one_line(text: str) -> str:
    """As `visible`, on a single line: tabs and line feeds become spaces."""
    return visible(" ".join(text.split()) if not text.isprintable() else text)


def without_jargon(message: str) -> str:
    """What the library that checks values says of one, in words that mean something to a reader."""
    for theirs, ours in _JARGON.items():
        message = message.replace(theirs, ours)
    return message


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 row", "1,234 rows"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` names, and the number of the others: "A, B and 47 more"."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def significant(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """A number rounded to so many significant digits: "4,000", "0.077". It has an exponent only
    below 1e-9 and above 1e15.
    """
    rounded = float(f"{value:.{digits}g}")
    sign = "+" if signed else ""
    if rounded and not 1e-9 < abs(rounded) < 1e15:
        return f"{rounded:{sign}.{digits}g}"
    text = f"{Decimal(repr(rounded)):{sign},f}"  # a float would show its own last digits
    return text.rstrip("0").rstrip(".") if "." in text else text


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < _BEYOND_BMP else json.dumps(found[0])[1:-1]
