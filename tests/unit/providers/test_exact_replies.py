"""What is taken as it stands is what fitting would leave alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.application import load_questions
from weighbridge.lenient_json import loads
from weighbridge.providers.replies.exact import is_exact
from weighbridge.providers.replies.fitting import fit, keeps_to
from weighbridge.settings import load_settings
from weighbridge.steps.schemas import array_schema, enum_schema, object_schema

ENTRY = object_schema(
    {
        "code": {"type": "string"},
        "family": enum_schema(["Chairs & stools", "Tables"]),
        "kg": {"type": "number"},
        "pieces": {"type": ["integer", "null"]},
        "metal": {"type": "boolean"},
        "parts": array_schema(enum_schema(["wood", "steel"])),
    }
)
SCHEMA = object_schema({"products": array_schema(ENTRY)})
GOOD: dict[str, Any] = {
    "code": "A-1",
    "family": "Tables",
    "kg": 2.5,
    "pieces": None,
    "metal": False,
    "parts": ["wood"],
}

odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(),
    st.sampled_from(["", "Tables", "tables", "yes", "2", "1,5 kg", "null", '{"a": 1}', "[]"]),
    st.lists(st.sampled_from(["wood", "Wood", 1, None, {"value": 2}]), max_size=2),
    st.fixed_dictionaries({"value": st.integers(0, 3)}),
)
entries = st.one_of(
    st.just(GOOD),
    st.tuples(st.sampled_from([*GOOD, "Code", "more"]), odd_values).map(
        lambda p: {**GOOD, p[0]: p[1]}
    ),
    st.sampled_from(list(GOOD)).map(lambda gone: {n: v for n, v in GOOD.items() if n != gone}),
    odd_values,
)
documents = st.one_of(
    st.lists(entries, max_size=3).map(lambda listed: {"products": listed}),
    st.lists(entries, max_size=2),
    entries,
)


@given(documents, st.sampled_from(["", " ", "```", "\ufeff", "\ud800"]))
def test_an_exact_reply_is_one_that_fitting_leaves_alone(document: Any, around: str) -> None:
    text = json.dumps(document) + around
    if is_exact(text, SCHEMA):
        found = loads(text)
        assert fit(found, SCHEMA) is found
        assert keeps_to(found, SCHEMA)


@pytest.mark.parametrize("listed", [[], [GOOD], [GOOD, {**GOOD, "pieces": 3, "kg": 1}]])
def test_a_reply_in_strict_form_is_exact(listed: list[Any]) -> None:
    assert is_exact(json.dumps({"products": listed}), SCHEMA)


def test_replies_to_every_question_are_taken_as_they_stand() -> None:
    questions = load_questions(load_settings())
    for question in (*questions.alone, questions.together):
        schema = question.request([], 100).schema
        assert is_exact(json.dumps(_reply(schema)), schema), question.name


def _reply(schema: Any) -> Any:
    """A document in the form of the schema."""
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "object":
        return {name: _reply(part) for name, part in schema["properties"].items()}
    if kind == "array":
        return [_reply(schema["items"]), _reply(schema["items"])]
    if "enum" in schema:
        return schema["enum"][-1]
    return {"string": "seat", "number": 1.5, "integer": 2, "boolean": True}[kind]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", 7),
        ("family", "tables"),
        ("kg", "2.5"),
        ("pieces", "3"),
        ("metal", "yes"),
        ("parts", "wood"),
    ],
)
def test_a_value_that_fitting_may_change_is_not_exact(name: str, value: object) -> None:
    assert not is_exact(json.dumps({"products": [{**GOOD, name: value}]}), SCHEMA)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": []},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": ["string", "number"]}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"enum": [1, "1"]}}, "required": ["a"]},
    ],
)
def test_with_a_schema_that_leaves_a_choice_every_reply_is_fitted(schema: dict[str, Any]) -> None:
    assert not is_exact('{"a": "1"}', schema)


@pytest.mark.parametrize("text", ["2.5", " 2.5 kg", "2.5kilograms ", "kg 2.5", "2.5 Kilogram"])
def test_a_number_as_a_text_is_read_with_its_unit_on_either_side(text: str) -> None:
    assert fit(text, {"type": "number"}) == 2.5


@pytest.mark.parametrize("text", ["2 kg 5", "2.5 g", "kg", "about 2.5 kg"])
def test_a_text_that_is_no_mass_in_kilograms_is_left_as_it_is(text: str) -> None:
    assert fit(text, {"type": "number"}) == text
