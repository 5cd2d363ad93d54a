"""Reads the JSON that models and gateways write, which is not always quite valid."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json


def loads(data: str | bytes) -> Any:
    """As `json.loads`, in a third of the time; bytes that are no UTF-8 are replaced.

    `json.loads` itself is tried only if the faster parser fails, as it does at half of a surrogate
    pair and at deep nesting.

    Raises ValueError or RecursionError if both parsers fail.
    """
    try:
        return from_json(data)
    except (ValueError, TypeError):  # TypeError: half of a surrogate pair, written as it is
        text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
        return json.loads(text)
