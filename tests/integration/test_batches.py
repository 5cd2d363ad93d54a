"""The batch lane over the real SDK: what the simulator's books say of files, batches and money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.application import RunningProgram, program, until
from tests.support.crash import bomb
from weighbridge.clock import ScaledClock
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.service.budgets import read_budgets, set_budgets
from weighbridge.service.queue import queue_status, start_queue, stop_queue
from weighbridge.simulator.config import Fault, FaultPlan, SimulatorConfig

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

MODEL = "gpt-6-luna"
SPEED = 30
DONE = "SELECT bool_and(status IN ('completed', 'failed')) FROM products"
CONFIG = SimulatorConfig(batch_delay_s=5.0)


def bill_usd(running: RunningProgram) -> float:
    """By the provider's books: half the price for what travelled in batches."""
    books, price = running.simulator.books, running.engine.provider.price
    all_of_them = Usage(
        books.prompt_tokens, books.output_tokens, books.cached_tokens, books.cache_write_tokens
    )
    in_batches = Usage(
        books.batch_prompt_tokens,
        books.batch_output_tokens,
        books.batch_cached_tokens,
        books.batch_cache_write_tokens,
    )
    return call_cost_usd(all_of_them, price) - call_cost_usd(in_batches, price) / 2


def lane(url: str, folder: Path, config: SimulatorConfig = CONFIG, **settings: Any) -> Any:
    return program(url, folder, config, clock=ScaledClock(SPEED), model=MODEL, **settings)


async def add(running: RunningProgram, count: int, lane: str = "batch") -> None:
    await running.add_many(count)
    await running.fetch("UPDATE products SET lane = $1", lane)


async def assert_paid_exactly(running: RunningProgram) -> None:
    """The calls on record add up to the bill, to a ten-thousandth of a cent."""
    cost = await running.value("SELECT sum(cost_usd) FROM calls")
    assert cost == pytest.approx(bill_usd(running), abs=1e-6)
    assert running.simulator.books.batches_repeated == 0


@pytest.mark.parametrize("together", [True, False])
async def test_a_catalogue_in_batches_costs_half(
    database_url: str, tmp_path: Path, together: bool
) -> None:
    async with lane(database_url, tmp_path, ask_together=together) as running:
        await add(running, 23)
        await running.start()
        await running.until(completed=23)
        books = running.simulator.books
        assert books.batches == (1 if together else 3)
        assert books.batch_requests == (5 if together else 15)
        assert books.received == 0
        assert await running.value("SELECT count(*) FROM calls WHERE lane = 'batch'") == (
            books.batch_requests
        )
        await assert_paid_exactly(running)
        await running.until_true("SELECT bool_and(state = 'collected') FROM batches")
        assert await running.value("SELECT count(*) FROM open_calls") == 0
        assert await running.value("SELECT count(*) FROM pgqueuer") == 0
        await running.stop()
        await running.assert_sound()


async def test_unusable_answers_and_failed_lines_are_asked_again_in_batches(
    database_url: str, tmp_path: Path
) -> None:
    rates = {Fault.MALFORMED: 0.05, Fault.MISSING: 0.05, Fault.ERROR500: 0.05, Fault.REFUSE: 0.02}
    config = replace(CONFIG, faults=FaultPlan(rates), seed=3)
    async with lane(database_url, tmp_path, config, batch_tries=100) as running:
        await add(running, 100)
        await running.start()
        await running.until_true(DONE)
        assert running.simulator.books.received == 0
        assert running.simulator.books.batches > 3
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_an_expired_batch_keeps_its_replies_and_the_rest_goes_into_the_next(
    database_url: str, tmp_path: Path
) -> None:
    config = replace(CONFIG, batch_expire=1.0, seed=1)
    async with lane(database_url, tmp_path, config, ask_together=True) as running:
        await add(running, 100)
        await running.start()
        await running.until_true("SELECT EXISTS (SELECT FROM batches WHERE error = 'expired')")
        running.simulator.account.change({"batch_expire": 0.0})
        await running.until(completed=100)
        books = running.simulator.books
        assert books.batches == 2
        assert books.batch_requests == 20
        assert books.received == 0
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_what_batches_never_answer_finishes_online(database_url: str, tmp_path: Path) -> None:
    config = replace(CONFIG, faults=FaultPlan({Fault.ERROR500: 1.0}))
    async with lane(database_url, tmp_path, config, batch_tries=2) as running:
        await add(running, 5)
        await running.start()
        await running.until_true("SELECT bool_and(lane = 'online') FROM products")
        running.simulator.account.change({"faults": ""})
        await running.until(completed=5)
        books = running.simulator.books
        assert (books.batches, books.batch_requests) == (2, 2)
        assert books.completed == 3
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_both_lanes_work_side_by_side(database_url: str, tmp_path: Path) -> None:
    async with lane(database_url, tmp_path) as running:
        await add(running, 20)
        await running.fetch("UPDATE products SET lane = 'online' WHERE id % 4 = 0")
        await running.fetch("UPDATE products SET lane = 'flex' WHERE id % 4 = 1")
        await running.start()
        await running.until(completed=20)
        lanes = await running.fetch("SELECT lane, count(*) AS n FROM calls GROUP BY 1 ORDER BY 1")
        assert {row["lane"]: row["n"] for row in lanes} == {"batch": 6, "flex": 3, "online": 3}
        tiers = running.simulator.books.calls_by_tier
        assert (tiers["default"], tiers["flex"], tiers["batch"]) == (3, 3, 6)
        await running.stop()
        await running.assert_sound()


