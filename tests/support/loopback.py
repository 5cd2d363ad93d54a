"""An ASGI app, or raw bytes, behind a real socket of this machine; HTTP/1.1 with connections kept
alive.

    async with loopback(app) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)

Nothing is added to what the app sends but a content-length, so that a test decides on every byte. A
ConnectionError in the app resets the connection.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Asgi = Callable[
        [
            MutableMapping[str, Any],
            Callable[[], Awaitable[MutableMapping[str, Any]]],
            Callable[[MutableMapping[str, Any]], Awaitable[None]],
        ],
        Awaitable[None],
    ]


@dataclass(frozen=True)
class Raw:
    """Bytes to send for any request, with a pause after each if there is one; then the connection
    is closed, reset, or left open for the next one.
    """

    sent: bytes
    ending: str = "close"
    pause_s: float = 0.0


@dataclass
class Loopback:
    """A server that runs. `heads` are the request heads that came, `connections` counts them."""

    app: Asgi | Raw
    scheme: str = "http"
    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answered(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except ConnectionError:
            writer.transport.abort()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        request_line, *lines = head[:-4].split("\r\n")
        headers = [
            (name.lower().encode(), value.strip().encode("latin-1"))
            for name, _, value in (line.partition(":") for line in lines)
        ]
        body = await reader.readexactly(int(dict(headers).get(b"content-length", b"0")))
        if isinstance(self.app, Raw):
            await _send(writer, self.app)
            if self.app.ending == "reset":
                writer.transport.abort()
            return self.app.ending == "keep"
        method, target, _ = request_line.split(" ")
        writer.write(await _said_by(self.app, method, target, headers, body))
        await writer.drain()
        return True

    async def hang_up(self) -> None:
        """Close every connection, as servers do with those that were idle for long."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, raw: Raw) -> None:
    pieces = [raw.sent] if not raw.pause_s else [bytes([byte]) for byte in raw.sent]
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        if raw.pause_s:
            await asyncio.sleep(raw.pause_s)


@asynccontextmanager
async def loopback(app: Asgi | Raw, tls: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """Serve until the end of the block."""
    running = Loopback(app, "https" if tls else "http")
    server = await asyncio.start_server(running.handle, "127.0.0.1", 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        await running.hang_up()


async def _said_by(
    app: Asgi, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> bytes:
    start: MutableMapping[str, Any] = {}
    chunks: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(message.get("body", b""))

    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
    }
    await app(scope, receive, send)
    content = b"".join(chunks)
    lines = [b"HTTP/1.1 %d -" % start["status"], b"content-length: %d" % len(content)]
    lines += [name + b": " + value for name, value in start["headers"]]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content
