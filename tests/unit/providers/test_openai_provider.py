"""Names, prices and the mistakes that are found when the provider is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import pytest
from typing_extensions import override

from tests.support.scripted_provider import KEY, MODEL, REQUEST, ScriptedProvider, completion
from weighbridge.errors import SettingsError
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.providers.prices import price_of
from weighbridge.providers.requests.address import read_address
from weighbridge.providers.sdk import Sdk

if TYPE_CHECKING:
    from weighbridge.providers.wire import Address

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        (None, "openai"),
        ("https://api.openai.com/v1/", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://notopenai.com/v1", "notopenai.com"),
        ("http://localhost:8080/v1", "localhost:8080"),
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
async def test_an_invalid_address_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL"):
        OpenAIProvider(MODEL, KEY, base_url)


@pytest.mark.parametrize("key", ["sk-two words", "sk-líne", "sk-a\nsk-b", "“sk-quoted”"])
async def test_an_unsendable_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY") as caught:
        OpenAIProvider(MODEL, key)
    assert "sk-" not in str(caught.value)


async def test_blanks_around_a_key_are_stripped() -> None:
    scripted = ScriptedProvider(completion())
    await OpenAIProvider(MODEL, f"  {KEY}\n", http_client=scripted.client()).call(REQUEST)
    assert scripted.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_a_server_without_keys_gets_a_placeholder(key: str | None) -> None:
    scripted = ScriptedProvider(completion())
    await OpenAIProvider(MODEL, key, http_client=scripted.client()).call(REQUEST)
    assert scripted.requests[0].headers["authorization"] == "Bearer none"


async def test_the_providers_repr_hides_the_key() -> None:
    provider = ScriptedProvider(completion()).provider()
    await provider.call(REQUEST)
    assert KEY not in repr(provider)


class CountingSdk(Sdk):
    """Knows how often it was asked what a request looks like."""

    rehearsals = 0

    @override
    async def rehearse(self) -> Address:
        self.rehearsals += 1
        return await super().rehearse()


async def test_concurrent_first_calls_probe_once() -> None:
    client = ScriptedProvider(*[completion()] * 20).client()
    provider = OpenAIProvider(MODEL, KEY, http_client=client)
    provider._sdk = sdk = CountingSdk(KEY, read_address(None), httpx2.Timeout(5), client)
    replies = await asyncio.gather(*(provider.call(REQUEST) for _ in range(20)))
    assert (len(replies), sdk.rehearsals) == (20, 1)
