"""Turns a chat completion into a `CallReply`: its text in the form that was asked for, its finish
reason and its usage.

Used by `openai.py`. Pure, and lenient: many servers speak this API with small differences, and an
answer that has arrived is paid for, whatever it looks like.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import to_json

from weighbridge.domain.calls import (
    CallReply,
    CallRequest,
    FinishReason,
    Identity,
    Remaining,
    Usage,
)
from weighbridge.errors import EmptyReply
from weighbridge.providers.replies.exact import is_exact
from weighbridge.providers.replies.extraction import NoJson, after_reasoning, find_document
from weighbridge.providers.replies.fitting import fit, keeps_to

if TYPE_CHECKING:
    from collections.abc import Mapping

_BYTES_PER_TOKEN: Final = 4
"""How many bytes of text are estimated to be one token where a server does not count tokens;
English prose and JSON have a little more.
"""

_FINISH_REASONS: Final = (
    (re.compile(r"length|max_\w*tokens|context_window|trunc"), FinishReason.LENGTH),
    (re.compile(r"filter|safety|refus|sensitive|recitation|prohibited|blocklist|spii|policy"), FinishReason.REFUSAL),
)  # fmt: skip
"""Pairs of a pattern that a server's finish reason matches and what the reason means: servers have
many names for the same reason, such as "content_filter: PROHIBITED_CONTENT".
"""
_INPUT_TOKENS_PER_BYTE: Final = 4
_PICTURE_TOKENS: Final = 100_000
"""How many input tokens the pictures of a call may have, at most: a server's count is not believed
above this plus `_INPUT_TOKENS_PER_BYTE` for each byte of text sent.
"""
_OUTPUT_ABOVE_ALLOWANCE: Final = 10
"""A server's count of output tokens is not believed above this many times the sum of the output
allowance and the number of bytes of the text.
"""
_LONGEST_COUNT: Final = 16
"""A count of tokens that a server sends as text is read only if it has fewer characters than this.
"""
_DEAREST_CALL_USD: Final = 1_000.0
"""A stated cost of one call is not believed from this amount on."""
_REASONING: Final = ("reasoning_content", "reasoning", "thinking")
_EMPTY: Final = "{model} sent an empty completion without saying why."
_ONLY_REASONING: Final = (
    "The content of {model}'s reply is empty: the server put the whole text into reasoning_content, "
    "which may be a draft. Start the server without its reasoning parser, or set "
    "WEIGHBRIDGE_REASONING_EFFORT to none."
)
_NOT_THE_ANSWER: Final = frozenset({"thinking", "reasoning", "redacted_thinking"})
SIMULATOR_FINGERPRINT: Final = "simulated"
"""The `system_fingerprint` of our simulator's answers: gateways pass it on, but drop its header."""


class Read(NamedTuple):
    """A reply; `is_in_form`: its text is an object with all properties that were asked for."""

    reply: CallReply
    is_in_form: bool


class Arrival(NamedTuple):
    """What is known about an answer from outside its completion, mostly from its headers."""

    remaining: Remaining = Remaining()
    request_id: str | None = None
    processing_s: float | None = None
    cost_usd: float | None = None
    service_tier: str | None = None  # where it is known without the completion's word


def read_reply(
    completion: Mapping[str, Any],
    *,
    request: CallRequest,
    model: str,
    arrival: Arrival = Arrival(),  # noqa: B008 - immutable
) -> Read:
    """The reply in a chat completion.

    Raises:
        EmptyReply: it has no text and no reason for that, so it is no answer about any product.
    """
    choices = completion.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = choice.get("message") or choice.get("delta")
    message = {"content": message} if isinstance(message, str) else _mapping(message)
    finish = str(choice.get("finish_reason") or choice.get("native_finish_reason")).lower()
    reason = next((r for words, r in _FINISH_REASONS if words.search(finish)), FinishReason.STOP)
    written = _written(message, choice)
    refusal = _text(message.get("refusal")) or _refusal_part(message.get("content"))
    if refusal:
        reason, written = FinishReason.REFUSAL, written or refusal
    reasoning = ""
    if is_empty := not written.strip() and reason is FinishReason.STOP:
        reasoning = next((text for name in _REASONING if (text := _text(message.get(name)))), "")
        written = _answer_in(reasoning)
        is_empty = not written
    text, is_in_form = _in_form(written, request, is_cut=reason is not FinishReason.STOP)
    answered_by = completion.get("model")
    tier = arrival.service_tier or completion.get("service_tier")
    reply = CallReply(
        text=text,
        finish_reason=reason,
        usage=_usage(_mapping(completion.get("usage")), request, written),
        remaining=arrival.remaining,
        model=answered_by if isinstance(answered_by, str) and answered_by else model,
        request_id=arrival.request_id,
        processing_s=arrival.processing_s,
        service_tier=tier if isinstance(tier, str) else None,
        stated_cost_usd=arrival.cost_usd or _stated_cost(completion),
    )
    if is_empty:
        said = _ONLY_REASONING if reasoning else _EMPTY
        is_billed = _is_counted(_mapping(completion.get("usage")))
        raise EmptyReply(
            said.format(model=model),
            reply if is_billed else None,
            is_only_reasoning=bool(reasoning),
        )
    return Read(reply, is_in_form)


def is_simulated(completion: Mapping[str, Any]) -> bool:
    """Whether the completion comes from our simulator, also through gateways."""
    return completion.get("system_fingerprint") == SIMULATOR_FINGERPRINT


