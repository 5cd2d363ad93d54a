"""Checks a strict JSON schema by the rules that OpenAI publishes for structured outputs:
https://developers.openai.com/api/docs/guides/structured-outputs

Used by `questions/chat.py` for every new schema. Pure. The rules are those of the guide "Structured
model outputs", section "Supported schemas".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_PROPERTIES: Final = 5_000
MAX_DEPTH: Final = 10
MAX_ENUM_VALUES: Final = 1_000
LARGE_ENUM: Final = 250  # values; beyond it the characters of one enum count
MAX_LARGE_ENUM_CHARACTERS: Final = 15_000
MAX_TOTAL_CHARACTERS: Final = 120_000

_NOT_PERMITTED: Final = frozenset(
    {
        "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas",
        "patternProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties",
        "unevaluatedItems", "contains", "minContains", "maxContains", "uniqueItems", "default",
    }
)  # fmt: skip
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


@dataclass(slots=True)
class _Tally:
    """Counts over a whole schema, for the limits that hold for all of it."""

    properties: int = 0
    enum_values: int = 0
    characters: int = 0


def strict_schema_fault(schema: Any) -> str | None:
    """Why OpenAI would refuse the schema, in words like OpenAI's; None when it is accepted."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object" or "anyOf" in schema:
        return "schema must be a JSON Schema of 'type: \"object\"'"
    tally = _Tally()
    for path, node, depth in _nodes(schema, (), 0):
        if fault := _node_fault(path, node, depth, tally):
            return fault
    if tally.properties > MAX_PROPERTIES:
        return (
            f"schema has {tally.properties} object properties; at most {MAX_PROPERTIES} are allowed"
        )
    if tally.enum_values > MAX_ENUM_VALUES:
        return f"schema has {tally.enum_values} enum values; at most {MAX_ENUM_VALUES} are allowed"
    if tally.characters > MAX_TOTAL_CHARACTERS:
        return f"schema has {tally.characters} characters of names and values; at most {MAX_TOTAL_CHARACTERS} are allowed"
    return None


def _nodes(
    node: Any, path: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], Any, int]]:
    """(path, schema, depth) of the schema and of every schema in it; definitions have depth 0."""
    yield path, node, depth
    if not isinstance(node, Mapping):
        return
    properties = node.get("properties")
    if isinstance(properties, Mapping):
        for name, child in properties.items():
            yield from _nodes(child, (*path, "properties", str(name)), depth + 1)
    if "items" in node:
        yield from _nodes(node["items"], (*path, "items"), depth + 1)
    branches = node.get("anyOf")
    if isinstance(branches, Sequence) and not isinstance(branches, str):
        for number, child in enumerate(branches):
            yield from _nodes(child, (*path, "anyOf", str(number)), depth)
    for keyword in ("$defs", "definitions"):
        definitions = node.get(keyword)
        if isinstance(definitions, Mapping):
            for name, child in definitions.items():
                yield from _nodes(child, (*path, keyword, str(name)), 0)


def _node_fault(path: tuple[str, ...], node: Any, depth: int, tally: _Tally) -> str | None:
    """The first rule that this node breaks, in OpenAI's words; None if it breaks none.

    Adds the node's names and values to `tally`.
    """
    place = f"In context=({', '.join(repr(part) for part in path)}), "
    if not isinstance(node, Mapping):
        return f"{place}schema must be an object"
    if depth > MAX_DEPTH:
        return f"{place}schema is nested more than {MAX_DEPTH} levels deep"
    if forbidden := sorted(_NOT_PERMITTED & node.keys()):
        return f"{place}'{forbidden[0]}' is not permitted"
    if not node.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
        return f"{place}schema must have a 'type' key"
    kinds = node.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if unknown := [kind for kind in kinds if not isinstance(kind, str) or kind not in _TYPES]:
        return f"{place}{unknown[0]!r} is not valid under any of the given schemas"
    if "array" in kinds and "items" not in node:
        return f"{place}array schema missing items"
    return (
        _enum_fault(place, node, tally)
        or ("object" in kinds and _object_fault(place, node, tally))
        or None
    )


def _object_fault(place: str, node: Mapping[str, Any], tally: _Tally) -> str | None:
    """The first rule that an object breaks, or None; adds its properties to `tally`."""
    if node.get("additionalProperties") is not False:
        return f"{place}'additionalProperties' is required to be supplied and to be false"
    properties = node.get("properties", {})
    if not isinstance(properties, Mapping):
        return f"{place}'properties' must be an object"
    required = node.get("required", [] if not properties else None)
    if not isinstance(required, Sequence) or set(required) != set(properties):
        missing = sorted(set(properties) - set(required or ()))
        hint = f" Missing '{missing[0]}'." if missing else ""
        return f"{place}'required' is required to be supplied and to be an array including every key in properties.{hint}"
    tally.properties += len(properties)
    tally.characters += sum(len(name) for name in properties)
    return None


def _enum_fault(place: str, node: Mapping[str, Any], tally: _Tally) -> str | None:
    """The first rule that an enum breaks, or None; adds its values to `tally`."""
    if isinstance(node.get("const"), str):
        tally.characters += len(node["const"])
    if "enum" not in node:
        return None
    values = node["enum"]
    if not isinstance(values, list) or not values:
        return f"{place}'enum' must be a non-empty array"
    characters = sum(len(value) for value in values if isinstance(value, str))
    tally.enum_values += len(values)
    tally.characters += characters
    if len(values) > LARGE_ENUM and characters > MAX_LARGE_ENUM_CHARACTERS:
        return (
            f"{place}enum has {len(values)} values with {characters} characters in total; an enum "
            f"of more than {LARGE_ENUM} values may have at most {MAX_LARGE_ENUM_CHARACTERS}"
        )
    return None
