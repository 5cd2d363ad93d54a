"""Pieces of strict JSON schemas, and what a provider allows of them.

They keep to what strict structured outputs take: every property required, no additional ones, enums
within their limits. Ranges and counts (`minimum`, `maxItems`) are left out on purpose: fine-tuned
models and several compatible servers refuse them, and what is accepted is checked anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from weighbridge.errors import FactorTableInvalid

MAX_ENUM_VALUES: Final = 1_000
"""The most enum values in a whole schema:
https://developers.openai.com/api/docs/guides/structured-outputs.
"""
MAX_LONG_ENUM_CHARACTERS: Final = 15_000
"""The most characters in an enum of more than LONG_ENUM_VALUES values; same page."""
LONG_ENUM_VALUES: Final = 250


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object as strict mode wants it: all properties required, no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def array_schema(items: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list whose items have this schema."""
    return {"type": "array", "items": dict(items)}


def enum_schema(values: Iterable[str]) -> dict[str, Any]:
    """The schema of a text that is one of these words."""
    return {"type": "string", "enum": list(values)}


def reply_schema(product_properties: Mapping[str, Any]) -> dict[str, Any]:
    """The common reply schema: a list of products, each with its code and these properties.

    Raises FactorTableInvalid when the closed lists are longer than a strict schema may hold: at
    start, not at every call.
    """
    entry = {"code": {"type": "string"}, **product_properties}
    schema = object_schema({"products": array_schema(object_schema(entry))})
    _check_enums(schema)
    return schema


def _check_enums(schema: Mapping[str, Any]) -> None:
    """Raises FactorTableInvalid for closed lists longer than strict schemas may hold."""
    enums = list(_enums(schema))
    total = sum(len(values) for values in enums)
    if total > MAX_ENUM_VALUES:
        raise FactorTableInvalid(
            f"The lists of allowed values in one question have {total} entries; strict structured "
            f"outputs allow at most {MAX_ENUM_VALUES}. Shorten the list of materials, processes or categories."
        )
    for values in enums:
        characters = sum(map(len, values))
        if len(values) > LONG_ENUM_VALUES and characters > MAX_LONG_ENUM_CHARACTERS:
            raise FactorTableInvalid(
                f"A list of {len(values)} allowed keys has {characters} characters in all; strict "
                f"structured outputs allow at most {MAX_LONG_ENUM_CHARACTERS}. Use shorter keys, or "
                "fewer."
            )


def _enums(node: object) -> Iterable[Sequence[str]]:
    """Every closed list in a schema, however deep."""
    if isinstance(node, Mapping):
        if isinstance(node.get("enum"), list):
            yield node["enum"]
        for child in node.values():
            yield from _enums(child)
