"""The engine on a thread of its own, steered from this one: it works, drains and gives up as it
does beside us.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.support.application import PATIENCE_S, RunningProgram, program
from weighbridge.clock import SystemClock
from weighbridge.engine.database.retrying import DatabaseRetry
from weighbridge.engine.engine_thread import EngineThread, LoopThread
from weighbridge.service.queue import start_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def turns_as_they_were() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


class Apart:
    """A program on its thread, and the handles that this thread has."""

    def __init__(self, thread: LoopThread, running: RunningProgram) -> None:
        self.thread = thread
        self.running = running
        self.engine = EngineThread(thread, running.engine.supervisor)

    async def add(self, number: int) -> None:
        """Products, and a queue that runs."""
        await self.thread.run(self.running.add_many(number))
        await self.thread.run(start_queue(self.running.app.database))

    async def hold_replies(self) -> None:
        async def hold() -> None:
            self.running.wire.hold()

        await self.thread.run(hold())

    async def let_replies_go(self) -> None:
        async def let_go() -> None:
            self.running.wire.let_go()

        await self.thread.run(let_go())


@asynccontextmanager
async def apart(url: str, data_dir: Path) -> AsyncIterator[Apart]:
    async with LoopThread("engine") as thread, thread.entered(program(url, data_dir)) as running:
        yield Apart(thread, running)


async def test_engine_thread_works_and_drains(database_url: str, tmp_path: Path) -> None:
    async with apart(database_url, tmp_path) as there:
        await there.add(5)
        await there.hold_replies()
        await there.engine.start()
        await there.thread.run(there.running.wire.until_held(1))
        assert there.engine.in_flight == 1
        draining = asyncio.create_task(there.engine.drain())
        await there.thread.run(there.running.until_true("SELECT true"))
        assert not draining.done()
        await there.let_replies_go()
        await asyncio.wait_for(draining, PATIENCE_S)
        assert there.engine.in_flight == 0
        answered = there.running.value("SELECT count(*) FROM answers")
        assert await there.thread.run(answered) == 5  # one step of the three, and no call after it


async def test_a_cancelled_drain_ends_at_once_and_leaves_calls_to_whoever_abandons_them(
    database_url: str, tmp_path: Path
) -> None:
    """Cancelled once, PgQueuer waits for its calls, which may take minutes."""
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        await start_queue(running.app.database)
        running.wire.hold()
        supervisor = running.engine.supervisor
        await supervisor.start()
        await running.wire.until_held(1)
        drain = asyncio.create_task(supervisor.drain())
        shut_down = supervisor._manager.shutdown
        await asyncio.wait_for(shut_down.wait(), PATIENCE_S)
        await asyncio.sleep(0)
        drain.cancel()
        await asyncio.wait({drain}, timeout=PATIENCE_S)
        assert drain.cancelled()
        assert running.wire.held == 1  # the call is still in flight
        await asyncio.wait_for(supervisor.abandon(), PATIENCE_S)
        assert running.wire.held == 0


async def test_no_statement_waits_for_a_pool_that_is_closed(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        pool = running.app.database.pool
        retry = DatabaseRetry(SystemClock(), pool)
        await pool.close()
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await asyncio.wait_for(retry(lambda: pool.fetchval("SELECT 1")), PATIENCE_S)


async def test_a_second_signal_aborts_the_drain(database_url: str, tmp_path: Path) -> None:
    async with apart(database_url, tmp_path) as there:
        await there.add(5)
        await there.hold_replies()
        await there.engine.start()
        await there.thread.run(there.running.wire.until_held(1))
        draining = asyncio.create_task(there.engine.drain())
        await there.thread.run(there.running.until_true("SELECT true"))
        draining.cancel()
        await asyncio.wait({draining})
        await asyncio.wait_for(there.engine.abandon(), PATIENCE_S)
        assert there.running.wire.held == 0
