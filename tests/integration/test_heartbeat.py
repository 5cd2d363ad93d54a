"""A process shows that it lives, however busy it is; one that hangs does not."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.application import PATIENCE_S, until
from weighbridge.engine.database.heartbeat import Heartbeat
from weighbridge.store.database import Database, open_database
from weighbridge.store.workers import Crew, look_around, register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

TIMEOUT: Final = timedelta(seconds=1.6)
"""A beat that takes half of it is given up: there must be time for one even when the machine is
busy.
"""
LIVE_WITHIN: Final = timedelta(minutes=5)
"""Who was ever here lives, however long the machine holds us back."""
JOBS: Final = 3_000
INSERT_JOBS: Final = (
    "INSERT INTO pgqueuer (priority, status, entrypoint, queue_manager_id, heartbeat)"
    " SELECT 0, 'picked', 'group', $1, now() - interval '1 hour' FROM generate_series(1, $2::int)"
    " RETURNING id"
)
RENEWED: Final = "SELECT min(heartbeat) > $2 FROM pgqueuer WHERE queue_manager_id = $1"


@asynccontextmanager
async def heartbeat(
    url: str, folder: Path, max_blocked_s: float = 60.0
) -> AsyncIterator[tuple[Heartbeat, UUID, Database]]:
    """A worker's heartbeat, with thousands of jobs in its hands."""
    worker_id = uuid4()
    database = await open_database(url, folder, pool_size=2)
    job_ids: list[int] = []
    beats = Heartbeat(database, worker_id, job_ids.copy)
    beats.max_blocked_s = max_blocked_s
    try:
        job_ids += [row["id"] for row in await database.pool.fetch(INSERT_JOBS, worker_id, JOBS)]
        beats.start(TIMEOUT)
        yield beats, worker_id, database
    finally:
        await beats.stop()
        await database.close()


def hold_the_loop_until(url: str, sql: str, *arguments: object) -> None:
    """Block the event loop that calls this, as a long computation does, until somebody else sees
    that `sql` is true.
    """

    async def watch() -> None:
        connection = await asyncpg.connect(url)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await connection.fetchval(sql, *arguments):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            await connection.close()

    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(watch())
        except BaseException as error:  # noqa: BLE001 - told below, in the test's own thread
            failures.append(error)

    watcher = threading.Thread(target=run)
    watcher.start()
    watcher.join()
    assert not failures, f"never came true: {sql}"


async def test_a_busy_event_loop_keeps_thousands_of_jobs(database_url: str, tmp_path: Path) -> None:
    async with heartbeat(database_url, tmp_path) as (_, worker_id, _):
        later = (
            "SELECT min(heartbeat) > $2 AND (SELECT seen_at > $2 FROM workers WHERE id = $1)"
            " FROM pgqueuer WHERE queue_manager_id = $1"
        )
        connection = await asyncpg.connect(database_url)
        begun_at = await connection.fetchval("SELECT now()")
        await connection.close()
        # Longer than the timeout: without a turn of the loop every job is renewed again and again.
        hold_the_loop_until(database_url, later, worker_id, begun_at + 2 * TIMEOUT)


async def test_a_hung_event_loop_loses_its_jobs_and_gets_no_more(
    database_url: str, tmp_path: Path
) -> None:
    async with heartbeat(database_url, tmp_path, max_blocked_s=0.5) as (_, worker_id, base):
        begun_at = await base.pool.fetchval("SELECT now() - interval '1 minute'")
        await until(
            lambda: base.pool.fetchval(RENEWED, worker_id, begun_at), "all jobs are renewed"
        )
        dead = (
            "SELECT max(heartbeat) < now() - $2::interval AND (SELECT seen_at < now() - "
            "$2::interval FROM workers WHERE id = $1) FROM pgqueuer WHERE queue_manager_id = $1"
        )
        hold_the_loop_until(database_url, dead, worker_id, TIMEOUT)
        free_at = await base.pool.fetchval("SELECT now()")
        await until(
            lambda: base.pool.fetchval(RENEWED, worker_id, free_at),
            "it answers again, and what nobody has taken is its own again",
        )


async def test_a_draining_worker_keeps_its_jobs_but_not_its_share(
    database_url: str, tmp_path: Path
) -> None:
    async with heartbeat(database_url, tmp_path) as (beats, worker_id, base):
        await until(lambda: base.pool.fetchval("SELECT count(*) = 1 FROM workers"), "it is there")
        async with base.transaction() as connection:
            await register(connection, uuid4(), is_leaving=False)
            assert await look_around(connection, LIVE_WITHIN) == Crew(JOBS, 2)
        beats.leave()
        await until(
            lambda: base.pool.fetchval("SELECT bool_or(is_leaving) FROM workers"), "it is leaving"
        )
        async with base.transaction() as connection:
            # The one who asks.
            assert await look_around(connection, LIVE_WITHIN) == Crew(JOBS, 1)
        left_at = await base.pool.fetchval("SELECT now()")
        await until(
            lambda: base.pool.fetchval(RENEWED, worker_id, left_at + TIMEOUT),
            "the jobs are renewed",
        )


async def test_heartbeat_continues_after_its_connection_is_cut(
    database_url: str, tmp_path: Path
) -> None:
    async with heartbeat(database_url, tmp_path) as (_, worker_id, base):
        await until(lambda: base.pool.fetchval("SELECT count(*) = 1 FROM workers"), "it is there")
        cut_at = await base.pool.fetchval("SELECT now()")
        await base.pool.execute(
            "WITH others AS MATERIALIZED (SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid())"
            " SELECT pg_terminate_backend(pid) FROM others"
        )
        await until(
            lambda: base.pool.fetchval(RENEWED, worker_id, cut_at + TIMEOUT),
            "the jobs are renewed",
        )


async def test_heartbeat_does_not_wait_for_locked_jobs(database_url: str, tmp_path: Path) -> None:
    async with (
        heartbeat(database_url, tmp_path) as (_, worker_id, base),
        base.transaction() as t,
    ):
        locked_at = await t.fetchval("SELECT clock_timestamp()")
        locked = await t.fetchval(
            "SELECT id FROM pgqueuer WHERE queue_manager_id = $1 LIMIT 1 FOR UPDATE", worker_id
        )
        await until(
            lambda: base.pool.fetchval(
                "SELECT min(heartbeat) > $2 FROM pgqueuer WHERE queue_manager_id = $1 AND id <> $3",
                worker_id,
                locked_at + TIMEOUT,
                locked,
            ),
            "the others are renewed",
        )
