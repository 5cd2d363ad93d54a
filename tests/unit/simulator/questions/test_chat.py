"""Whatever is sent, the answer is an accepted request or an API error; never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.simulator.chance import throw_dice
from weighbridge.simulator.completions import complete
from weighbridge.simulator.config import SimulatorConfig
from weighbridge.simulator.questions.chat import (
    SchemaShelf,
    check_chat_request,
    read_chat_request,
)
from weighbridge.simulator.questions.faults import ApiFault

CONFIG = SimulatorConfig()
KEYWORDS = [
    "type",
    "properties",
    "items",
    "anyOf",
    "enum",
    "$ref",
    "$defs",
    "required",
    "role",
    "additionalProperties",
    "content",
    "text",
    "url",
    "image_url",
    "products",
    "code",
]
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.floats(),
        st.sampled_from(
            ["", "user", "text", "json_schema", "object", "string", "#", "data:,", "gpt-4o"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(KEYWORDS),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=10,
)
FIELDS = ("model", "messages", "response_format", "max_completion_tokens", "stream", "n")


def good(schema: Any, content: Any) -> dict[str, Any]:
    return {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": content}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "strict": True, "schema": schema},
        },
    }


def refusal_of(request: dict[str, Any]) -> ApiFault | None:
    """Why the API turns it down; None when it does not."""
    try:
        check_chat_request(request, CONFIG, SchemaShelf())
    except ApiFault as fault:
        return fault
    return None


def test_a_role_that_is_a_list_is_refused() -> None:
    request = good({"type": "object", "properties": {}, "additionalProperties": False}, "x")
    refused = refusal_of({**request, "messages": [{"role": [], "content": "x"}]})
    assert refused is not None
    assert refused.body["error"]["param"] == "messages[0].role"


@given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_in_any_field_is_accepted_or_refused(field: str, value: Any) -> None:
    request = {
        **good({"type": "object", "properties": {}, "additionalProperties": False}, "x"),
        field: value,
    }
    refused = refusal_of(request)
    assert refused is None or refused.status in (400, 404)


@given(node=JSON, content=JSON)
def test_any_schema_and_content_is_answered_or_refused(node: Any, content: Any) -> None:
    check_answered_or_refused(node, content)


def check_answered_or_refused(node: Any, content: Any) -> None:
    """A question of this schema about a product of this content ends in one of the two ways."""
    product = {"name": content, "code": content, "weight_kg": content, "materials": content}
    schema = {
        "type": "object",
        "properties": {"products": node},
        "required": ["products"],
        "additionalProperties": False,
    }
    text = json.dumps({"products": [product, content]})
    refused = refusal_of(good(schema, text))
    if refused is None:
        request = check_chat_request(good(schema, text), CONFIG, SchemaShelf())
        assert (
            complete(request, CONFIG, None, throw_dice(0, request.digest, 0)).finish_reason
            == "stop"
        )
    else:
        assert refused.status == 400


OBJECTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["object", ["object", "null"]]),
        "additionalProperties": st.just(False),
    },
    optional={"properties": st.just({}), "required": st.just([]), "description": st.just("x")},
)
"""Objects of no properties, written in each way that strict mode accepts."""


@given(node=st.recursive(OBJECTS, lambda inner: inner.map(lambda i: {"type": "array", "items": i})))
def test_a_schema_of_nothing_but_objects_is_answered(node: Any) -> None:
    check_answered_or_refused(node, "x")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"model": 3}'])
def test_a_broken_body_is_refused(body: bytes) -> None:
    with pytest.raises(ApiFault) as refused:
        read_chat_request(body, CONFIG, SchemaShelf())
    assert refused.value.status == 400


def test_a_definition_that_never_ends_is_refused() -> None:
    node = {
        "type": "object",
        "properties": {"again": {"$ref": "#/$defs/node"}},
        "required": ["again"],
        "additionalProperties": False,
    }
    schema = {**node, "$defs": {"node": node}}
    with pytest.raises(ApiFault, match="could not be read"):
        check_chat_request(good(schema, "x"), CONFIG, SchemaShelf())
