"""Stored completions: what our provider makes of what a server may list, and the simulator's list
under the real SDK.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from tests.support.application import until
from tests.support.scripted_provider import (
    KEY,
    REQUEST,
    Answer,
    ScriptedProvider,
    answer,
    completion,
    refusal,
    web_page,
)
from tests.support.simulated_provider import SIMULATOR_URL, simulated_provider
from weighbridge.clock import ScaledClock, SystemClock
from weighbridge.errors import (
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
)
from weighbridge.providers.stored_completions import KEY_NAME
from weighbridge.simulator.app import Simulator, create_app
from weighbridge.simulator.config import Keeping, SimulatorConfig, parse_faults

if TYPE_CHECKING:
    from weighbridge.domain.calls import CallReply
    from weighbridge.providers.openai import OpenAIProvider

pytestmark = pytest.mark.anyio

STORED = REQUEST._replace(key="3f2a")
ENTRY: dict[str, Any] = {
    "id": "chatcmpl-7",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "request_id": "req_7",
    "metadata": {KEY_NAME: "3f2a"},
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"category": "Chairs"}'},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 15},
}


def listed(*entries: Any) -> Answer:
    return answer(200, {"object": "list", "data": list(entries), "has_more": False})


async def find(
    *script: Answer,
) -> tuple[CallReply | None, OpenAIProvider, ScriptedProvider]:
    scripted = ScriptedProvider(*script)
    provider = scripted.provider()
    try:
        return await provider.find(STORED), provider, scripted
    finally:
        await provider.aclose()


async def test_call_with_a_key_is_stored_under_it() -> None:
    scripted = ScriptedProvider(completion())
    await scripted.provider().call(STORED)
    assert scripted.requests[0].body["store"] is True
    assert scripted.requests[0].body["metadata"] == {"weighbridge_call": "3f2a"}


async def test_call_without_a_key_does_not_mention_storing() -> None:
    scripted = ScriptedProvider(completion())
    await scripted.provider().call(REQUEST)
    assert not {"store", "metadata"} & scripted.requests[0].body.keys()


async def test_stored_reply_is_found_by_key_and_read_normally() -> None:
    reply, provider, scripted = await find(listed(ENTRY))
    assert reply is not None
    assert (reply.text, reply.model, reply.request_id) == (
        '{"category": "Chairs"}',
        "gpt-4o-mini-2024-07-18",
        "req_7",
    )
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1200, 15)
    (asked,) = scripted.requests
    assert (asked.method, asked.path, asked.body) == ("GET", "/v1/chat/completions", None)
    assert dict(parse_qsl(asked.query))["metadata[weighbridge_call]"] == "3f2a"
    assert provider.keeps_replies


@pytest.mark.parametrize(
    "entries",
    [
        (),
        ({**ENTRY, "metadata": {KEY_NAME: "another"}},),
        ({**ENTRY, "metadata": {}},),
        ({name: value for name, value in ENTRY.items() if name != "metadata"},),
        ({**ENTRY, "choices": []},),
        ("nonsense", None),
    ],
)
async def test_reply_to_another_call_is_not_used(
    entries: tuple[Any, ...],
) -> None:
    reply, provider, _ = await find(listed(*entries))
    assert reply is None
    assert provider.keeps_replies


@pytest.mark.parametrize(
    "said",
    [
        refusal(404, message="Not Found"),
        refusal(405, message="Method Not Allowed"),
        refusal(400, message="Unknown parameter: metadata"),
        refusal(403, message="Missing scopes: api.chat.completions.read"),
        refusal(401, message="You have insufficient permissions for this operation."),
        refusal(501),
        web_page(200),
        web_page(404),
        answer(200, []),
        answer(200, {"object": "list"}),
    ],
)
async def test_server_without_a_list_counts_as_keeping_no_replies(said: Answer) -> None:
    reply, provider, _ = await find(said)
    assert reply is None
    assert not provider.keeps_replies


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (refusal(429, "rate_limit_exceeded"), RateLimited),
        (refusal(429, "insufficient_quota"), QuotaExhausted),
        (refusal(500), ProviderOverloaded),
        (web_page(502), ProviderOverloaded),
        (httpx2.ConnectError("refused"), ProviderUnreachable),
    ],
)
async def test_failed_look_up_raises_the_same_error_as_a_call(
    said: Answer | Exception, kind: type[ProviderError]
) -> None:
    scripted = ScriptedProvider(said)
    provider = scripted.provider()
    with pytest.raises(kind) as caught:
        await provider.find(STORED)
    assert KEY not in str(caught.value)
    assert provider.keeps_replies
    await provider.aclose()


async def test_store_is_dropped_for_servers_that_do_not_know_it() -> None:
    said = refusal(400, "unknown_parameter", "Unknown parameter: 'store'.", param="store")
    scripted = ScriptedProvider(said, completion())
    provider = scripted.provider()
    await provider.call(STORED)
    assert "store" in scripted.requests[0].body
    assert not {"store", "metadata"} & scripted.requests[1].body.keys()
    assert not provider.keeps_replies
    await provider.aclose()


# The simulator --------------------------------------------------------------------------------


def sdk(config: SimulatorConfig, factor: float = 1.0) -> tuple[AsyncOpenAI, Simulator]:
    """The SDK itself, with its own models."""
    simulator = create_app(config, SystemClock() if factor == 1 else ScaledClock(factor))
    transport = simulator.transport()
    return AsyncOpenAI(
        api_key="any",
        base_url=SIMULATOR_URL,
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=transport),
    ), simulator


def question(text: str = "What is it?", **others: Any) -> dict[str, Any]:
    return {
        "model": "gpt-4.1-mini",
        "messages": [{"role": "user", "content": text}],
        "max_completion_tokens": 100,
        **others,
    }


async def test_simulator_lists_what_was_stored_and_nothing_else() -> None:
    client, simulator = sdk(SimulatorConfig())
    await client.chat.completions.create(**question("not stored"))
    made = [
        await client.chat.completions.create(
            **question(store=True, metadata={"call": str(n), "of": "test"})
        )
        for n in range(3)
    ]
    page = await client.chat.completions.list()
    assert [stored.id for stored in page.data] == [reply.id for reply in made]
    assert page.data[0].usage == made[0].usage
    assert page.data[0].choices[0].message.content == made[0].choices[0].message.content
    one = await client.chat.completions.list(metadata={"call": "1"})
    assert [stored.id for stored in one.data] == [made[1].id]
    none = await client.chat.completions.list(metadata={"call": "1", "of": "another"})
    assert none.data == []
    newest = await client.chat.completions.list(order="desc", limit=2)
    assert [stored.id for stored in newest.data] == [made[2].id, made[1].id]
    everything = [
        stored.id async for stored in client.chat.completions.list(limit=2, metadata={"of": "test"})
    ]
    assert everything == [reply.id for reply in made]
    assert (simulator.books.stored, simulator.books.fetched) == (3, 3)


async def test_simulator_refuses_metadata_without_store_as_openai_does() -> None:
    client, _ = sdk(SimulatorConfig())
    with pytest.raises(openai.BadRequestError, match="only allowed when 'store' is enabled"):
        await client.chat.completions.create(**question(metadata={"call": "1"}))


async def test_simulator_lists_after_the_delay() -> None:
    client, _ = sdk(SimulatorConfig(list_delay_s=30), factor=200)
    await client.chat.completions.create(**question(store=True))
    assert (await client.chat.completions.list()).data == []

    async def is_listed() -> bool:
        return bool((await client.chat.completions.list()).data)

    await until(is_listed, "it is listed")


async def test_simulator_counts_look_ups_against_the_limit_when_told_to() -> None:
    client, _ = sdk(SimulatorConfig(requests_per_minute=2, lookups_count=True))
    await client.chat.completions.list()
    await client.chat.completions.list()
    with pytest.raises(openai.RateLimitError):
        await client.chat.completions.list()


async def test_simulator_without_retention_ignores_store() -> None:
    client, simulator = sdk(SimulatorConfig(keeping=Keeping.NOTHING))
    await client.chat.completions.create(**question(store=True))
    assert (await client.chat.completions.list()).data == []
    assert simulator.books.stored == 0


async def test_simulator_may_have_no_list_at_all() -> None:
    client, _ = sdk(SimulatorConfig(keeping=Keeping.UNKNOWN))
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.list()


@pytest.mark.parametrize(("keeping", "finished"), [(Keeping.FINISHED, 1), (Keeping.ATTENDED, 0)])
async def test_call_of_a_disconnected_client_is_finished_or_dropped(
    keeping: Keeping, finished: int
) -> None:
    config = SimulatorConfig(latency_s=20, latency_sigma=0, keeping=keeping)
    clock = ScaledClock(100)
    provider, simulator = simulated_provider(config, clock)
    call = asyncio.create_task(provider.call(STORED))
    await until(lambda: simulator.books.in_flight == 1, "the call has begun")
    call.cancel()
    await until(lambda: call.done() and simulator.books.in_flight == 0, "nobody works on it")
    assert (simulator.books.completed, simulator.books.abandoned) == (finished, 1)
    found = await provider.find(STORED)
    assert (found is not None) == bool(finished)
    assert simulator.books.fetched == finished
    await provider.aclose()


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (SimulatorConfig(latency_s=40, latency_sigma=0), ProviderTimeout),
        (SimulatorConfig(faults=parse_faults("drop=1")), ProviderUnreachable),
    ],
)
async def test_late_or_broken_reply_can_still_be_fetched(
    config: SimulatorConfig, kind: type[ProviderError]
) -> None:
    provider, simulator = simulated_provider(config, ScaledClock(100), timeout_s=30)
    with pytest.raises(kind):
        await provider.call(STORED)
    await until(lambda: simulator.books.completed == 1, "the provider is done")
    assert await provider.find(STORED) is not None
    await provider.aclose()
