"""What a call counts for that ends without a reply: the provider may have admitted it at its very end."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.application import RunningProgram, program, until
from weighbridge.clock import ScaledClock
from weighbridge.domain.calls import Cost
from weighbridge.engine.corrections import LONGEST_WAY_S
from weighbridge.engine.governor import Governor
from weighbridge.limits.limiter import Limiter, Limits
from weighbridge.store.jobs import enqueue_jobs, jobs_table
from weighbridge.store.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

pytestmark = pytest.mark.anyio

ACCOUNT = "one of a test"
COST = Cost(1, 100)
LIMITS = Limits(500, 450_000)


async def _held_job(running: RunningProgram, manager_id: UUID) -> int:
    async with running.app.database.transaction() as connection:
        (job_id,) = await enqueue_jobs(connection, 1)
        await connection.execute(
            f"UPDATE {jobs_table()} SET status = 'picked', queue_manager_id = $1",  # noqa: S608
            manager_id,
        )
    return job_id


@asynccontextmanager
async def governed(url: str, folder: Path) -> AsyncIterator[tuple[Governor, int, RunningProgram]]:
    """A governor at work, and a job that may ask it."""
    clock = ScaledClock(50)
    async with program(url, folder, clock=clock) as running:
        manager_id = uuid4()
        governor = Governor(
            database=running.app.database,
            clock=clock,
            account=ACCOUNT,
            manager_id=manager_id,
            random_source=random.Random(1),
            overrides=Overrides(limits=LIMITS),
        )
        job_id = await _held_job(running, manager_id)
        rounds = asyncio.create_task(governor.run())
        yield governor, job_id, running
        rounds.cancel()
        with suppress(asyncio.CancelledError):
            await rounds


async def _used(running: RunningProgram, at_s: float) -> Cost:
    state = await running.value("SELECT state FROM quota WHERE account = $1", ACCOUNT)
    return Limiter.load(state, LIMITS).used(at_s)


@pytest.mark.parametrize(
    ("took_s", "counts_from_s"), [(6.0, 6.0), (3 * LONGEST_WAY_S, LONGEST_WAY_S)]
)
async def test_call_that_ends_without_reply_stays_in_the_minute_from_its_end(
    database_url: str, tmp_path: Path, took_s: float, counts_from_s: float
) -> None:
    """From its end, or from the last moment at which it can have reached the provider."""
    async with governed(database_url, tmp_path) as (governor, job_id, running):
        lost = await governor.admit(lambda: COST, job_id)
        granted_s = lost.granted.at_s
        await running.app.clock.sleep(took_s)
        governor.failed(lost)
        await governor.admit(lambda: COST, job_id)
        assert await _used(running, granted_s + counts_from_s + 59.9) == Cost(2, 200)


async def test_what_is_learned_of_a_call_is_told_the_others_although_nothing_waits(
    database_url: str, tmp_path: Path
) -> None:
    """They share the quota: two processes with one call each would otherwise count by what each believed at first."""
    async with governed(database_url, tmp_path) as (governor, job_id, running):
        lost = await governor.admit(lambda: COST, job_id)
        granted_s = lost.granted.at_s
        await running.app.clock.sleep(6.0)
        governor.failed(lost)

        async def is_told() -> bool:
            return await _used(running, granted_s + 65.9) == Cost(1, 100)

        await until(is_told, "its charge is booked six seconds later")
