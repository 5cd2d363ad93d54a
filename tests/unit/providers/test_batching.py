"""Lines of result files, as OpenAI's guide shows them and as they should not be."""

from __future__ import annotations

import json

import pytest

from weighbridge.domain.batches import ResultLine
from weighbridge.providers.batching import read_line

BODY = {"id": "chatcmpl-1", "choices": []}


def line(**fields: object) -> bytes:
    return json.dumps({"id": "batch_req_1", "custom_id": "k", **fields}).encode()


def test_a_reply_is_read() -> None:
    found = read_line(
        line(response={"status_code": 200, "request_id": "req_1", "body": BODY}, error=None)
    )
    assert found is not None
    assert (found.key, found.status, found.request_id) == ("k", 200, "req_1")
    assert json.loads(found.body) == BODY
    assert found.is_answered


def test_an_error_of_the_model_is_an_answer() -> None:
    error = {"error": {"message": "context length", "code": "context_length_exceeded"}}
    found = read_line(line(response={"status_code": 400, "body": error}, error=None))
    assert found is not None
    assert (found.status, found.is_answered) == (400, True)


@pytest.mark.parametrize("code", ["batch_expired", "batch_cancelled", "anything"])
def test_a_request_that_nobody_came_to_has_no_answer(code: str) -> None:
    found = read_line(line(response=None, error={"code": code, "message": "not executed"}))
    assert found == ResultLine("k")
    assert not found.is_answered


@pytest.mark.parametrize(
    "content",
    [b"", b"   ", b"{", b"[]", b"null", b'{"response": {}}', b'{"custom_id": 5}', b"\xff\xfe"],
)
def test_what_is_no_result_is_passed_over(content: bytes) -> None:
    assert read_line(content) is None


@pytest.mark.parametrize("response", [{}, [], "ok", {"status_code": "200"}, {"body": BODY}])
def test_a_response_without_a_status_is_no_answer(response: object) -> None:
    found = read_line(line(response=response))
    assert found is not None
    assert not found.is_answered
