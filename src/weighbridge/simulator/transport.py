"""Carries requests of an httpx2 client to the simulator in the same process.

Used under the real SDK for `--simulate` and in tests. Unlike with httpx2's own ASGITransport, the
client's read timeout is kept (by the simulator's clock), and a dropped connection raises what it
raises on a socket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import httpx2
from typing_extensions import override

Message = MutableMapping[str, Any]
Asgi = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]
READ_TIMEOUT_KEY: Final = "weighbridge.read_timeout_s"


class ConnectionDropped(httpx2.RemoteProtocolError):
    """The simulated connection broke; an httpx2 error as for a real one."""


class AnswerOverdue(httpx2.ReadTimeout):
    """The simulated answer did not come within the client's read timeout."""


class SimulatorTransport(httpx2.AsyncBaseTransport):
    """An httpx2 transport that calls an ASGI app directly."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The app's response to a request. Transport errors carry the request, as a socket's do."""
        body = await request.aread()
        url = request.url
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (url.host, url.port or 80),
            "client": ("127.0.0.1", 0),
            READ_TIMEOUT_KEY: request.extensions.get("timeout", {}).get("read"),
        }
        start: Message = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        try:
            await self._app(scope, receive, send)
        except httpx2.TransportError as error:
            error.request = request
            raise
        return httpx2.Response(
            start["status"], headers=start["headers"], content=b"".join(chunks), request=request
        )
