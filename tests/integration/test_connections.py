"""Before anybody knows who they are: header bytes, time and connections of strangers are bounded,
and health is told.
"""

from __future__ import annotations

import asyncio
import json
import socket
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
    from weighbridge.api.connections import Places, guarded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_S = 60.0
OK = b"HTTP/1.1 200"


MANY_BYTES = 12_000_000
"""More than the kernel keeps for a connection on both sides together."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Takes the body and answers 200; /refuse answers 413 before."""
    status = 413 if scope["path"] == "/refuse" else 200
    while status == 200 and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": status, "headers": []})
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


async def ask_after_sending_all(port: int, request: bytes) -> bytes:
    """As most clients do: nothing is read before everything is sent."""

    def ask_so() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
            client.sendall(request)
            answer = b""
            while part := client.recv(65_536):
                answer += part
            return answer

    return await asyncio.to_thread(ask_so)


def post(path: str, size: int, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {size}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def detail_of(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    return str(json.loads(body)["detail"])


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


@pytest.mark.parametrize(
    ("request_head", "status", "said"),
    [
        (post("/refuse", MANY_BYTES, "Connection: close"), b"413", None),
        (post("/refuse", MANY_BYTES).replace(b"HTTP/1.1", b"HTTP/1.0"), b"413", None),
        (post("/", MANY_BYTES, *(f"X-{n}: x" for n in range(100))), b"431", "100 headers"),
        (b"GET / HTTP/1.1\r\n" + b"X-More: x\r\n" * MANY_BYTES, b"431", "32,768 bytes"),
        (b"not HTTP\r\n\r\n", b"400", "not valid HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"400", "not valid HTTP/1.1"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"400",
            "not valid HTTP/1.1",
        ),
    ],
    ids=[
        *("too large, then close", "HTTP/1.0", "many headers", "endless headers"),
        *("garbage", "bad header", "bad chunk"),
    ],
)
async def test_client_reads_why_it_was_refused_however_much_it_has_sent_on(
    request_head: bytes, status: bytes, said: str | None
) -> None:
    async with server(dropping_silence_s=PATIENCE_S) as port:
        request = request_head[:MANY_BYTES] + b"x" * MANY_BYTES
        answer = await ask_after_sending_all(port, request)
        assert answer.split()[1] == status
        assert said is None or said in detail_of(answer)
        assert (await ask(port, get("/"))).startswith(OK)


async def test_refused_body_does_not_end_its_connection() -> None:
    async with server(most_per_address=1) as port:
        request = post("/refuse", MANY_BYTES) + b"x" * MANY_BYTES
        answers = await ask(port, request + get("/"))
        assert answers.startswith(b"HTTP/1.1 413")
        assert answers.count(b"HTTP/1.1") == answers.count(OK) + 1 == 2


@pytest.mark.parametrize("headers", [["Connection: close"], []], ids=["close", "keep open"])
async def test_refused_body_is_taken_up_to_a_bound(headers: list[str]) -> None:
    async with server(most_dropped_bytes=100_000) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post("/refuse", 10**12, *headers))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")

        async def send_for_ever() -> None:
            while True:
                writer.write(b"x" * 100_000)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_for_ever(), PATIENCE_S)
        writer.close()


async def test_client_that_stops_sending_a_refused_body_is_not_waited_for() -> None:
    async with server(dropping_silence_s=0.1, most_per_address=1, spare=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post("/refuse", 10**9, "Connection: close") + b"begun")
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 413")
            while not (await ask(port, get("/"))).startswith(OK):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        writer.close()


async def test_request_that_does_not_end_is_ended_with_a_reason() -> None:
    async with server(head_within_s=0.2, body_silence_s=0.2) as port:
        head = await ask(port, b"GET / HTTP/1.1\r\nHost:")
        assert head.startswith(b"HTTP/1.1 408")
        body = await ask(port, post("/", 100) + b"begun")
        assert body.startswith(b"HTTP/1.1 408")
        assert "send it again" in detail_of(head)
        assert "send it again" in detail_of(body)


async def test_refusal_is_not_taken_for_the_answer_to_an_earlier_request() -> None:
    async with server(body_silence_s=0.2) as port:
        answers = await ask(port, post("/", 5) + b"hello" + post("/", 5) + b"he")
        assert answers.startswith(OK)
        assert answers.count(b"HTTP/1.1 408") == 1
        late = await ask(port, post("/refuse", 100) + b"begun")
        assert (late.count(b"HTTP/1.1"), late[9:12]) == (1, b"413")


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
