"""The shapes of OpenAI's chat completions: a `CallRequest` becomes a body, a body becomes a `CallReply`.

Used by `openai.py` on the way out and back. Pure. Reading is lenient, because many servers speak
this API with small differences, and an answer that has arrived is paid for, whatever it looks like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json
from typing_extensions import override

from weighbridge.domain.calls import CallReply, CallRequest, FinishReason, Remaining, Usage
from weighbridge.providers.stored_completions import KEY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIXED_TEMPERATURE: Final = re.compile(r"(?:[\w.-]+/)?(?:gpt-(?:[5-9]|\d\d)|o\d)")
"""Models that reason: they accept no other temperature than their own."""

_BYTES_PER_TOKEN: Final = 4
"""English prose and JSON lie a little above. Only for servers that do not count."""

_UNKNOWN_PARAMETER: Final = re.compile(
    r"un(?:supported|known|recognized|expected)|not (?:supported|permitted|allowed)"
    r"|does not support|extra_forbidden|extra (?:inputs|fields)",
    re.IGNORECASE,
)

_FINISH_REASONS: Final = {
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.REFUSAL,
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which of the optional parameters the server and its model take. Learned from its refusals."""

    allowance_name: str = "max_completion_tokens"
    sends_temperature: bool = True
    stores: bool = True

    def adapted_to(self, refusal: str) -> Dialect | None:
        """How to ask again after a 400 or 422 with this text; None when it is about something else."""
        if not _UNKNOWN_PARAMETER.search(refusal):
            return None
        if self.allowance_name == "max_completion_tokens" and self.allowance_name in refusal:
            return replace(self, allowance_name="max_tokens")
        if self.sends_temperature and "temperature" in refusal:
            return replace(self, sends_temperature=False)
        if self.stores and ("metadata" in refusal or "store" in refusal):
            return replace(self, stores=False)
        return None


def dialect_of(model: str) -> Dialect:
    """What is known beforehand: OpenAI's own models all take `max_completion_tokens`."""
    base = model.removeprefix("ft:")
    return Dialect(sends_temperature=not _FIXED_TEMPERATURE.match(base))


def request_body(request: CallRequest, model: str, dialect: Dialect) -> dict[str, object]:
    """The body of POST /chat/completions.

    The instructions come first and alone, so that the provider's prompt cache finds them again. Without a key
    `store` is not sent: chat completions are not kept unless one asks for it. Temperature 0 makes a
    repeated question give the same answer as far as the model allows.
    """
    user: object = request.content
    if request.image_url is not None:
        user = [
            {"type": "text", "text": request.content},
            {"type": "image_url", "image_url": {"url": request.image_url}},
        ]
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": request.instructions},
            {"role": "user", "content": user},
        ],
        "response_format": _response_format(request.schema_name, request.schema),
        dialect.allowance_name: request.max_output_tokens,
    }
    if dialect.sends_temperature:
        body["temperature"] = 0
    if request.key is not None and dialect.stores:
        body["store"] = True
        body["metadata"] = {KEY_NAME: request.key}
    return body


def encoded_body(request: CallRequest, model: str, dialect: Dialect) -> bytes:
    """`request_body` as JSON. Schemas are encoded once: they are most of it, and always the same.

    Encoding the whole body took 0.2 ms a call. Raises PydanticSerializationError for text that is no Unicode.
    """
    body = request_body(request, model, dialect)
    del body["response_format"]
    schema = _encoded_format(request.schema_name, _Identity(request.schema))
    return b'{"response_format":' + schema + b"," + to_json(body)[1:]


class _Identity:
    """Lets a schema be a key of the cache: equal only to itself, which the cache keeps alive."""

    __slots__ = ("schema",)

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    @override
    def __hash__(self) -> int:
        return id(self.schema)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.schema is self.schema


@lru_cache(maxsize=16)
def _encoded_format(name: str, schema: _Identity) -> bytes:
    return to_json(_response_format(name, schema.schema))


def _response_format(name: str, schema: Mapping[str, Any]) -> dict[str, object]:
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": schema},
    }


def read_reply(
    completion: Mapping[str, Any],
    *,
    request: CallRequest,
    model: str,
    remaining: Remaining,
    request_id: str | None,
    processing_s: float | None = None,
) -> CallReply:
    """The reply in a chat completion. One without choices or text is an empty reply, not an error."""
    choices = completion.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = _mapping(choice.get("message"))
    text = _text(message.get("content"))
    reason = _FINISH_REASONS.get(str(choice.get("finish_reason")), FinishReason.STOP)
    if message.get("refusal"):
        reason, text = FinishReason.REFUSAL, text or _text(message["refusal"])
    answered_by = completion.get("model")
    return CallReply(
        text=text,
        finish_reason=reason,
        usage=_usage(_mapping(completion.get("usage")), request, text),
        remaining=remaining,
        model=answered_by if isinstance(answered_by, str) and answered_by else model,
        request_id=request_id,
        processing_s=processing_s,
    )


def _usage(counted: Mapping[str, Any], request: CallRequest, text: str) -> Usage:
    """The provider's own count, or an estimate where it does not count.

    An estimate is nearer to the truth than 0, which would make such a server look free and idle.
    """
    details = _mapping(counted.get("prompt_tokens_details"))
    input_tokens = _count(counted.get("prompt_tokens"))
    output_tokens = _count(counted.get("completion_tokens"))
    if input_tokens is None:
        sent = len(request.instructions.encode()) + len(request.content.encode())
        input_tokens = sent // _BYTES_PER_TOKEN + 1
    if output_tokens is None:
        output_tokens = len(text.encode()) // _BYTES_PER_TOKEN + 1
    cached = min(_count(details.get("cached_tokens")) or 0, input_tokens)
    return Usage(input_tokens, output_tokens, cached)


def _text(content: object) -> str:
    """The text of a message: a string, or the text parts of a list (some servers send these)."""
    if isinstance(content, list):
        content = "".join(str(_mapping(part).get("text") or "") for part in content)
    if not isinstance(content, str):
        return ""
    # Half of a surrogate pair can be written in JSON, but in no file and no database.
    return content if content.isascii() else content.encode("utf-8", "replace").decode()


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e15 else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
