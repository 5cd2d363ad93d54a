"""Tests whether a reply keeps to its schema exactly, so that nothing of it needs to be fitted.

With strict structured outputs nearly every reply is. One pass of pydantic's parser finds that out
in a twentieth of the time that decoding and fitting take: 28 µs instead of 520 for the bills of
five products. What it refuses is decoded and fitted (`fitting.py`), so it may refuse too much but
must not accept what `fit` would change.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import SchemaValidator, core_schema

from weighbridge.domain.calls import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import CoreSchema

    Schema = Mapping[str, Any]


def is_exact(text: str, schema: Schema) -> bool:
    """Whether the text is plain JSON that keeps to the schema in every type and closed list."""
    validator = _validator(Identity(schema))
    if validator is None:
        return False
    try:
        validator.validate_json(text)
    except (ValueError, TypeError):  # as `lenient_json.loads` refuses, or not in form
        return False
    return True


@lru_cache(maxsize=16)
def _validator(schema: Identity[Schema]) -> SchemaValidator | None:
    """The validator for a schema; None for a schema that cannot be checked exactly."""
    rule = _rule(schema.value)
    return None if rule is None else SchemaValidator(rule)


def _rule(schema: Schema) -> CoreSchema | None:
    """The pydantic rule for a part of a schema; None for what a strict schema cannot contain."""
    match schema:
        case {"type": [str(kind), "null"]}:
            inner = _rule({**schema, "type": kind})
            return None if inner is None else core_schema.nullable_schema(inner)
        case {"type": "string", "enum": [*words]} if all(isinstance(word, str) for word in words):
            return core_schema.literal_schema(words)
        case {"type": "string" | "number" | "integer" | "boolean"} if "enum" not in schema:
            return _SCALARS[schema["type"]]
        case {"type": "array", "items": items}:
            inner = _rule(items)
            return None if inner is None else core_schema.list_schema(inner, strict=True)
        case {"type": "object", "properties": properties, "required": required}:
            return _object_rule(properties, required)
        case _:
            return None


_SCALARS: Mapping[str, CoreSchema] = {
    "string": core_schema.str_schema(strict=True),
    "number": core_schema.float_schema(strict=True),
    "integer": core_schema.int_schema(strict=True),
    "boolean": core_schema.bool_schema(strict=True),
}


def _object_rule(properties: Mapping[str, Schema], required: list[str]) -> CoreSchema | None:
    """The rule for an object; None unless all properties are required and have rules."""
    rules = {name: _rule(part) for name, part in properties.items()}
    if not rules or set(required) != rules.keys():
        return None
    fields = {
        name: core_schema.typed_dict_field(rule, required=True)
        for name, rule in rules.items()
        if rule is not None
    }
    if len(fields) < len(rules):
        return None
    return core_schema.typed_dict_schema(fields, strict=True, extra_behavior="ignore")
