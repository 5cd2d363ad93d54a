"""Names, prices, connections and the mistakes that are found when the provider is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from openai import AsyncOpenAI

from tests.support.scripted_provider import KEY, MODEL, REQUEST, ScriptedProvider, completion
from weighbridge.errors import ProviderUnreachable, SettingsError
from weighbridge.providers.connections import POOL_SIZE, Connections
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.providers.prices import price_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        (None, "openai"),
        ("https://api.openai.com/v1/", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://notopenai.com/v1", "notopenai.com"),
        ("http://localhost:8080/v1", "localhost"),
        (" https://user:pw@llm.example/v1 ", "llm.example"),
    ],
)
async def test_a_provider_is_named_after_its_host(base_url: str | None, name: str) -> None:
    provider = OpenAIProvider(MODEL, KEY, base_url)
    assert provider.name == name
    assert provider.model == MODEL
    assert not provider.simulated
    assert provider.price == price_of(MODEL, name)
    await provider.aclose()


async def test_the_simulator_is_labelled_and_costs_what_openai_would() -> None:
    provider = OpenAIProvider(MODEL, "any", "http://simulator.invalid/v1", simulated=True)
    assert provider.simulated
    assert provider.name == "simulator"
    assert provider.price == price_of(MODEL, "openai")
    await provider.aclose()


@pytest.mark.parametrize(
    "base_url", ["localhost:8080", "ftp://x/v1", "https://", "http://[::1/v1", "http://x:99999/v1"]
)
async def test_an_address_that_cannot_work_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL"):
        OpenAIProvider(MODEL, KEY, base_url)


@pytest.mark.parametrize("key", ["sk-two words", "sk-líne", "sk-a\nsk-b", "“sk-quoted”"])
async def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY") as caught:
        OpenAIProvider(MODEL, key)
    assert "sk-" not in str(caught.value)


async def test_blanks_around_a_key_do_no_harm() -> None:
    scripted = ScriptedProvider(completion())
    await OpenAIProvider(MODEL, f"  {KEY}\n", http_client=scripted.client()).call(REQUEST)
    assert scripted.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_a_server_that_wants_no_key_gets_a_harmless_one(key: str | None) -> None:
    scripted = ScriptedProvider(completion())
    await OpenAIProvider(MODEL, key, http_client=scripted.client()).call(REQUEST)
    assert scripted.requests[0].headers["authorization"] == "Bearer none"


async def test_the_key_is_in_no_representation_of_the_provider() -> None:
    provider = ScriptedProvider(completion()).provider()
    await provider.call(REQUEST)
    assert KEY not in repr(provider)


class CountedClients:
    """Makes real SDK clients and remembers them."""

    def __init__(self) -> None:
        self.made: list[AsyncOpenAI] = []

    def __call__(self) -> AsyncOpenAI:
        self.made.append(AsyncOpenAI(api_key="x"))
        return self.made[-1]


async def test_few_calls_share_one_pool_and_many_are_spread() -> None:
    clients = CountedClients()
    connections = Connections(clients, most_pools=3)
    for _ in range(100):
        with connections.borrow() as client:
            assert client is clients.made[0]
    borrowed: list[AbstractContextManager[AsyncOpenAI]] = [
        connections.borrow() for _ in range(5 * POOL_SIZE)
    ]
    used = [loan.__enter__() for loan in borrowed]
    assert len(clients.made) == 3
    per_pool = [sum(client is made for client in used) for made in clients.made]
    assert max(per_pool) - min(per_pool) <= POOL_SIZE
    assert sum(per_pool) == 5 * POOL_SIZE
    for loan in borrowed:
        loan.__exit__(None, None, None)
    with connections.borrow() as client:
        assert client is clients.made[0]
    await connections.aclose()
    assert all(client.is_closed() for client in clients.made)


# Over real sockets --------------------------------------------------------------------------------


async def serve(answer: bytes) -> tuple[asyncio.Server, str]:
    """A server that reads a request, writes `answer` and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, f"http://127.0.0.1:{port}/v1"


def raw(body: bytes, length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        length,
        body,
    )


async def test_a_call_over_a_real_socket_is_answered() -> None:
    body = completion().body
    server, url = await serve(raw(body, len(body)))
    provider = OpenAIProvider(MODEL, KEY, url)
    assert (await provider.call(REQUEST)).text == '{"category": "Chairs"}'
    await provider.aclose()
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"220 smtp.example ESMTP\r\n",
        raw(completion().body[:50], 800),
    ],
)
async def test_a_connection_that_breaks_off_is_told_apart_from_an_answer(answer: bytes) -> None:
    server, url = await serve(answer)
    provider = OpenAIProvider(MODEL, KEY, url)
    with pytest.raises(ProviderUnreachable, match=r"No connection to 127\.0\.0\.1"):
        await provider.call(REQUEST)
    await provider.aclose()
    server.close()


async def test_a_closed_port_is_unreachable() -> None:
    server, url = await serve(b"")
    server.close()
    await server.wait_closed()
    provider = OpenAIProvider(MODEL, KEY, url)
    with pytest.raises(ProviderUnreachable):
        await provider.call(REQUEST)
    await provider.aclose()
