"""Turns a stream of server-sent events, which was not asked for, into a chat completion.

Gateways stream although `stream` was not set, and send comments to keep a connection open, also
before an ordinary body: https://html.spec.whatwg.org/multipage/server-sent-events.html. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.lenient_json import loads
from weighbridge.providers.wire import UnusableReply

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA: Final = b"data:"
_FIELDS: Final = (_DATA, b"event:", b"id:", b"retry:", b":")
_DONE: Final = b"[DONE]"


def is_stream(body: bytes) -> bool:
    """Whether the body begins like a stream of events, as no JSON does."""
    return body.startswith(_FIELDS)


def join_events(body: bytes) -> Any:
    """The chat completion (or error) that the events make up, or the JSON document after comments.

    Raises:
        UnusableReply: an event is not JSON, or the stream ended in the middle of an answer.
    """
    whole: dict[str, Any] = {}
    text, finish_reason, is_over = [], None, False
    for event in _documents(body):
        if event is _DONE:
            is_over = True
        if not isinstance(event, dict):
            continue
        whole.update({name: value for name, value in event.items() if value is not None})
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        if not isinstance(choice, dict) or "message" in choice:
            return event
        delta = choice.get("delta")
        text.append(str((delta.get("content") if isinstance(delta, dict) else delta) or ""))
        finish_reason = choice.get("finish_reason") or finish_reason
    if "error" in whole:
        return whole
    content = "".join(text)
    if not (is_over or finish_reason or _is_whole(content)):
        raise UnusableReply("the stream ended in the middle of an answer")
    message = {"role": "assistant", "content": content}
    return {**whole, "choices": [{"message": message, "finish_reason": finish_reason}]}


def _documents(body: bytes) -> Iterator[Any]:
    """The JSON document of each event; `_DONE` for the event that ends the stream."""
    lines = body.splitlines(keepends=True)
    event = b""
    for n, line in enumerate(lines):
        if line.startswith(_DATA):
            data = line.removeprefix(_DATA).strip()
            if data == _DONE:
                yield _DONE
                continue
            event = event + b"\n" + data if event else data
            try:
                document = loads(event)
            except (ValueError, RecursionError):
                continue  # it goes on in the next line
            event = b""
            yield document
        elif line.strip() and not line.startswith(_FIELDS):
            yield _parsed(b"".join(lines[n:]))
            return
    if event:
        _parsed(event)


def _parsed(data: bytes) -> Any:
    """The data as JSON. Raises UnusableReply if it is not JSON."""
    try:
        return loads(data)
    except (ValueError, RecursionError) as error:
        raise UnusableReply(str(error)) from error


def _is_whole(content: str) -> bool:
    """Whether a text without a mark of its end is nevertheless complete: JSON, or empty."""
    try:
        loads(content)
    except (ValueError, RecursionError):
        return not content.strip()
    return True
