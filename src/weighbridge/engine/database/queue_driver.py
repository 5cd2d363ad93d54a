"""The database driver and queries for PgQueuer, with retries, fencing, and fair shares of the jobs.

Retries: PgQueuer's loops never see that the database is unavailable, so they need no restart.
Fencing: a worker that was frozen and wakes up late cannot end a job that another has taken over.
PgQueuer's own heartbeats are off, as they cost a timer and a row for every job; `heartbeat.py`
sends one for the whole process.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.types import QueueManagerId
from pgqueuer.ports.driver import Driver
from typing_extensions import override

from weighbridge.limits.sharing import fair_share
from weighbridge.store.jobs import held_jobs
from weighbridge.store.workers import look_around

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pgqueuer.domain.models import Job, TracebackRecord
    from pgqueuer.domain.types import JOB_STATUS, JobId, QueueEntrypoint
    from pgqueuer.ports.driver import NotifyCallback
    from pgqueuer.ports.repository import EntrypointExecutionParameter

    from weighbridge.clock import Clock
    from weighbridge.engine.database.listener import Listener
    from weighbridge.engine.database.retrying import DatabaseRetry
    from weighbridge.store.database import Database
    from weighbridge.store.workers import Crew

LEAST_PAUSE_S: Final = 0.1
"""The least time between two queries for jobs, unless the last one found as many as it may take.
PgQueuer would query whenever a job ends on any worker, and each query reads all jobs that this
worker holds.
"""
NEVER: Final = timedelta(days=365)
"""Heartbeat timeout given to PgQueuer, which would send its own heartbeats at half of it."""


class RetryingDriver(Driver):
    """Runs PgQueuer's statements on our pool, and retries them until the database answers; its
    announcements come from our listener.
    """

    def __init__(
        self, database: Database, database_retry: DatabaseRetry, listener: Listener
    ) -> None:
        self._database = database
        self._database_retry = database_retry
        self._listener = listener
        self._shutdown = asyncio.Event()

    @override
    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        rows = await self._database_retry(lambda: self._database.pool.fetch(query, *args))
        return [dict(row) for row in rows]

    @override
    async def execute(self, query: str, *args: object) -> str:
        return str(await self._database_retry(lambda: self._database.pool.execute(query, *args)))

    @override
    async def notify(self, channel: str, payload: str) -> None:
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    @override
    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        self._listener.add(channel, callback)

    @property
    @override
    def shutdown(self) -> asyncio.Event:
        return self._shutdown

    @property
    @override
    def tm(self) -> TaskManager:
        return TaskManager()

    @override
    async def __aenter__(self) -> Self:
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        """Do nothing: pool and listener are closed by others."""


class FencedQueries(Queries):
    """PgQueuer's queries, changed: only jobs that `manager_id` still holds are ended, and no more
    jobs are taken than this worker's share.

    `heartbeat_timeout` returns after how long without a heartbeat another worker's job may be taken
    over.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        driver: RetryingDriver,
        database_retry: DatabaseRetry,
        manager_id: UUID,
        heartbeat_timeout: Callable[[], timedelta],
    ) -> None:
        super().__init__(driver)
        self._heartbeat_timeout = heartbeat_timeout
        self._database = database
        self._clock = clock
        self._look_at_s = 0.0
        self._database_retry = database_retry
        self._manager_id = manager_id

    @override
    async def log_jobs(
        self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]
    ) -> None:
        """Mark these jobs as ended, except those that another worker holds now."""
        held = await self._still_held([job.id for job, _, _ in job_status])
        if ended := [entry for entry in job_status if entry[0].id in held]:
            await super().log_jobs(ended)

    @override
    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """Take jobs from the queue, at most this worker's fair share of those that are left."""
        await self._clock.sleep(self._look_at_s - self._clock.monotonic_s())
        heartbeat_timeout = self._heartbeat_timeout()

        async def read_crew() -> Crew:
            async with self._database.pool.acquire() as connection:
                return await look_around(connection, heartbeat_timeout)

        crew = await self._database_retry(read_crew)
        self._look_at_s = self._clock.monotonic_s() + LEAST_PAUSE_S
        if not crew.unfinished_jobs:
            return []
        # One more, for a job that this worker took without knowing it, because the connection broke
        # before the result. Such a job counts as held, but gets no heartbeat, and so is taken again
        # after the timeout.
        share = fair_share(crew.unfinished_jobs, crew.live_workers) + 1
        most = share if global_concurrency_limit is None else min(share, global_concurrency_limit)
        jobs = await super().dequeue(
            batch_size, entrypoints, queue_manager_id, most, heartbeat_timeout
        )
        if len(jobs) == batch_size:
            self._look_at_s = 0.0
        return jobs

    async def _still_held(self, job_ids: list[JobId]) -> set[int]:
        """Those of the jobs that this worker still holds."""

        async def read_held() -> set[int]:
            async with self._database.pool.acquire() as connection:
                return await held_jobs(connection, [int(i) for i in job_ids], self._manager_id)

        return await self._database_retry(read_held)


def make_manager(
    database: Database,
    clock: Clock,
    database_retry: DatabaseRetry,
    listener: Listener,
    manager_id: UUID,
    heartbeat_timeout: Callable[[], timedelta],
) -> QueueManager:
    """PgQueuer's worker, with `manager_id` as the owner of the jobs that it takes.

    It must be run with the heartbeat timeout `NEVER`.
    """
    driver = RetryingDriver(database, database_retry, listener)
    manager = QueueManager(
        FencedQueries(database, clock, driver, database_retry, manager_id, heartbeat_timeout)
    )
    manager.queue_manager_id = QueueManagerId(manager_id)
    return manager
