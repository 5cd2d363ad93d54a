"""What a small context leaves for the answer, in the words of those who refuse a call for it."""

from __future__ import annotations

import pytest

from tests.support.scripted_provider import REQUEST
from weighbridge.domain.calls import CallReply, FinishReason, Remaining, Usage
from weighbridge.providers.faults.evidence import read_evidence
from weighbridge.providers.requests.room import with_full_context, with_smaller_allowance

LONG = REQUEST._replace(max_output_tokens=2_000)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 4379 tokens (2379 in the messages, 2000 in the completion). Please reduce the length of the messages or completion.", 1_717),
        ("'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context length is 4096 tokens and your request has 2379 input tokens (2000 > 4096 - 2379).", 1_717),
        ("This model's maximum context length is 4096 tokens. However, you requested 2000 output tokens and your prompt contains at least 2097 input tokens, for a total of at least 4097 tokens.", 1_999),
        ("Requested token count exceeds the model's maximum context length of 4,096 tokens. You requested a total of 4379 tokens: 2379 tokens from the input messages and 2000 tokens for the completion.", 1_717),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 2379 `inputs` tokens and 2000 `max_new_tokens`", 1_717),
        # Half the answer would be cut: smaller groups are better.
        ("maximum context length is 4096 tokens (3379 in the messages, 2000 in the completion)", None),
        ("maximum context length is 4096 tokens (5379 in the messages, 2000 in the completion)", None),
        ("maximum context length is 4096 tokens", None),
        ("invalid request (5 in the messages)", None),
    ],
)  # fmt: skip
def test_the_allowance_shrinks_to_what_the_refusal_says_is_left(
    said: str, left: int | None
) -> None:
    refused = read_evidence(400, {"error": {"message": said}}, b"{}")
    request = with_smaller_allowance(LONG, refused)
    assert (request and request.max_output_tokens) == left


@pytest.mark.parametrize(
    ("finish", "output", "context", "is_full"),
    [
        (FinishReason.LENGTH, 280, 1_280, True),
        (FinishReason.LENGTH, 279, 1_280, True),
        (FinishReason.LENGTH, 200, 1_280, False),
        (FinishReason.STOP, 280, 1_280, False),
        (FinishReason.LENGTH, 280, None, False),
    ],
)
def test_a_full_context_is_told_from_an_allowance_that_was_used_up(
    finish: FinishReason, output: int, context: int | None, is_full: bool
) -> None:
    reply = CallReply("", finish, Usage(1_000, output), Remaining(), "m")
    noted = with_full_context(reply, context)
    assert noted.full_context_tokens == (context if is_full else None)
