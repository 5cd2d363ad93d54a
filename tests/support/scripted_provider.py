"""A provider that says what a test tells it to: a small ASGI app under the real SDK.

    script = ScriptedProvider(refusal(429, "rate_limit_exceeded"), completion("{}"))
    provider = script.provider()

Answers are given in order, and the last one for ever. Every request is kept in `script.requests`.
An exception in the script is raised instead of an answer, as a broken connection would be;
`SILENCE` never answers.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx2

from weighbridge.domain.calls import CallRequest
from weighbridge.providers.openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

KEY: Final = "sk-proj-aVeryS3cretKey_0123456789"
"""The key that must never be seen again."""

MODEL: Final = "gpt-4o-mini"

SCHEMA: Final = {
    "type": "object",
    "properties": {"category": {"type": "string", "enum": ["Chairs", "Tables"]}},
    "required": ["category"],
    "additionalProperties": False,
}

REQUEST: Final = CallRequest(
    instructions="Say what the product is. Choose from the list.",
    content='[{"code": "P-1", "name": "Oak stool", "description": "A three-legged stool of solid oak."}]',
    schema_name="classification",
    schema=SCHEMA,
    max_output_tokens=200,
)

RATE_LIMIT_HEADERS: Final = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "198500",
    "x-ratelimit-reset-tokens": "6m0.5s",
}


@dataclass(frozen=True)
class Answer:
    """One HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Silence:
    """The server accepts the request and says nothing."""


SILENCE: Final = Silence()


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    query: str = ""


class ScriptedProvider:
    """The ASGI app."""

    def __init__(self, *script: Answer | Exception | Silence) -> None:
        self.script = list(script)
        self.requests: list[Asked] = []

    def provider(
        self, model: str = MODEL, base_url: str | None = None, *, timeout_s: float = 30.0
    ) -> OpenAIProvider:
        """Our provider over the real SDK, talking to this app."""
        return OpenAIProvider(model, KEY, base_url, http_client=self.client(), timeout_s=timeout_s)

    def client(self) -> httpx2.AsyncClient:
        """An HTTP client whose network is this app."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self))

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.requests.append(await _read(scope, receive))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Silence):
            await asyncio.Event().wait()
            return
        headers = {"content-type": "application/json", **answer.headers}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})


async def _read(
    scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
) -> Asked:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    path = scope["raw_path"].decode()
    return Asked(
        scope["method"],
        path,
        headers,
        json.loads(body) if body else None,
        scope["query_string"].decode(),
    )


def completion(
    content: Any = '{"category": "Chairs"}',
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    headers: Mapping[str, str] | None = None,
    **changes: Any,
) -> Answer:
    """A chat completion as OpenAI sends it; `changes` replace its top-level fields, None removes
    one.
    """
    message = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
    fields = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        ],
        "usage": {
            "prompt_tokens": 1200,
            "completion_tokens": 15,
            "total_tokens": 1215,
            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        },
    } | changes
    body = {name: value for name, value in fields.items() if value is not None}
    return answer(200, body, headers)


def refusal(
    status: int,
    code: str | None = None,
    message: str = "That did not work.",
    *,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> Answer:
    """An error in OpenAI's shape; `fields` are further members of the error, such as `param`."""
    error = {"message": message, "type": "some_error", "param": None, "code": code} | fields
    return answer(status, {"error": error}, headers)


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Any JSON answer."""
    return Answer(status, json.dumps(body).encode(), {"x-request-id": "req_42", **(headers or {})})


def web_page(status: int) -> Answer:
    """What a proxy in front of the API sends."""
    page = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>cloudflare</body></html>"
    return Answer(status, page, {"content-type": "text/html; charset=utf-8"})
