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
    """The texts of a list in a cell; None for an empty list and for any other cell."""
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    if match := _IN_SINGLE_QUOTES.fullmatch(text):
        found: object = _BETWEEN.split(match["inner"])
    else:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return None
    return [one.strip() for one in found if one.strip()] or None
