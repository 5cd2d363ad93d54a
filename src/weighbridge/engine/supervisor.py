"""Starts, drains and stops everything that the engine runs in one process: governor, PgQueuer
worker, dispatcher, batch lane, listener, notifier and heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.engine.database.heartbeat import HEARTBEAT_TIMEOUT, Heartbeat
from weighbridge.engine.database.listener import Listener
from weighbridge.engine.database.queue_driver import NEVER, make_manager
from weighbridge.engine.quota.loop_yield import wait_until_set
from weighbridge.store import factor_uploads, jobs, products, queue_state, workers
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.jobs import ENTRYPOINT
from weighbridge.store.queue_state import CHANNEL
from weighbridge.tokenizer import tokenizer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from pgqueuer.models import Job

    from weighbridge.engine.batches.lane import BatchLane
    from weighbridge.engine.dispatch.dispatcher import Dispatcher
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.worker import Worker
    from weighbridge.engine.notices.notifier import Notifier
    from weighbridge.engine.quota.permits import Held
    from weighbridge.store.queue_state import QueueState

DEQUEUE_SIZE: Final = 100
"""The most jobs taken from the queue, or marked as ended, by one statement."""
MOST_JOBS_AT_ONCE: Final = 2_000
"""The most jobs that one process runs at the same time: more would need more CPU than one process
has.
"""
IDLE_POLL: Final = timedelta(seconds=2)
"""Time between two queries for jobs of dead workers, and for jobs whose notification was lost."""
PICTURES_CHECK_S: Final = 2.0
"""Time between two checks whether the queue was stopped, while pictures are fetched."""


class Supervisor:
    """Runs the engine in this process; one per process."""

    def __init__(
        self,
        context: EngineContext,
        worker: Worker,
        dispatcher: Dispatcher,
        notifier: Notifier,
        lane: BatchLane | None = None,
    ) -> None:
        self._context = context
        self._notifier = notifier
        self._worker = worker
        self._dispatcher = dispatcher
        self._lane = lane
        self._listener = Listener(context.database, context.clock, self._look_at_all)
        self._manager = make_manager(
            context.database,
            context.clock,
            context.database_retry,
            self._listener,
            context.manager_id,
            lambda: self.heartbeat_timeout,
        )
        self._heartbeat = Heartbeat(context.database, context.manager_id, self._running_jobs)
        self._tasks: list[asyncio.Task[None]] = []
        self._queue_task: asyncio.Task[None] | None = None
        self._draining = False
        self._announced = asyncio.Event()
        self._uploaded = asyncio.Event()
        self.heartbeat_timeout = HEARTBEAT_TIMEOUT
        self.most_jobs_at_once = MOST_JOBS_AT_ONCE
        """The most jobs that this process runs at the same time. This and `heartbeat_timeout` may
        be changed only before the start.
        """

    @property
    def in_flight(self) -> int:
        """Calls in flight in this process."""
        return self._context.governor.traffic.in_flight

    @property
    def held(self) -> Held | None:
        """The limit that this process's calls wait for; None while they are sent."""
        return self._context.governor.held

    @property
    def over_budget(self) -> str | None:
        """Why no money is left for the next call; None while there is."""
        in_batches = self._lane.over_budget if self._lane is not None else None
        return self._context.governor.over_budget or in_batches

    @property
    def worker_id(self) -> UUID:
        """The id under which this process holds its jobs."""
        return self._manager.queue_manager_id

    @property
    def is_draining(self) -> bool:
        """Whether no new work begins any more."""
        return self._draining

    async def start(self) -> None:
        """Start all loops as tasks; returns at once."""
        tokenizer()  # 0.2 s, which the first calls would otherwise wait for
        self._manager.entrypoint(ENTRYPOINT, on_failure="hold")(self._run_job)
        self._heartbeat.start(self.heartbeat_timeout)
        self._listener.add(CHANNEL, lambda _: self._look_again())
        self._listener.add(factor_uploads.CHANNEL, lambda _: self._uploaded.set())
        self._tasks = [
            asyncio.create_task(self._keep_running(run), name=name)
            for name, run in (
                ("governor", self._context.governor.run),
                ("dispatcher", self._dispatcher.run),
                ("listener", self._listener.run),
                ("notes", self._notifier.keep_noting),
                ("deliveries", self._notifier.keep_delivering),
                ("factors", self._follow_factors),
            )
        ]
        run = self._keep_running(self._watch_pictures)
        self._tasks.append(asyncio.create_task(run, name="pictures"))
        if self._lane is not None:
            run = self._keep_running(self._lane.run)
            self._tasks.append(asyncio.create_task(run, name="batches"))
        self._queue_task = asyncio.create_task(self._keep_running(self._run_queue), name="queue")

    async def drain(self) -> None:
        """Stop after the calls in flight have finished and are stored; no new call begins, and the
        other products return to `pending`.

        If it is cancelled, it ends at once, and `abandon` must end the calls in flight.
        """
        self._draining = True
        self._heartbeat.leave()
        await self._notifier.note()
        was_leading = self._dispatcher.is_leading
        if self._lane is not None:
            await self._lane.drain()
        await self._cancel("dispatcher", "batches")
        self._context.governor.drain()
        if was_leading:
            await self._give_back_queued()
        await self._close_pictures()  # a slow shop must not delay the end
        self._manager.shutdown.set()
        if self._queue_task is not None:
            # Awaited directly it would be cancelled with this drain, and then wait for its jobs.
            await asyncio.wait({self._queue_task})
        if was_leading:  # the calls in flight may have left products to retry
            await self._give_back_queued()
        await self._context.governor.settle()
        await self._cancel("governor", "listener", "notes", "pictures", "factors")
        await self._notifier.finish()
        await self._cancel("deliveries")
        await self._heartbeat.stop()
        with contextlib.suppress(*DATABASE_ERRORS):
            async with self._context.database.transaction() as connection:
                await workers.leave(connection, self.worker_id)
        await self._context.memory.save_if_due(now=True)

    async def abandon(self) -> None:
        """Stop now. The replies to calls in flight are lost, though they are billed; other workers
        take over the jobs.
        """
        self._draining = True
        await self._heartbeat.stop()
        self._context.governor.drain()
        await self._close_pictures()
        if self._queue_task is not None:
            # PgQueuer waits for its jobs when it is cancelled; cancelled again, it cancels them.
            while not self._queue_task.done():
                self._queue_task.cancel()
                await asyncio.wait({self._queue_task}, timeout=0.1)
        await self._cancel(*(task.get_name() for task in self._tasks))

    async def _close_pictures(self) -> None:
        if self._context.pictures is not None:
            await self._context.pictures.aclose()

    async def _watch_pictures(self) -> None:
        """Break off the fetching of pictures when the queue is stopped."""
        source = self._context.pictures
        while source is not None:
            if source.is_busy:
                await wait_until_set(self._announced, PICTURES_CHECK_S, self._context.clock)
            else:
                await self._announced.wait()
            self._announced.clear()
            state = await self._context.database_retry(self._queue_state)
            if not state.running:
                source.let_go()

    async def _follow_factors(self) -> None:
        """Use uploaded emission factors at once, whichever process received them."""
        while True:
            await self._worker.follow_factors()
            await self._uploaded.wait()
            self._uploaded.clear()

    async def _queue_state(self) -> QueueState:
        async with self._context.database.pool.acquire() as connection:
            return await queue_state.load(connection)

    def _running_jobs(self) -> list[int]:
        """The ids of the jobs that run in this process.

        Also called from the heartbeat's thread, which is safe: copying the keys is one step of the
        interpreter.
        """
        return list(self._manager.job_context)

    async def _run_job(self, job: Job) -> None:
        await self._worker.work(int(job.id))
        await self._context.memory.save_if_due()

    async def _keep_running(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop until it ends by itself; after a crash, log it and restart the loop."""
        while True:
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 - else the queue would stand still for ever
                telemetry.crashed(
                    "loop_crashed", f"❌ {loop.__qualname__} crashed, restarting it: {error!r}"
                )
                await self._context.clock.sleep(1.0)
            else:
                return

    async def _run_queue(self) -> None:
        """Run PgQueuer's loop, which takes jobs and runs them, until it is told to end."""
        if not self._draining:
            await self._manager.run(
                dequeue_timeout=min(IDLE_POLL, self.heartbeat_timeout / 4),
                batch_size=min(DEQUEUE_SIZE, self.most_jobs_at_once // 2),
                max_concurrent_tasks=self.most_jobs_at_once,
                heartbeat_timeout=NEVER,
            )

    async def _give_back_queued(self) -> None:
        """Withdraw the jobs that no worker has begun; their products return to `pending`."""
        with contextlib.suppress(*DATABASE_ERRORS):
            async with self._context.database.transaction() as connection:
                withdrawn = await jobs.withdraw_queued(connection)
                await products.release_jobs(connection, withdrawn)

    def _look_again(self) -> None:
        """Wake the loops that depend on the queue: a process, perhaps this one, announced a
        change.
        """
        self._context.governor.look_again()
        self._dispatcher.look_again()
        self._announced.set()

    def _look_at_all(self) -> None:
        """Wake all loops: announcements may have been missed."""
        self._look_again()
        self._uploaded.set()

    async def _cancel(self, *names: str) -> None:
        """Cancel the tasks with these names, and wait until they have ended."""
        chosen = {task for task in self._tasks if task.get_name() in names}
        while pending := {task for task in chosen if not task.done()}:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=1.0)  # a library may swallow a cancellation
