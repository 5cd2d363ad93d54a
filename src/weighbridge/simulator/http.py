"""Small pieces of HTTP for a bare ASGI app: a request's body in, a response out.

A framework would take most of a simulated call's time; `app.py` needs no more than this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import to_json

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

SIMULATED: Final[Header] = (b"x-weighbridge-simulated", b"true")
_JSON: Final = b"application/json"


@dataclass(slots=True)
class Response:
    """What goes out. A broken response stops in the middle of its body."""

    status: int
    body: bytes
    headers: list[Header] = field(default_factory=list)
    media_type: bytes = _JSON
    is_broken: bool = False


class RequestBodyTooLarge(Exception):
    """The body of a request has more bytes than are accepted."""


def json_response(content: Any, status: int = 200, headers: list[Header] | None = None) -> Response:
    """A response with JSON in it."""
    return Response(status, to_json(content), headers or [])


async def read_body(receive: Receive, most_bytes: int) -> bytes:
    """The whole body of a request. Raises RequestBodyTooLarge above `most_bytes`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > most_bytes:
                raise RequestBodyTooLarge
        body = b"".join(chunks)
    if len(body) > most_bytes:
        raise RequestBodyTooLarge
    return body


async def send_response(response: Response, send: Send, request_id: str) -> None:
    """Send it, marked as simulated; a broken one stops after half its body."""
    headers = [
        (b"content-type", response.media_type),
        (b"content-length", b"%d" % len(response.body)),
        (b"x-request-id", request_id.encode()),
        SIMULATED,
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.is_broken:
        half = response.body[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
    else:
        await send({"type": "http.response.body", "body": response.body})


def header(scope: Scope, name: bytes) -> bytes:
    """One header of a request; empty when it is not there."""
    return next((value for key, value in scope["headers"] if key == name), b"")
