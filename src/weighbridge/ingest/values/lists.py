"""Reads cells in which a program has written a list, as JSON or Python do: `["a", "b"]`,
`['a']`.
"""

from __future__ import annotations

import json
import re
from typing import Final

_IN_SINGLE_QUOTES: Final = re.compile(r"\[\s*'(?P<inner>.*)'\s*\]", re.DOTALL)
_BETWEEN: Final = re.compile(r"'\s*,\s*'")


def listed_texts(cell: str) -> list[str] | None:
    """The texts of a list in a cell; None for an empty list and for any other cell.

    Of an object that names an address, `{"src": "https://…"}`, the address.
    """
    text = cell.strip()
    if text.startswith("{") and text.endswith("}"):
        text = f"[{text}]"
    if not (text.startswith("[") and text.endswith("]")):
        return None
    if match := _IN_SINGLE_QUOTES.fullmatch(text):
        found: object = _BETWEEN.split(match["inner"])
    else:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if not isinstance(found, list):
        return None
    entries = [_address_of(one) if isinstance(one, dict) else one for one in found]
    texts = [one for one in entries if isinstance(one, str)]
    if len(texts) < len(entries):
        return None
    return [one.strip() for one in texts if one.strip()] or None


def _address_of(entry: dict[str, object]) -> object:
    """The address that an object names; None if it names none."""
    return next((entry[key] for key in ("src", "url", "href", "link") if key in entry), None)
