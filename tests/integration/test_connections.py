"""Before anybody knows who they are: header bytes, time and connections of strangers are bounded,
and health is told.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from tests.support.application import until
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        sys.platform == "win32", reason="Windows has h11, which has bounds of its own."
    ),
]

if sys.platform != "win32":
    from weighbridge.api.connections import MOST_HEADER_BYTES, Places, guarded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_S = 60.0
OK = b"HTTP/1.1 200"


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def server(**bounds: Any) -> AsyncIterator[int]:
    places = {
        name: bounds.pop(name) for name in ("most", "most_per_address", "spare") if name in bounds
    }
    protocol = guarded(Places(**places))
    for name, value in bounds.items():
        setattr(protocol, name, value)
    port = free_port()
    config = uvicorn.Config(app, port=port, http=protocol, lifespan="off", log_config=None)
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running.serve())
    await until(lambda: running.started, "the server")
    try:
        yield port
    finally:
        running.should_exit = running.force_exit = True
        await serving


async def ask(port: int, request: bytes) -> bytes:
    """All of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "headers",
    [
        [f"X-Long: {'x' * 32_768}"],
        [f"X-{n}: x" for n in range(100)],
    ],
    ids=["large", "many"],
)
async def test_too_much_of_headers_is_refused(headers: list[str]) -> None:
    async with server() as port:
        assert (await ask(port, get("/", *headers))).startswith(b"HTTP/1.1 431")
        assert (await ask(port, get("/", "X-Usual: x"))).startswith(OK)


async def test_headers_without_end_are_cut_off() -> None:
    async with server() as port:
        endless = b"GET / HTTP/1.1\r\n" + b"X-More: x\r\n" * MOST_HEADER_BYTES
        answer = await ask(port, endless)  # none, where more of it was on its way
        assert not answer or answer.startswith(b"HTTP/1.1 431")
        assert (await ask(port, get("/"))).startswith(OK)


async def test_request_that_does_not_end_is_ended() -> None:
    async with server(head_within_s=0.2, body_silence_s=0.2) as port:
        assert (await ask(port, b"GET / HTTP/1.1\r\nHost:")).startswith(b"HTTP/1.1 408")
        body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbegun"
        assert OK not in await ask(port, body)


async def test_health_is_told_when_all_places_are_taken() -> None:
    async with server(most_per_address=3, spare=2) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in crowd[:3]:
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert (await ask(port, get("/healthz"))).startswith(OK)
        assert (await ask(port, get("/readyz?verbose"))).startswith(OK)
        assert (await ask(port, get("/api/products"))).startswith(b"HTTP/1.1 503")
        for _, writer in crowd:
            writer.close()
        while not (await ask(port, get("/api/products"))).startswith(OK):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_several_requests_share_a_connection() -> None:
    async with server(most_per_address=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(OK)
            if b"chunked" in head:
                assert await reader.readuntil(b"0\r\n\r\n")
        writer.close()
