"""What a catalogue cost by our records is what the provider bills, in every tier and lane."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.application import AMPLE, RunningProgram, program
from weighbridge.domain.calls import Lane, Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.providers.requests.wishes import Wishes
from weighbridge.simulator.config import Fault, FaultPlan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

FAULTS = FaultPlan({Fault.MALFORMED: 0.03, Fault.MISSING: 0.03, Fault.REFUSE: 0.02})
PRODUCTS = 40
TIERS = ["default", "flex", "priority", "batch"]


def bill_usd(running: RunningProgram, tier: str) -> float:
    books = running.simulator.books
    assert set(books.calls_by_tier) == {tier}
    usage = Usage(
        books.prompt_tokens, books.output_tokens, books.cached_tokens, books.cache_write_tokens
    )
    return call_cost_usd(usage, running.engine.provider.price.in_tier(tier))


@pytest.mark.parametrize("faults", [FaultPlan(), FAULTS], ids=["sound", "faulty"])
@pytest.mark.parametrize("tier", TIERS)
async def test_calls_and_products_cost_what_the_provider_bills(
    database_url: str, tmp_path: Path, tier: str, faults: FaultPlan
) -> None:
    config = replace(AMPLE, faults=faults, batch_delay_s=0.1, seed=4)
    wishes = Wishes(tier="default" if tier == "batch" else tier)
    lane = Lane.BATCH if tier == "batch" else Lane.ONLINE
    async with program(
        database_url, tmp_path, config, model="gpt-6-luna", wishes=wishes, batch_tries=100
    ) as running:
        await running.add_many(PRODUCTS, lane=lane.value)
        await running.fetch(
            "UPDATE products SET image_url = 'https://pictures.example/' || code WHERE id % 10 < 3"
        )
        await running.start()
        await running.until_true("SELECT bool_and(status IN ('completed', 'failed')) FROM products")
        await running.stop()
        bill = bill_usd(running, tier)
        assert bill > 0
        assert await running.value("SELECT sum(cost_usd) FROM calls") == pytest.approx(bill)
        if not faults.rates:
            of_products = await running.value("SELECT sum(cost_usd) FROM answers")
            assert of_products == pytest.approx(bill)
