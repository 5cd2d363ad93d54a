"""Everything that runs in one process: the governor, the PgQueuer worker, the dispatcher, the listener.

Starting, draining and stopping happen here and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager

from weighbridge import telemetry
from weighbridge.store import jobs, products
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.jobs import ENTRYPOINT
from weighbridge.store.queue_state import CHANNEL

if TYPE_CHECKING:
    from uuid import UUID

    from pgqueuer.models import Job

    from weighbridge.clock import Clock
    from weighbridge.engine.dispatcher import Dispatcher
    from weighbridge.engine.governor import Governor
    from weighbridge.engine.lengths import Lengths
    from weighbridge.engine.worker import Worker
    from weighbridge.store.database import Database

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=10)
"""A job without a sign of life for this long is taken over. PgQueuer beats at half of it."""
DEQUEUE_SIZE: Final = 20
MOST_JOBS_AT_ONCE: Final = 6_000
IDLE_POLL: Final = timedelta(seconds=2)
"""Notifications wake the worker; this is for those that were lost."""


class Supervisor:
    """One per process. `dispatcher` is None in a process that only works."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        queue_manager: QueueManager,
        governor: Governor,
        worker: Worker,
        lengths: Lengths,
        dispatcher: Dispatcher,
    ) -> None:
        self._database = database
        self._clock = clock
        self._manager = queue_manager
        self._governor = governor
        self._worker = worker
        self._lengths = lengths
        self._dispatcher = dispatcher
        self._tasks: list[asyncio.Task[None]] = []
        self._queue_task: asyncio.Task[None] | None = None
        self._draining = False
        self._own_jobs: set[int] = set()

    @property
    def in_flight(self) -> int:
        """Calls that this process is waiting for."""
        return self._governor.in_flight

    @property
    def worker_id(self) -> UUID:
        """Under which this process holds its jobs."""
        return self._manager.queue_manager_id

    @property
    def is_draining(self) -> bool:
        """Whether no new work is begun any more."""
        return self._draining

    async def start(self) -> None:
        """Begin to work; returns at once."""
        self._manager.entrypoint(ENTRYPOINT, on_failure="hold")(self._run_job)
        self._tasks = [
            asyncio.create_task(self._governor.run(), name="governor"),
            asyncio.create_task(self._dispatcher.run(), name="dispatcher"),
            asyncio.create_task(self._listen(), name="listener"),
        ]
        self._queue_task = asyncio.create_task(self._run_queue(), name="queue")

    async def drain(self) -> None:
        """Begin no call, let those in flight finish and be stored, give the rest back. Then stop."""
        self._draining = True
        await self._cancel("dispatcher")
        self._governor.drain()
        await self._give_back_queued()
        self._manager.shutdown.set()
        if self._queue_task is not None:
            await self._queue_task
        await self._cancel("governor", "listener")
        with contextlib.suppress(*DATABASE_ERRORS):
            await self._lengths.save_if_due(now=True)

    async def abandon(self) -> None:
        """Stop now. Calls in flight are lost (and paid for); their jobs are taken over after the heartbeat."""
        self._draining = True
        self._governor.drain()
        if self._queue_task is not None:
            self._queue_task.cancel()
            await asyncio.gather(self._queue_task, return_exceptions=True)
        await self._cancel("dispatcher", "governor", "listener")

    async def _run_job(self, job: Job) -> None:
        await self._worker.work(int(job.id))
        await self._lengths.save_if_due()

    async def _run_queue(self) -> None:
        """PgQueuer's loop; begun again when the database was away."""
        while not self._draining:
            try:
                await self._manager.run(
                    dequeue_timeout=IDLE_POLL,
                    batch_size=DEQUEUE_SIZE,
                    max_concurrent_tasks=MOST_JOBS_AT_ONCE,
                    heartbeat_timeout=HEARTBEAT_TIMEOUT,
                )
            except DATABASE_ERRORS as error:
                telemetry.warning(
                    "worker_interrupted",
                    f"⚠️ The worker lost the database ({type(error).__name__}), trying again",
                )
                await self._clock.sleep(1.0)

    async def _give_back_queued(self) -> None:
        """Jobs that nobody has begun go back to `pending`, when it was this process that made them."""
        if not self._dispatcher.is_leading:
            return
        with contextlib.suppress(*DATABASE_ERRORS):
            async with self._database.transaction() as connection:
                withdrawn = await jobs.withdraw_queued(connection)
                await products.release_jobs(connection, withdrawn)

    async def _listen(self) -> None:
        """Pass on what other processes (and our own transactions) announce."""
        while True:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):
                connection = await self._database.connect()
                gone = asyncio.Event()
                connection.add_termination_listener(lambda *_: gone.set())  # noqa: B023
                try:
                    await connection.add_listener(CHANNEL, self._on_announcement)
                    await gone.wait()
                finally:
                    connection.terminate()
            await self._clock.sleep(1.0)

    def _on_announcement(self, *_: Any) -> None:
        self._governor.look_again()
        self._dispatcher.look_again()

    async def _cancel(self, *names: str) -> None:
        chosen = [task for task in self._tasks if task.get_name() in names]
        for task in chosen:
            task.cancel()
        await asyncio.gather(*chosen, return_exceptions=True)


def make_queue_manager(database: Database) -> QueueManager:
    """PgQueuer over our pool."""
    return QueueManager(Queries(AsyncpgPoolDriver(database.pool)))
