"""The database's clock is set back by hours: everything that it wrote before lies in the future,
and nobody waits for it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.application import AMPLE, program
from weighbridge.store.database import open_database
from weighbridge.store.set_clocks import bring_back
from weighbridge.store.workers import look_around

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

JOBS_BACK = (
    "UPDATE pgqueuer SET execute_after = execute_after + interval '5 hours',"
    " heartbeat = heartbeat + interval '5 hours'"
)
WORKERS_BACK = "UPDATE workers SET seen_at = seen_at + interval '5 hours'"
DEAD_WORKER = "INSERT INTO workers (id, seen_at) VALUES ($1, now() + interval '5 hours')"
ITS_JOB = (
    "INSERT INTO pgqueuer (priority, status, entrypoint, queue_manager_id, heartbeat)"
    " VALUES (0, 'picked', 'group', $1, now() + interval '5 hours')"
)


async def test_jobs_that_seem_to_be_for_later_are_done_now(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE) as running:
        await running.add_many(400)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(4)
        await running.fetch(JOBS_BACK)
        await running.fetch(WORKERS_BACK)
        running.wire.let_go()
        await running.until(completed=400)
        await running.stop()
        await running.assert_sound()


async def test_worker_dead_since_the_future_stops_counting(
    database_url: str, tmp_path: Path
) -> None:
    database = await open_database(database_url, tmp_path, pool_size=1)
    try:
        async with database.pool.acquire() as connection:
            worker_id = uuid4()
            await connection.execute(DEAD_WORKER, worker_id)
            await connection.execute(ITS_JOB, worker_id)
            assert await bring_back(connection) == 2
            assert await bring_back(connection) == 0
            live = await look_around(connection, timedelta(seconds=0))
            assert (live.unfinished_jobs, live.live_workers) == (1, 1)
            in_future = "SELECT count(*) FROM pgqueuer WHERE heartbeat > now()"
            assert await connection.fetchval(in_future) == 0
    finally:
        await database.close()
