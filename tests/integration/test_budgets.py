"""Caps on money, with real workers: what the provider bills never exceeds them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulation.spending import spend
from tests.support.application import AMPLE, RunningProgram, program, until
from weighbridge.clock import ScaledClock
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.service.budgets import InvalidBudget, capped, read_budgets, set_budgets
from weighbridge.simulator.config import Fault, FaultPlan, SimulatorConfig

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

FAULTS = FaultPlan(
    {
        Fault.DROP: 0.05,
        Fault.ERROR500: 0.05,
        Fault.RATE: 0.05,
        Fault.MALFORMED: 0.05,
        Fault.REFUSE: 0.02,
    }
)


def bill_usd(running: RunningProgram) -> float:
    """What the provider has to be paid, by its own books."""
    books, price = running.simulator.books, running.engine.provider.price
    usage = Usage(
        input_tokens=books.prompt_tokens,
        output_tokens=books.output_tokens,
        cached_input_tokens=books.cached_tokens,
        cache_write_tokens=books.cache_write_tokens,
    )
    return call_cost_usd(usage, price)


async def committed(running: RunningProgram) -> float:
    found = await read_budgets(running.app.database, running.app.clock)
    return max(budget.committed_usd for budget in found)


async def until_broke(running: RunningProgram) -> str:
    await running.until_true("SELECT paused_reason LIKE '%budget%' FROM queue_state")
    return str(await running.value("SELECT paused_reason FROM queue_state"))


async def test_a_cap_on_the_day_pauses_the_queue_which_goes_on_when_it_is_raised(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, budget_per_day=0.02) as running:
        await running.add_many(200)
        await running.start()
        reason = await until_broke(running)
        assert reason.startswith("The budget of $0.02 for a day is used up")
        assert 0.01 < bill_usd(running) <= 0.02
        assert await running.value("SELECT count(*) FROM products WHERE status = 'failed'") == 0
        await set_budgets(running.app.database, {"day": 10})
        await running.until(completed=200)
        await running.stop()
        assert await committed(running) == pytest.approx(bill_usd(running), rel=1e-9)
        await running.assert_sound()


async def test_empty_replies_are_billed_and_never_cross_the_cap(
    database_url: str, tmp_path: Path
) -> None:
    seen = 0

    def every_second(_: bytes, reply: bytes) -> bytes:
        nonlocal seen
        seen += 1
        body = json.loads(reply)
        body["choices"][0]["message"]["content"] *= seen % 2
        return json.dumps(body).encode()

    async with program(
        database_url, tmp_path, clock=ScaledClock(20), budget_per_day=0.02
    ) as running:
        await running.add_many(200)
        running.wire.twist = every_second
        await running.start()
        await until_broke(running)
        assert await running.value("SELECT count(*) > 3 FROM calls WHERE outcome = 'EmptyReply'")
        assert 0.01 < bill_usd(running) <= 0.02


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_runs_with_faults_and_deaths_never_spend_more_than_their_cap(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    spent = await spend(database_url, tmp_path, seed)
    assert not spent.broken
    assert 0 < spent.bill_usd <= spent.cap_usd


@pytest.mark.parametrize("seed", [2])
async def test_four_processes_and_a_faulty_provider_never_spend_more_than_the_cap(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    cap_usd = 0.01 + 0.01 * seed
    config = SimulatorConfig(latency_s=1.0, faults=FAULTS, seed=seed)
    clock = ScaledClock(20)
    async with AsyncExitStack() as stack:
        shared: dict[str, Any] = {"clock": clock, "budget_per_month": cap_usd}
        first = await stack.enter_async_context(program(database_url, tmp_path, config, **shared))
        others = [
            await stack.enter_async_context(
                program(database_url, tmp_path, simulator=first.simulator, **shared)
            )
            for _ in range(3)
        ]
        await first.add_many(300)
        await first.start()
        for other in others:
            await other.work()
        await until_broke(first)
        await others[0].die()
        assert bill_usd(first) <= cap_usd
        for running in (first, *others[1:]):
            await running.stop()
        # Calls that were in flight at the pause are billed by now.
        assert 0.5 * cap_usd < bill_usd(first) <= cap_usd
        assert bill_usd(first) <= await committed(first) + 1e-9


async def test_a_budget_that_cannot_be_kept_lets_nothing_go(
    database_url: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"model": "nobodys-model", "budget_per_day": 5.0}
    async with program(database_url, tmp_path, **settings) as running:
        await running.add_many(5)
        await running.start()
        reason = await until_broke(running)
        assert "price of nobodys-model is not known" in reason
        assert running.simulator.books.received == 0


async def test_what_calls_cost_before_the_cap_was_set_counts(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(10)
        await running.start()
        await running.until(completed=10)
        await set_budgets(running.app.database, {"day": 1, "month": 2})
        assert await committed(running) == pytest.approx(bill_usd(running), rel=1e-9)
        await set_budgets(running.app.database, {"day": None, "month": None})
        assert await read_budgets(running.app.database, running.app.clock) == []


@pytest.mark.parametrize("cap", [-1, True, "5", float("nan"), float("inf"), 1e12])
async def test_a_cap_that_is_no_amount_changes_nothing(
    database_url: str, tmp_path: Path, cap: object
) -> None:
    async with program(database_url, tmp_path) as running:
        with pytest.raises(InvalidBudget, match="amount in USD"):
            await set_budgets(running.app.database, {"month": 3, "day": cap})
        with pytest.raises(InvalidBudget, match="choose day and month"):
            await set_budgets(running.app.database, {"week": 3})
        assert await read_budgets(running.app.database, running.app.clock) == []


async def test_a_catalogue_keeps_its_cap_over_all_its_runs(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.csv"
    file.write_text("code,name,description\n")
    async with program(database_url, tmp_path, AMPLE) as running:
        async with capped(running.app.database, file, 0.01):
            await running.add_many(100)
            await running.start()
            await until(lambda: running.engine.supervisor.over_budget is not None, "it is broke")
            await running.stop()
        assert await read_budgets(running.app.database, running.app.clock) == []
        async with capped(running.app.database, file, 0.02):
            (again,) = await read_budgets(running.app.database, running.app.clock)
            assert again.committed_usd == pytest.approx(bill_usd(running), rel=1e-9)
