"""What the provider's side of a call costs in CPU time: the SDK, our path, and the least that
aiohttp can do.

    python -m benchmarks.provider_call [--calls 3000] [--at-once 100]

A bare loopback server in another process answers every question with the same completion, at once.
Measured is the CPU time of this process alone, a call: putting the question into bytes, sending it,
reading the answer into a `CallReply`. The server's answer is made up; nothing here says anything
about a real provider.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

import aiohttp
import httpx2
import uvloop
from openai import AsyncOpenAI
from typing_extensions import override

from benchmarks.harness import print_table
from benchmarks.simulator_throughput import bodies
from weighbridge.domain.calls import CallRequest
from weighbridge.providers.openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from multiprocessing.connection import Connection

    Call = Callable[[], Awaitable[object]]

MODEL: Final = "gpt-4.1-mini"
KEY: Final = "sk-benchmark"
ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "x" * 1500, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 400, "total_tokens": 1600},
    }
).encode()
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"
    b"x-ratelimit-limit-requests: 500\r\nx-ratelimit-remaining-requests: 499\r\n"
    b"x-ratelimit-reset-requests: 120ms\r\nx-ratelimit-limit-tokens: 200000\r\n"
    b"x-ratelimit-remaining-tokens: 198500\r\nx-ratelimit-reset-tokens: 6m0.5s\r\n"
    b"content-length: %d\r\n\r\n" % len(ANSWER)
)


class Answering(asyncio.Protocol):
    """The bare server: it looks for the end of a request and sends the answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if found and len(body) >= length:
            self._received = b""
            self._transport.write(HEAD + ANSWER)


def serve(tell: Connection) -> None:
    """Runs until it is terminated; tells its port."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
        tell.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


@contextmanager
def server() -> Iterator[str]:
    """The bare server in a process of its own; its base URL."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    child.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        child.terminate()
        child.join()


async def cpu_ms(call: Call, calls: int, at_once: int) -> float:
    """CPU milliseconds a call, with so many at once, after every connection was opened."""

    async def work(number: int) -> None:
        for _ in range(number):
            await call()

    await asyncio.gather(*(work(2) for _ in range(at_once)))
    started_s = time.process_time()
    await asyncio.gather(*(work(calls // at_once) for _ in range(at_once)))
    return (time.process_time() - started_s) / (calls // at_once * at_once) * 1000


def sdk_ms(calls: int = 600, at_once: int = 100) -> float:
    """What the plain SDK takes for a call on this machine at this moment: a yardstick for
    everything else.
    """

    async def run(url: str) -> float:
        sdk, body = plain_sdk(url), bodies()[0]
        try:
            return await cpu_ms(lambda: sdk.chat.completions.create(**body), calls, at_once)
        finally:
            await sdk.close()

    with server() as url:
        return uvloop.run(run(url))


def plain_sdk(url: str) -> AsyncOpenAI:
    """As its documentation says, without retries."""
    return AsyncOpenAI(
        api_key=KEY, base_url=url, max_retries=0, http_client=httpx2.AsyncClient(timeout=60)
    )


async def measure(url: str, calls: int, at_once: int) -> list[dict[str, object]]:
    """All ways, one after the other, over the same kind of server."""
    body = bodies()[0]
    encoded = json.dumps(body).encode()
    request = CallRequest(
        instructions=body["messages"][0]["content"],
        content=body["messages"][1]["content"],
        schema_name="classification",
        schema=body["response_format"]["json_schema"]["schema"],
        max_output_tokens=body["max_completion_tokens"],
    )
    sdk = plain_sdk(url)
    provider = OpenAIProvider(MODEL, KEY, url)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def bare() -> bytes:
        async with session.post(f"{url}/chat/completions", data=encoded) as response:
            return await response.read()

    ways: dict[str, Call] = {
        "SDK, chat.completions.create": lambda: sdk.chat.completions.create(**body),
        "SDK, post(cast_to=Response)": lambda: sdk.post(
            "/chat/completions", cast_to=httpx2.Response, content=encoded
        ),
        "ours, OpenAIProvider.call": lambda: provider.call(request),
        "aiohttp alone, nothing read": bare,
    }
    found = {name: await cpu_ms(call, calls, at_once) for name, call in ways.items()}
    await asyncio.gather(sdk.close(), provider.aclose(), session.close())
    least = found["aiohttp alone, nothing read"]
    return [
        {"way": name, "CPU ms/call": round(ms, 3), "times aiohttp alone": round(ms / least, 1)}
        for name, ms in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--at-once", type=int, default=100)
    arguments = parser.parse_args()
    with server() as url:
        rows = uvloop.run(measure(url, arguments.calls, arguments.at_once))
    print_table(f"a call of five products, {arguments.at_once} at once", rows)


if __name__ == "__main__":
    main()
