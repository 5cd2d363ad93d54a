"""Which strict schemas a provider takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from weighbridge.simulator.questions.schema_rules import strict_schema_fault


def shell(properties: dict[str, Any], **others: Any) -> dict[str, Any]:
    """An object as strict mode wants it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **others,
    }


def nested(levels: int) -> dict[str, Any]:
    schema = shell({"leaf": {"type": "string"}})
    for _ in range(levels - 1):
        schema = shell({"inner": schema})
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        shell({"word": {"type": "string"}}),
        shell({"flag": {"type": ["boolean", "null"]}}),
        shell({"flag": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}}),
        shell({"rows": {"type": "array", "items": shell({"n": {"type": "number", "minimum": 0}})}}),
        shell(
            {"tree": {"$ref": "#/$defs/node"}},
            **{"$defs": {"node": shell({"a": {"type": "string"}})}},
        ),
        shell({"word": {"type": "string", "enum": [f"v{n}" for n in range(1000)]}}),
        shell({"word": {"type": "string", "enum": ["x" * 100 + str(n) for n in range(250)]}}),
        nested(10),
    ],
)
def test_strict_mode_accepts_allowed_schemas(schema: dict[str, Any]) -> None:
    assert strict_schema_fault(schema) is None


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ("text", "schema must be a JSON Schema of 'type: \"object\"'"),
        ({"type": "array", "items": {"type": "string"}}, "'type: \"object\"'"),
        ({"type": "object", "properties": {}}, "'additionalProperties' is required"),
        ({**shell({"a": {"type": "string"}}), "additionalProperties": True}, "to be false"),
        ({**shell({"a": {"type": "string"}}), "required": []}, "Missing 'a'"),
        (
            shell({"a": shell({"b": {"type": "string"}}) | {"required": []}}),
            r"context=\('properties', 'a'\)",
        ),
        (shell({"a": {"type": "text"}}), "'text' is not valid"),
        (shell({"a": {"description": "no type"}}), "must have a 'type' key"),
        (shell({"a": {"type": "array"}}), "missing items"),
        (
            shell({"a": {"allOf": [{"type": "string"}], "type": "string"}}),
            "'allOf' is not permitted",
        ),
        (shell({"a": {"type": "string", "default": ""}}), "'default' is not permitted"),
        (shell({"a": {"type": "string", "enum": []}}), "non-empty array"),
        (
            shell({"a": {"type": "string", "enum": [f"v{n}" for n in range(1001)]}}),
            "1001 enum values",
        ),
        (
            shell({k: {"type": "string", "enum": [f"{k}{n}" for n in range(501)]} for k in "ab"}),
            "1002 enum values",
        ),
        (
            shell({"a": {"type": "string", "enum": ["x" * 60 + str(n) for n in range(251)]}}),
            "251 values with 15703 characters",
        ),
        (nested(12), "nested more than 10 levels"),
        (shell({f"p{n}": {"type": "string"} for n in range(5001)}), "5001 object properties"),
    ],
)
def test_strict_mode_refuses_forbidden_schemas_with_a_reason(schema: Any, fault: str) -> None:
    found = strict_schema_fault(schema)
    assert found is not None
    assert re.search(fault, found), found
