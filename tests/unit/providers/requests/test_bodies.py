"""The body of a request as bytes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.calls import CallRequest
from weighbridge.providers.requests.bodies import encoded_body, request_body
from weighbridge.providers.requests.capabilities import Capabilities

SCHEMA = {"type": "object", "properties": {"Größe": {"enum": ["a", "ü", "\u2028"]}}}
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(WORDS, WORDS, st.lists(WORDS, max_size=4), st.booleans())
def test_encoded_bytes_match_the_body(
    instructions: str, content: str, image_urls: list[str], sends_temperature: bool
) -> None:
    request = CallRequest(instructions, content, "step", SCHEMA, 100, tuple(image_urls))
    capabilities = Capabilities(sends_temperature=sends_temperature)
    encoded = encoded_body(request, "gpt-4.1-mini", capabilities)
    assert json.loads(encoded) == request_body(request, "gpt-4.1-mini", capabilities)


def test_another_schema_of_the_same_name_is_not_mistaken_for_the_first() -> None:
    bodies = [
        json.loads(
            encoded_body(CallRequest("i", "c", "step", {"title": title}, 1), "m", Capabilities())
        )
        for title in ("one", "two")
    ]
    titles = [body["response_format"]["json_schema"]["schema"]["title"] for body in bodies]
    assert titles == ["one", "two"]