async def test_a_stopped_queue_submits_nothing_and_collects_what_is_at_the_provider(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(database_url, tmp_path) as running:
        await add(running, 10)
        await running.start()
        await until(lambda: running.simulator.books.batches == 1, "a batch is submitted")
        await stop_queue(running.app.database)
        await running.until_true("SELECT bool_and(state = 'collected') FROM batches")
        assert await running.value("SELECT count(*) FROM calls") == 2
        assert running.simulator.books.batches == 1
        await start_queue(running.app.database)
        await running.until(completed=10)
        assert running.simulator.books.batches == 3
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_batches_go_on_while_nobody_runs_and_the_next_start_collects_them(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(database_url, tmp_path) as first:
        await add(first, 10)
        await first.start()
        await first.until_true("SELECT bool_and(state = 'submitted') FROM batches")
        await first.stop()
        status = await queue_status(first.app.database, first.app.clock)
        assert (status.batches.batches, status.batches.requests) == (1, 2)
    async with lane(database_url, tmp_path, simulator=first.simulator) as second:
        await second.start()
        await second.until(completed=10)
        assert second.simulator.books.batches == 3
        await assert_paid_exactly(second)
        await second.stop()
        await second.assert_sound()


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/files"])
async def test_a_broken_connection_submits_nothing_twice(
    database_url: str, tmp_path: Path, path: str
) -> None:
    async with lane(database_url, tmp_path, ask_together=True) as running:
        broken = [True]

        def break_off(request: httpx2.Request) -> None:
            if request.method == "POST" and request.url.path == path and broken:
                broken.clear()
                raise httpx2.ReadError("the connection broke after the request had arrived")

        running.wire.after = break_off
        await add(running, 10)
        await running.start()
        await running.until(completed=10)
        assert not broken
        assert running.simulator.books.batches == 1
        assert running.simulator.books.batch_requests == 2
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_a_batch_that_never_arrived_is_submitted_after_a_while(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(database_url, tmp_path, ask_together=True) as running:
        lost = [True]

        def lose(request: httpx2.Request) -> httpx2.Response | None:
            if request.method == "POST" and request.url.path == "/v1/batches" and lost:
                lost.clear()
                return httpx2.Response(502, content=b"<html>bad gateway</html>")
            return None

        running.wire.instead = lose
        await add(running, 10)
        await running.start()
        await running.until(completed=10)
        assert running.simulator.books.batches == 1
        await assert_paid_exactly(running)
        await running.stop()


async def test_the_limit_of_enqueued_tokens_is_learned_and_kept(
    database_url: str, tmp_path: Path
) -> None:
    config = replace(CONFIG, enqueued_tokens=30_000)
    async with lane(database_url, tmp_path, config, ask_together=True) as running:
        await add(running, 60)
        await running.start()
        await running.until(completed=60)
        refused = await running.value("SELECT count(*) FROM batches WHERE state = 'discarded'")
        assert 1 <= refused <= 3
        assert running.simulator.books.batch_requests == 12
        assert running.engine.provider.learned()["enqueued_tokens"] <= 30_000
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_a_set_limit_of_enqueued_tokens_is_never_exceeded(
    database_url: str, tmp_path: Path
) -> None:
    limit = 30_000
    config = replace(CONFIG, enqueued_tokens=limit)
    settings: dict[str, Any] = {"ask_together": True, "batch_enqueued_tokens": limit * 9 // 10}
    async with lane(database_url, tmp_path, config, **settings) as running:
        await add(running, 60)
        await running.start()
        await running.until(completed=60)
        assert await running.value("SELECT count(*) FROM batches WHERE state = 'discarded'") == 0
        assert running.simulator.books.batches > 2
        await running.stop()


async def test_a_server_without_batches_stops_the_queue_with_the_reason(
    database_url: str, tmp_path: Path
) -> None:
    config = replace(CONFIG, has_batches=False)
    async with lane(database_url, tmp_path, config) as running:
        await add(running, 10)
        await running.start()
        await running.until_true("SELECT NOT running FROM queue_state")
        reason = await running.value("SELECT paused_reason FROM queue_state")
        assert "has no Batch API" in reason
        await running.until_true("SELECT bool_and(status = 'pending') FROM products")
        assert await running.value("SELECT count(*) FROM open_calls") == 0
        await running.stop()
        await running.assert_sound()


async def test_a_cap_on_money_holds_in_batches(database_url: str, tmp_path: Path) -> None:
    async with lane(database_url, tmp_path, budget_per_day=0.002) as running:
        await add(running, 400)
        await running.start()
        await running.until_true("SELECT paused_reason LIKE '%budget%' FROM queue_state")
        (budget,) = await read_budgets(running.app.database, running.app.clock)
        assert 0 < bill_usd(running) <= budget.cap_usd
        assert budget.committed_usd == pytest.approx(bill_usd(running), abs=1e-9)
        await set_budgets(running.app.database, {"day": 10})
        await running.until(completed=400)
        await running.stop()
        (budget,) = await read_budgets(running.app.database, running.app.clock)
        assert budget.committed_usd == pytest.approx(bill_usd(running), abs=1e-9)
        await assert_paid_exactly(running)
        await running.assert_sound()


async def test_a_product_changed_while_it_is_at_the_provider_is_asked_again(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(database_url, tmp_path, ask_together=True) as running:
        await add(running, 5)
        await running.start()
        await running.until_true("SELECT bool_and(state = 'submitted') FROM batches")
        await running.fetch(
            "UPDATE products SET name = 'Copper kettle', revision = revision + 1, "
            "status = 'pending', job_id = NULL"
        )
        await running.until(completed=5)
        await running.until_true("SELECT bool_and(state = 'collected') FROM batches")
        assert await running.value("SELECT count(*) FROM calls") == 2
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound(paid_twice=5)


@pytest.mark.parametrize("at_commit", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 20, 25])
async def test_a_crash_at_any_commit_loses_nothing_and_submits_nothing_twice(
    database_url: str, tmp_path: Path, at_commit: int
) -> None:
    async with lane(database_url, tmp_path) as dead:
        await add(dead, 25)
        await start_queue(dead.app.database)
        async with bomb(database_url) as charge:
            await charge.arm(at_commit)
            await dead.work()
            await until(charge.has_exploded_or_all_is_done, "the commit was reached")
            await dead.die()
            await charge.disarm()
    async with lane(database_url, tmp_path, simulator=dead.simulator) as heir:
        await heir.take_for_dead(dead)
        await heir.start()
        await heir.until(completed=25)
        books = heir.simulator.books
        assert (books.batches, books.batch_requests) == (3, 15)
        await assert_paid_exactly(heir)
        await heir.stop()
        await heir.assert_sound()


async def test_a_model_that_answers_nothing_of_use_is_probed_and_not_paid_for_again_and_again(
    database_url: str, tmp_path: Path
) -> None:
    config = replace(CONFIG, faults=FaultPlan({Fault.MALFORMED: 1.0}))
    async with lane(database_url, tmp_path, config) as running:
        await add(running, 60)
        await running.start()
        await running.until_true(
            "SELECT paused_reason LIKE '%failed in the same way%' FROM queue_state"
        )
        await running.until_true("SELECT EXISTS (SELECT FROM holds WHERE probes > 0)")
        running.simulator.account.change({"faults": ""})
        await running.until(completed=60)
        assert await running.value("SELECT count(*) FROM products WHERE error IS NOT NULL") == 0
        assert await running.value("SELECT min(requests) FROM batches") == 1
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()
