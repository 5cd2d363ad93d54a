"""The simulator's short cuts in counting tokens and reading bodies change no figure."""

from __future__ import annotations

import json
from itertools import product

import bpe_openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.simulator.config import SimulatorConfig
from weighbridge.simulator.questions.chat import SchemaShelf, read_chat_request
from weighbridge.simulator.questions.faults import ApiFault
from weighbridge.simulator.tokens import count_tokens

ENCODING = bpe_openai.get_encoding("o200k_base")
FRAGMENTS = (
    '"',
    '":',
    '","',
    "'s",
    "12",
    "0.3071",
    "½",
    "٣",
    "à",
    "e\u0301",
    " ",
    "\n",
    "steel",
    "椅子",
    "_",
    "-",
)
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["chair", "table"]}},
    "required": ["kind"],
    "additionalProperties": False,
}
WRAPPER = {"name": "kinds", "strict": True, "schema": SCHEMA}
FORMAT = {"type": "json_schema", "json_schema": WRAPPER}


@given(st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join)))
@example('{"code":"P-0012","mass_kg":0.262,"text":"20\\" wheel, 1½ inch, 100% cotton"}')
@example('"half \ud83e","a pair"')
def test_tokens_are_counted_as_the_encoder_counts_them(text: str) -> None:
    assert count_tokens(text) == len(ENCODING.encode_ordinary(text))


def test_every_number_of_up_to_three_digits_is_one_token() -> None:
    for length in (1, 2, 3):
        for digits in product("0123456789", repeat=length):
            assert len(ENCODING.encode_ordinary("".join(digits))) == 1


def body(text: str, response_format: object = FORMAT) -> dict[str, object]:
    messages = [{"role": "user", "content": text}]
    return {"response_format": response_format, "model": "gpt-4.1-mini", "messages": messages}


@given(st.text())
def test_a_body_means_the_same_whether_its_schema_comes_first_or_last(text: str) -> None:
    shelf, config = SchemaShelf(), SimulatorConfig()
    first = body(text)
    last = dict(reversed(first.items()))
    read = [
        read_chat_request(json.dumps(form, separators=(",", ":")).encode(), config, shelf)
        for form in (first, first, last)
    ]
    assert read[0] == read[1] == read[2]


@pytest.mark.parametrize(
    "again",
    [
        {"type": "text"},
        None,
        "nonsense",
        {"type": "json_schema", "json_schema": []},
        {"type": "json_schema", "json_schema": {**WRAPPER, "schema": {"type": "string"}}},
    ],
)
def test_similar_schemas_are_not_confused(again: object) -> None:
    shelf, config = SchemaShelf(), SimulatorConfig()
    known = json.dumps(body("a chair"), separators=(",", ":")).encode()
    other = json.dumps(body("a chair", again), separators=(",", ":")).encode()
    twice = known[:-1] + b',"response_format":' + json.dumps(again).encode() + b"}"
    read_chat_request(known, config, shelf)
    for text in (other, other, twice):
        assert outcome(text, shelf) == outcome(text, SchemaShelf())
    assert read_chat_request(known, config, shelf).schema_name == "kinds"


@pytest.mark.parametrize("tail", [b"", b"}", b"]", b'model":"x"', b",}", b" }", b'""}'])
def test_a_broken_body_is_refused_although_its_beginning_is_known(tail: bytes) -> None:
    shelf = SchemaShelf()
    opening = json.dumps({"response_format": FORMAT}, separators=(",", ":")).encode()[:-1]
    read_chat_request(
        json.dumps(body("a chair"), separators=(",", ":")).encode(), SimulatorConfig(), shelf
    )
    broken = opening + b"," + tail
    assert (
        outcome(broken, shelf)
        == outcome(broken, SchemaShelf())
        == "We could not parse the JSON body of your request."
    )


def outcome(text: bytes, shelf: SchemaShelf) -> object:
    try:
        return read_chat_request(text, SimulatorConfig(), shelf).schema_name
    except ApiFault as fault:
        return str(fault)