def _written(message: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
    """The text of the model, whichever field it is in; empty if there is none."""
    text = _text(message.get("content")) or _text(choice.get("text"))
    if text:
        return text
    for call in message.get("tool_calls") or (message,):
        function = _mapping(_mapping(call).get("function") or _mapping(call).get("function_call"))
        if arguments := _text(function.get("arguments")):
            return arguments
    return _text(message.get("parsed"))


def _answer_in(reasoning: str) -> str:
    """The answer in a reasoning text that holds nothing else (after its end mark); else empty.

    Some servers send the whole answer as reasoning. JSON in the middle of reasoning is a draft.
    """
    answer = after_reasoning(reasoning).strip()
    return answer if answer[:1] == "{" and answer[-1:] == "}" else ""


def _in_form(written: str, request: CallRequest, *, is_cut: bool) -> tuple[str, bool]:
    """(text that the steps can read, whether it has the form asked for).

    The text is unchanged where it is plain JSON that keeps to the schema.
    """
    answer = after_reasoning(written)
    if is_exact(answer, request.schema):
        return answer, True
    try:
        found = find_document(answer, is_cut=is_cut)
    except NoJson:
        return answer, is_cut
    fitted = fit(found.document, request.schema)
    is_plain = found.is_all and fitted is found.document
    return (answer if is_plain else _encoded(fitted)), keeps_to(fitted, request.schema)


def _encoded(document: Any) -> str:
    return to_json(document, inf_nan_mode="constants").decode("utf-8", "replace")


def _usage(counted: Mapping[str, Any], request: CallRequest, text: str) -> Usage:
    """The tokens of a call: as the provider counted them, or an estimate where it does not count.

    An estimate is nearer to the truth than 0, which would make such a server look free and idle.
    """
    details = _mapping(counted.get("prompt_tokens_details"))
    of_output = _mapping(counted.get("completion_tokens_details"))
    sent = len(request.instructions.encode()) + len(request.content.encode())
    schema = _schema_bytes(Identity(request.schema))
    most_read = _INPUT_TOKENS_PER_BYTE * (sent + schema) + _PICTURE_TOKENS
    most_written = _OUTPUT_ABOVE_ALLOWANCE * (request.max_output_tokens + len(text.encode()))
    # The second names are those of Anthropic, and of OpenAI's Responses API.
    read = counted.get("prompt_tokens", counted.get("input_tokens"))
    wrote = counted.get("completion_tokens", counted.get("output_tokens"))
    input_tokens = _at_most(most_read, _count(read))
    output_tokens = _at_most(most_written, _count(wrote))
    if not input_tokens and not output_tokens:
        input_tokens = output_tokens = None
    if input_tokens is None:
        input_tokens = sent // _BYTES_PER_TOKEN + 1
    if output_tokens is None:
        output_tokens = len(text.encode()) // _BYTES_PER_TOKEN + 1
    cached = details.get("cached_tokens", counted.get("prompt_cache_hit_tokens"))  # DeepSeek
    written = details.get("cache_write_tokens", counted.get("cache_creation_input_tokens"))
    cached_tokens = min(_count(cached) or 0, input_tokens)
    return Usage(
        input_tokens,
        output_tokens,
        cached_tokens,
        min(_count(written) or 0, input_tokens - cached_tokens),
        min(_count(of_output.get("reasoning_tokens")) or 0, output_tokens),
    )


def _is_counted(usage: Mapping[str, Any]) -> bool:
    """Whether the server says that tokens were used; Ollama counts none for what it lost."""
    names = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")
    return any(_count(usage.get(name)) for name in names)


@lru_cache(maxsize=16)
def _schema_bytes(schema: Identity[Mapping[str, Any]]) -> int:
    return len(to_json(schema.value))


def _stated_cost(completion: Mapping[str, Any]) -> float | None:
    """The cost in USD that OpenRouter states in the usage; None if there is none."""
    return stated_usd(_mapping(completion.get("usage")).get("cost"))


def stated_usd(told: object) -> float | None:
    """The cost in USD that a gateway states; None for values that cannot be true, such as NaN or
    negative ones: in a sum they would let calls exceed their spending cap.
    """
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        usd = float(told)
    except (ValueError, OverflowError):
        return None
    return usd if 0 <= usd < _DEAREST_CALL_USD else None


def _text(content: object) -> str:
    """The text of a message's content: a string, the text parts of a list, or the JSON of an
    object.
    """
    if isinstance(content, list):
        parts = ({"text": part} if isinstance(part, str) else _mapping(part) for part in content)
        content = "".join(
            str(part.get("text") or "")
            for part in parts
            if str(part.get("type")) not in _NOT_THE_ANSWER
        )
    if isinstance(content, dict) and content:
        return _encoded(content)
    if not isinstance(content, str):
        return ""
    # Half of a surrogate pair can be written in JSON, but in no file and no database.
    return content if content.isascii() else content.encode("utf-8", "replace").decode()


def _refusal_part(content: object) -> str:
    """The refusals among the parts of a message's content, joined."""
    parts = map(_mapping, content) if isinstance(content, list) else ()
    return "".join(_text(part.get("refusal")) for part in parts)


def _at_most(most: int, tokens: int | None) -> int | None:
    """The count; None above `most`, which cannot be true and would use up the account's budgets."""
    return tokens if tokens is None or tokens <= most else None


def _count(value: object) -> int | None:
    """The value as a count of tokens; None for anything but a plausible number."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < _LONGEST_COUNT:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e15 else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
