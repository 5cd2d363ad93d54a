"""The simulated gpt-6-luna behaves as its documentation says, and our provider gets along with
it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.support.scripted_provider import REQUEST
from tests.support.simulated_provider import SIMULATOR_URL
from weighbridge.clock import SystemClock
from weighbridge.domain.calls import FinishReason
from weighbridge.errors import ModelUnknown, ProviderOverloaded, RequestRefused
from weighbridge.planning.cost import cache_saving_usd, call_cost_usd
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.providers.requests.wishes import Wishes
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import SimulatorConfig
from weighbridge.simulator.models import KNOWN_MODELS

if TYPE_CHECKING:
    from weighbridge.simulator.app import Simulator

pytestmark = pytest.mark.anyio

LUNA = "gpt-6-luna"
LONG = REQUEST._replace(instructions=REQUEST.instructions * 300, max_output_tokens=5_000)


def made(
    wishes: Wishes = Wishes(),  # noqa: B008 - immutable
    config: SimulatorConfig = SimulatorConfig(),  # noqa: B008 - immutable
    model: str = LUNA,
) -> tuple[OpenAIProvider, Simulator]:
    simulator = create_app(config, SystemClock())
    client = httpx2.AsyncClient(transport=simulator.transport())
    provider = OpenAIProvider(
        model, "sk-simulated", SIMULATOR_URL, http_client=client, simulated=True, wishes=wishes
    )
    return provider, simulator


async def test_without_a_setting_the_model_does_not_reason() -> None:
    provider, _ = made()
    reply = await provider.call(LONG)
    assert reply.usage.reasoning_tokens == 0
    assert reply.finish_reason is FinishReason.STOP


async def test_reasoning_takes_its_share_of_the_allowance_and_of_the_bill() -> None:
    provider, _ = made(Wishes(effort="high"))
    assert (await provider.call(LONG)).usage.reasoning_tokens > 1_000
    cut = await provider.call(LONG._replace(max_output_tokens=500))
    assert (cut.text, cut.finish_reason) == ("", FinishReason.LENGTH)
    assert cut.usage.output_tokens == 500


async def test_the_marked_prefix_is_written_once_and_then_read() -> None:
    provider, _ = made()
    first, second = [(await provider.call(LONG)).usage for _ in range(2)]
    other = (await provider.call(LONG._replace(content=f"{LONG.content} "))).usage
    assert first.cache_write_tokens > 1_024
    assert (first.cached_input_tokens, second.cache_write_tokens) == (0, 0)
    assert second.cached_input_tokens == other.cached_input_tokens == first.cache_write_tokens
    assert cache_saving_usd(first, provider.price) < 0 < cache_saving_usd(second, provider.price)


async def test_flex_costs_half_and_the_reply_names_the_tier() -> None:
    costs = {}
    for tier in ("default", "flex", "priority"):
        provider, _ = made(Wishes(tier=tier))
        reply = await provider.call(LONG)
        costs[tier] = call_cost_usd(reply.usage, provider.price.in_tier(reply.service_tier))
    assert costs["flex"] == pytest.approx(costs["default"] / 2)
    assert costs["priority"] == pytest.approx(costs["default"] * 2)


async def test_flex_without_room_is_waited_for_or_paid_for() -> None:
    full = SimulatorConfig(flex_busy=1.0)
    provider, _ = made(Wishes(tier="flex"), full)
    with pytest.raises(ProviderOverloaded, match="Resource unavailable"):
        await provider.call(LONG)
    provider, simulator = made(Wishes(tier="flex-or-default"), full)
    assert (await provider.call(LONG)).service_tier == "default"
    assert simulator.books.calls_by_tier == {"default": 1}


async def test_a_tier_that_the_model_has_not_is_refused_in_the_server_s_words() -> None:
    provider, _ = made(Wishes(tier="flex"), model="gpt-4.1-mini")
    with pytest.raises(RequestRefused, match="service_tier"):
        await provider.call(REQUEST)


@pytest.mark.parametrize(("days", "is_told"), [(91, False), (90, True), (1, True)])
async def test_a_shutdown_is_told_ninety_days_before(days: int, *, is_told: bool) -> None:
    day = (datetime.now(UTC) + timedelta(days=days)).date()  # noqa: TID251 - the server's own day
    ending = {LUNA: replace(KNOWN_MODELS[LUNA], shutdown=day)}
    provider, _ = made(config=SimulatorConfig(models=ending))
    await provider.check()
    assert any(day.isoformat() in notice for notice in provider.notices) is is_told


async def test_a_model_that_was_shut_down_is_refused_with_its_successor() -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()  # noqa: TID251 - the server's own day
    gone = {"gpt-4.1-mini": replace(KNOWN_MODELS["gpt-4.1-mini"], shutdown=yesterday)}
    provider, _ = made(config=SimulatorConfig(models=gone), model="gpt-4.1-mini")
    with pytest.raises(ModelUnknown, match="gpt-6-luna"):
        await provider.check()
