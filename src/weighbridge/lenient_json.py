"""JSON as models and gateways write it."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json


def loads(data: str | bytes) -> Any:
    """What `json.loads` gives, in a third of the time; bytes that are no UTF-8 are replaced.

    What the quicker parser refuses (half of a surrogate pair, deep nesting) goes to the other.

    Raises ValueError or RecursionError for what is no JSON to either.
    """
    try:
        return from_json(data)
    except (ValueError, TypeError):  # TypeError: half of a surrogate pair, written as it is
        text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
        return json.loads(text)
