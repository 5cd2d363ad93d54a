"""Finds products that a JSON object holds by their code: {"A-1": {"name": …}, "A-2": {…}}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.ingest.columns.fields import REQUIRED, SYNONYMS, Field
from weighbridge.ingest.columns.headers import read_header
from weighbridge.ingest.formats.json_attributes import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD_KEYS: Final = {name: frozenset(SYNONYMS[name]) for name in REQUIRED}
_CODE: Final = "code"
"""The key under which a record gets the code that it has outside."""


def is_product(value: Mapping[str, Any]) -> bool:
    """Whether the object itself has at least two of code, name and description."""
    return len(_required_in(value)) >= 2


def keyed_products(value: Mapping[str, Any]) -> list[Any] | None:
    """The products that the object holds, each with its key as code; None if it holds no products.

    All its values must be objects, and most of them products. Keys are no codes if the products
    have codes of their own, nor if they only count: 0, 1, 2 as PHP writes a list.
    """
    parts = list(value.values())
    if len(parts) < 2 or not all(isinstance(part, dict) for part in parts):
        return None
    found = [_required_in(part) for part in parts]
    if sum(len(fields) >= 2 for fields in found) * 2 < len(parts):
        return None
    if any(Field.CODE in fields for fields in found) or _only_count(list(value)):
        return parts
    return [{_CODE: key, **part} for key, part in value.items()]


def _required_in(value: Mapping[str, Any]) -> set[Field]:
    """Which of code, name and description the object has."""
    keys = {key for name in flatten(value) for key in read_header(name).keys}
    return {name for name, names in _FIELD_KEYS.items() if not names.isdisjoint(keys)}


def _only_count(keys: list[str]) -> bool:
    """Whether the keys are numbers that rise from 0 or 1."""
    if not all(key.isascii() and key.isdigit() for key in keys):
        return False
    numbers = [int(key) for key in keys]
    return numbers[0] <= 1 and numbers == sorted(set(numbers))
