"""Reads typed fields out of one product's part of a reply, or says what is wrong with it.

Strict structured outputs make most of these mistakes impossible; not every server is strict.
"""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.answers import Confidence
from weighbridge.errors import AnswerMalformed, ImplausibleAnswer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SHOWN_CHARACTERS: Final = 60
"""How many characters of a value a message quotes, at most."""
MOST_PARTS: Final = 100
"""A list with more entries than this makes an answer unusable."""
_CONFIDENCES: Final = {word.value: word for word in Confidence}


def choice(part: Mapping[str, Any], field: str, allowed: Collection[str]) -> str:
    """The value of a field, which must be a word of the closed list."""
    value = part.get(field)
    if not isinstance(value, str) or value not in allowed:
        raise AnswerMalformed(
            f'"{field}" has to be one of the allowed values, and is {shown(value)}.'
        )
    return value


def confidence(part: Mapping[str, Any]) -> Confidence:
    """How sure the model says that it is."""
    return _CONFIDENCES[choice(part, "confidence", _CONFIDENCES)]


def finite_number(part: Mapping[str, Any], field: str) -> float:
    """The value of a field, which must be a number other than infinity and NaN."""
    value = part.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnswerMalformed(f'"{field}" has to be a number, and is {shown(value)}.')
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ImplausibleAnswer(f'"{field}" is not a finite number.')
    return number


def optional_flag(part: Mapping[str, Any], field: str) -> bool | None:
    """The value of a field that is true, false, or null for "does not apply"."""
    value = part.get(field)
    if value is not None and not isinstance(value, bool):
        raise AnswerMalformed(f'"{field}" has to be true, false or null, and is {shown(value)}.')
    return value


def parts(part: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """The value of a field that is a list of objects, counted as received, before anything is
    merged or left out.

    Raises ImplausibleAnswer for more than `MOST_PARTS`.
    """
    value = part.get(field)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise AnswerMalformed(f'"{field}" has to be a list of entries.')
    if len(value) > MOST_PARTS:
        raise ImplausibleAnswer(
            f'"{field}" has {len(value):,} entries; at most {MOST_PARTS} are allowed.'
        )
    return value


def plain_text(value: object, max_characters: int) -> str:
    """The text without control characters, with single blanks, cut to `max_characters`; "" for
    anything but a text.

    NUL and lone surrogates can be written in JSON and cannot be stored in PostgreSQL.
    """
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():  # nearly always, and ten times as fast
        return " ".join(value.split())[:max_characters].rstrip()
    kept = (" " if unicodedata.category(char)[0] in "CZ" else char for char in value)
    return " ".join("".join(kept).split())[:max_characters].rstrip()


def shown(value: object) -> str:
    """A value from a reply, made short and harmless for a message."""
    if isinstance(value, str):
        return f'"{plain_text(value, SHOWN_CHARACTERS)}"'
    if value is None:
        return "missing"
    return "something else"
