"""A governor at work on a real database, without a worker: tests ask it for permits themselves."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.support.application import RunningProgram, program
from tests.support.engine_builders import NoAllowance
from weighbridge.clock import ScaledClock
from weighbridge.engine.quota.day_budget import DayBudget
from weighbridge.engine.quota.governor import Governor
from weighbridge.engine.quota.spending import Spending
from weighbridge.store.jobs import enqueue_jobs, jobs_table
from weighbridge.store.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from weighbridge.limits.limiter import Limits

ACCOUNT = "one of a test"


async def _held_job(running: RunningProgram, manager_id: UUID) -> int:
    async with running.app.database.transaction() as connection:
        (job_id,) = await enqueue_jobs(connection, 1)
        await connection.execute(
            f"UPDATE {jobs_table()} SET status = 'picked', queue_manager_id = $1",  # noqa: S608
            manager_id,
        )
    return job_id


@asynccontextmanager
async def governed(
    url: str, folder: Path, limits: Limits
) -> AsyncIterator[tuple[Governor, int, RunningProgram]]:
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
            overrides=Overrides(limits=limits, pacing="continuous"),
            allowances=NoAllowance(),
            day=DayBudget(clock, ACCOUNT),
            spending=Spending(running.engine.provider),
        )
        job_id = await _held_job(running, manager_id)
        rounds = asyncio.create_task(governor.run())
        yield governor, job_id, running
        rounds.cancel()
        with suppress(asyncio.CancelledError):
            await rounds
