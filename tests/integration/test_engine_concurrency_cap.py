"""`maxConcurrentRequests` holds for all processes together, by the provider's own count."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.application import AMPLE, RunningProgram, program, until
from weighbridge.service.queue import configure, start_queue, stop_queue

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

CEILING = 6


async def several(
    stack: AsyncExitStack,
    number: int,
    url: str,
    folder: Path,
    latency_s: float = 0.0,
    pacing: str = "batch",
) -> list[RunningProgram]:
    """Programs that ask the same simulator; the queue is stopped."""
    config = replace(AMPLE, latency_s=latency_s)
    found: list[RunningProgram] = []
    for _ in range(number):
        simulator = found[0].simulator if found else None
        one = program(
            url,
            folder,
            config,
            simulator=simulator,
            pacing=pacing,
            max_concurrent_requests=CEILING,
        )
        found.append(await stack.enter_async_context(one))
    await stop_queue(found[0].app.database)
    return found


def held(programs: list[RunningProgram]) -> int:
    return sum(one.wire.held for one in programs)


async def test_four_workers_share_one_concurrency_cap(database_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        # So slow at first that they meet at the provider, on a machine that is slow itself.
        workers = await several(stack, 4, database_url, tmp_path, latency_s=2.0)
        first = workers[0]
        await first.add_many(200)
        for worker in workers:
            await worker.work()
        await first.until_true("SELECT count(*) = 4 FROM workers")
        await start_queue(first.app.database)
        books = first.simulator.books
        await until(lambda: books.in_flight == CEILING, "as many calls as may be")
        first.simulator.account.change({"latency_s": 0.1})
        await first.until(completed=200)
        assert books.max_in_flight == CEILING
        for worker in workers:
            await worker.stop()
        await first.assert_sound()


async def test_calls_of_a_draining_worker_count_against_the_cap(
    database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        leaving, staying = await several(stack, 2, database_url, tmp_path, pacing="continuous")
        await leaving.add_many(100)
        leaving.wire.hold()
        await leaving.start()
        await leaving.wire.until_held(CEILING)
        drained = asyncio.create_task(leaving.stop())
        await staying.until_true("SELECT is_leaving FROM workers")
        await staying.work()
        await staying.until_true(
            "SELECT count(*) > 0 FROM workers WHERE NOT is_leaving AND waiting > 0"
        )
        assert staying.wire.held == 0
        leaving.wire.let_go()
        await drained
        await staying.until(completed=100)
        await staying.stop()
        await staying.assert_sound()


async def test_calls_that_ended_during_a_database_outage_free_their_slots(
    database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        workers = await several(stack, 2, database_url, tmp_path)
        first = workers[0]
        await first.add_many(10)
        for worker in workers:
            worker.wire.hold()
            await worker.work()
        await start_queue(first.app.database)
        await until(lambda: held(workers) == 2, "both groups wait for a reply")
        await first.fetch(
            "WITH others AS MATERIALIZED (SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid())"
            " SELECT pg_terminate_backend(pid) FROM others"
        )
        for worker in workers:
            worker.wire.let_go()
        await first.until(completed=10)
        await first.until_true("SELECT sum(in_flight) = 0 FROM workers")
        for worker in workers:
            await worker.stop()
        await first.assert_sound()


async def test_lowering_the_cap_below_the_calls_in_flight_blocks_new_calls(
    database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        workers = await several(stack, 2, database_url, tmp_path)
        first = workers[0]
        await configure(first.app.database, {"maxConcurrentRequests": 20})
        await first.add_many(200)
        for worker in workers:
            worker.wire.hold()
            await worker.work()
        await first.until_true("SELECT count(*) = 2 FROM workers")
        await start_queue(first.app.database)
        await until(lambda: held(workers) == 20, "as many calls as may be")
        await configure(first.app.database, {"maxConcurrentRequests": 3})
        for worker in workers:
            worker.wire.let_go()
        await until(lambda: held(workers) < 20, "some have ended")
        for worker in workers:
            worker.wire.hold()
        await until(lambda: held(workers) == 3, "three wait again")
        # What a process has noted is never less than it has; that a call has ended it may note a
        # little later.
        await first.until_true("SELECT sum(in_flight) = 3 FROM workers")
        for worker in workers:
            worker.wire.let_go()
        await first.until(completed=200)
        for worker in workers:
            await worker.stop()
        await first.assert_sound()
