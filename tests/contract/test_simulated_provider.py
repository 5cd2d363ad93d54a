"""The simulator behaves, under our provider, as the scripted answers of `test_providers.py` say
that OpenAI does.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.scripted_provider import REQUEST, ScriptedProvider, answer, completion
from tests.support.simulated_provider import simulated_provider
from weighbridge.clock import ScaledClock, SystemClock
from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    Subject,
)
from weighbridge.domain.calls import FinishReason
from weighbridge.domain.products import Product
from weighbridge.errors import (
    AuthenticationFailed,
    ModelUnknown,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestRefused,
    RequestTooLarge,
)
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy
from weighbridge.providers.base import remaining_of
from weighbridge.simulator.config import SimulatorConfig, parse_faults
from weighbridge.steps import build_questions

if TYPE_CHECKING:
    from weighbridge.domain.calls import CallReply

pytestmark = pytest.mark.anyio


async def ask(config: SimulatorConfig, factor: float = 1.0) -> CallReply:
    provider, _ = simulated_provider(config, ScaledClock(factor))
    try:
        return await provider.call(REQUEST)
    finally:
        await provider.aclose()


async def test_answers_use_the_closed_list_and_are_counted() -> None:
    provider, simulator = simulated_provider(SimulatorConfig(), SystemClock())
    await provider.check()
    reply = await provider.call(REQUEST)
    assert json.loads(reply.text)["category"] in {"Chairs", "Tables"}
    assert reply.finish_reason is FinishReason.STOP
    assert reply.usage.input_tokens > 20
    assert reply.usage.output_tokens > 2
    assert reply.request_id is not None
    assert simulator.books.received == 1
    await provider.aclose()


async def test_every_reply_carries_the_limits() -> None:
    remaining = (
        await ask(SimulatorConfig(requests_per_minute=10, tokens_per_minute=5000))
    ).remaining
    assert (remaining.requests_limit, remaining.requests_remaining) == (10, 9)
    assert remaining.tokens_limit == 5000
    assert remaining.tokens_remaining is not None
    assert 4000 < remaining.tokens_remaining < 4800
    assert remaining.requests_reset_s == pytest.approx(6, abs=1)


async def test_a_429_says_when_to_retry() -> None:
    provider, simulator = simulated_provider(SimulatorConfig(requests_per_minute=2), SystemClock())
    calls = [provider.call(REQUEST) for _ in range(5)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert len(refused) == 3
    for error in refused:
        assert error.retry_after_s is not None
        assert 0 < error.retry_after_s <= 60
        remaining = remaining_of(error)
        assert remaining is not None
        assert remaining.requests_limit == 2
    assert simulator.books.received == 5
    await provider.aclose()


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ("rate=1", RateLimited),
        ("error500=1", ProviderOverloaded),
        ("html=1", ProviderOverloaded),
        ("outage=0-1000000", ProviderOverloaded),
        ("drop=1", ProviderUnreachable),
        ("timeout=1", ProviderTimeout),
    ],
)
async def test_each_fault_maps_to_our_error_after_one_request(
    faults: str, kind: type[ProviderError]
) -> None:
    config = SimulatorConfig(faults=parse_faults(faults))
    provider, simulator = simulated_provider(config, ScaledClock(2000))
    with pytest.raises(ProviderError) as caught:
        await provider.call(REQUEST)
    assert type(caught.value) is kind
    assert simulator.books.received == 1
    await provider.aclose()


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ("truncate=1", FinishReason.LENGTH),
        ("filter=1", FinishReason.REFUSAL),
        ("refuse=1", FinishReason.REFUSAL),
        ("malformed=1", FinishReason.STOP),
    ],
)
async def test_a_spoiled_answer_is_still_paid_for(faults: str, reason: FinishReason) -> None:
    reply = await ask(SimulatorConfig(faults=parse_faults(faults)))
    assert reply.finish_reason is reason
    assert reply.usage.input_tokens > 0


async def test_distinguishes_requests_that_can_never_work() -> None:
    provider, _ = simulated_provider(SimulatorConfig(tokens_per_minute=1000), SystemClock())
    with pytest.raises(RequestTooLarge, match="1000"):
        await provider.call(REQUEST._replace(max_output_tokens=5000))
    with pytest.raises(RequestTooLarge, match="32768"):
        await provider.call(REQUEST._replace(max_output_tokens=50_000))
    with pytest.raises(RequestRefused):
        await provider.call(
            REQUEST._replace(image_urls=("data:image/png;base64,bm90IGEgcGljdHVyZQ==",))
        )
    await provider.aclose()


async def test_wrong_key_or_model_fails_before_anything_is_spent() -> None:
    locked = SimulatorConfig(api_key="sk-another-key")
    provider, simulator = simulated_provider(locked, SystemClock())
    with pytest.raises(AuthenticationFailed, match="OPENAI_API_KEY"):
        await provider.check()
    await provider.aclose()
    assert simulator.books.received == 0
    provider, _ = simulated_provider(SimulatorConfig(), SystemClock(), model="gpt-4.1-mino")
    with pytest.raises(ModelUnknown, match=r"gpt-4\.1-mini"):
        await provider.check()
    with pytest.raises(ModelUnknown, match=r"gpt-4\.1-mino"):
        await provider.call(REQUEST)
    await provider.aclose()


async def test_detects_a_simulator_running_as_a_server() -> None:
    label = {"x-weighbridge-simulated": "true"}
    by_check = ScriptedProvider(answer(200, {"id": "gpt-4o-mini"}, label)).provider(
        base_url="http://localhost:8001/v1"
    )
    assert (by_check.name, by_check.simulated, by_check.price.known) == (
        "localhost:8001",
        False,
        False,
    )
    await by_check.check()
    assert (by_check.name, by_check.simulated, by_check.price.known) == ("simulator", True, True)
    by_reply = ScriptedProvider(completion(headers=label)).provider()
    await by_reply.call(REQUEST)
    assert by_reply.simulated


async def test_answers_to_all_questions_at_once_are_accepted() -> None:
    """The real lists, through the SDK: the schema is within the limits, and the reply is true to
    it.
    """
    questions = build_questions(BundledFactors().load().vocabulary(load_taxonomy()))
    group = [
        Subject(Product("BOTTLE", "Steel bottle", "A bottle of stainless steel, 0.5 l", 0.3)),
        Subject(Product("SHIRT", "T-shirt", "Knitted, of cotton", None)),
        Subject(Product("CHAIR", "Chair", "Moulded polypropylene seat on steel legs", 4.2)),
    ]
    provider, _ = simulated_provider(SimulatorConfig(), SystemClock())
    reply = await provider.call(questions.together.request(group, 3_000))
    await provider.aclose()
    accepted = questions.together.accept(reply, group)
    assert not accepted.refusals
    for subject in group:
        kind, bill, made = accepted.answers[subject.product.code].values()
        assert isinstance(kind, Classification)
        assert isinstance(bill, BillOfMaterials)
        assert isinstance(made, ManufacturingProcesses)
        assert made.uses
        assert {use.material for use in made.uses} <= {line.material for line in bill.lines}
