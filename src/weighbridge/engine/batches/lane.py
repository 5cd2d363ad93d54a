"""The batch lane: fills batches, submits each once, watches them and collects what comes back.

Theory of operation. Jobs whose products travel in batches wait under an entrypoint of their own,
which no worker registers for; the one process that holds the lane's lock takes them along:

    jobs that wait ── fill ──► prepared ── upload ──► uploaded ──► creating ── create ──► submitted
         ▲                        one transaction        each arrow is a commit               │ poll
         └────────── next step, retry alone, no reply ──────────── collected ◄── collect ─────┘

Nothing is submitted twice: a batch may exist at the provider only after the commit of `creating`.
Whoever finds one in that state (a crash, a broken connection) looks for it at the provider, by the
key in its metadata and by its file, and only after LISTED_WITHIN without a trace submits it again.
Results are recorded once, because each request is an open call that its record closes.
docs/decisions/0036 has the reasons.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from weighbridge import telemetry
from weighbridge.domain.batches import ENDED, BatchStatus
from weighbridge.engine.batches.reports import (
    say_adopted,
    say_collected,
    say_gone,
    say_refused,
    say_submitted,
    say_trouble,
)
from weighbridge.errors import NoBatchApi, ProviderError, ProviderOverloaded, RateLimited
from weighbridge.limits.retries import GiveUp, StopQueue, decide
from weighbridge.planning.batches import MOST_REQUESTS, exceeds_tokens, learned_limit, why_refused
from weighbridge.store import batches, holds, jobs, products, queue_state
from weighbridge.store.batches import BatchState
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.holds import HoldKind
from weighbridge.store.products import IN_BATCHES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from uuid import UUID

    from weighbridge.domain.batches import RemoteBatch
    from weighbridge.engine.batches.collecting import Collector
    from weighbridge.engine.batches.preparing import Filled, Preparer
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.failures import Failures
    from weighbridge.providers.base import BatchService
    from weighbridge.store.batches import StoredBatch
    from weighbridge.store.database import Connection
    from weighbridge.store.holds import Hold
    from weighbridge.store.overrides import Overrides
    from weighbridge.store.queue_state import QueueState

T = TypeVar("T")

TICK_S: Final = 1.0
FIRST_POLL_S: Final = 2.0
LONGEST_POLL_S: Final = 60.0
RETRY_S: Final = 1.0
DRAINED_WITHIN_S: Final = 15.0
REFUSALS_BEFORE_STOP: Final = 3
"""In a row, of files or batches, for a reason that waiting does not change."""
GARBAGE_TRIES: Final = 8
"""Some minutes: a gateway's page in place of the results passes; then they count as lost."""
LISTED_WITHIN: Final = timedelta(minutes=2)
"""After this time without a trace in the provider's list, a batch was not submitted."""


class Trouble(NamedTuple):
    """What failed so often in a row is not tried again before this time."""

    times: int
    until_s: float


class BatchLane:
    """One per process; the one that holds the lock works. `scope` is the dispatcher's."""

    def __init__(
        self,
        *,
        context: EngineContext,
        service: BatchService,
        preparer: Preparer,
        collector: Collector,
        failures: Failures,
        overrides: Overrides,
        scope: UUID | None = None,
    ) -> None:
        self._context = context
        self._service = service
        self._preparer = preparer
        self._collector = collector
        self._failures = failures
        self._overrides = overrides
        self._scope = scope
        self._poll_at_s: dict[int, float] = {}
        self._poll_pause_s: dict[int, float] = {}
        self._troubles: dict[int | None, Trouble] = {}
        """Troubles by batch id; those of the next batch under None."""
        self._busy = asyncio.Lock()
        self._is_draining = False
        self.tick_s = TICK_S
        self.listed_within = LISTED_WITHIN
        """To be changed only before the start, like the next one."""
        self.over_budget: str | None = None
        """Why the budget has no room for the next batch, while no batch is under way."""

    async def run(self) -> None:
        """Wait for the lock, then work until cancelled; survives an unavailable database."""
        while True:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):
                await self._compete()
            await self._context.clock.sleep(RETRY_S)

    async def drain(self) -> None:
        """Submit nothing more, and end what goes on: it can be cancelled afterwards.

        What takes longer is resumed by the next process.
        """
        self._is_draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAINED_WITHIN_S), self._busy:
                return

    async def _compete(self) -> None:
        """Work on the batches as long as this process holds the lock: one process does so at a
        time.
        """
        connection = await self._context.database.connect()
        try:
            lock = "SELECT pg_try_advisory_lock($1)"
            while not await connection.fetchval(lock, jobs.BATCH_LOCK):
                await self._context.clock.sleep(RETRY_S)
            while True:
                await connection.fetchval("SELECT 1")  # the lock is gone with the connection
                async with self._busy:
                    await self._tick()
                await self._context.clock.sleep(self.tick_s)
        finally:
            connection.terminate()

    async def _tick(self) -> None:
        state, under_way = await self._context.database_retry(self._look)
        known = {batch.id for batch in under_way} | {None}
        self._troubles = {key: self._troubles[key] for key in self._troubles.keys() & known}
        for batch in [] if self._is_draining else under_way:
            await self._try(batch.id, self._advance(batch, is_running=state.running))
        if state.running:
            await self._try(None, self._submit_more(state))

    async def _try(self, batch: int | None, work: Coroutine[Any, Any, None]) -> None:
        """What fails is tried again later, and keeps nothing else from its turn."""
        known = self._troubles.get(batch)
        if known is not None and self._context.clock.monotonic_s() < known.until_s:
            work.close()
            return
        try:
            await work
        except ProviderError as error:
            self._troubles[batch] = await self._suffer(error, known.times if known else 0)
        else:
            self._troubles.pop(batch, None)

    async def _look(self) -> tuple[QueueState, list[StoredBatch]]:
        provider = self._context.provider
        async with self._context.database.pool.acquire() as connection:
            state = self._overrides.apply(await queue_state.load(connection))
            return state, await batches.load_open(
                connection, provider.name, simulated=provider.simulated
            )

    async def _suffer(self, error: ProviderError, times: int) -> Trouble:
        """The Batch API did not do what it was asked, after so many times: wait, or stop the
        queue.
        """
        action = decide(error, times, 1, self._context.random_source.random())
        if isinstance(action, StopQueue) or (
            isinstance(action, GiveUp) and times + 1 >= REFUSALS_BEFORE_STOP
        ):
            await self._failures.stop_queue(action.reason)
        pause_s = min(LONGEST_POLL_S, self.tick_s * 2.0 ** min(times, 10))
        if isinstance(error, RateLimited) and error.retry_after_s:
            pause_s = max(pause_s, min(LONGEST_POLL_S, error.retry_after_s))
        say_trouble(error, pause_s)
        return Trouble(times + 1, self._context.clock.monotonic_s() + pause_s)

    # Batches that are under way -------------------------------------------------------------------

    async def _advance(self, batch: StoredBatch, *, is_running: bool) -> None:
        """Take a batch one step further, by the state in which it was stored."""
        match batch.state:
            case BatchState.PREPARED:  # by a process that is gone; its file went with it
                await self._discard(batch, "the batch was never submitted")
            case BatchState.UPLOADED if is_running:
                await self._create(batch)
            case BatchState.UPLOADED:
                await self._discard(batch, "the queue was stopped before the batch was submitted")
            case BatchState.CREATING:
                await self._look_for(batch)
            case _:
                await self._poll(batch)

    async def _look_for(self, batch: StoredBatch) -> None:
        """It may have been submitted, and nobody here was told."""
        assert batch.file_id and batch.creating_at  # noqa: S101, PT018 - what the state means
        remote = await self._service.find(batch.file_id, batch.key)
        if remote is not None:
            say_adopted(batch, remote.id)
            await self._note(batch, remote)
        elif self._context.clock.now() - batch.creating_at > self.listed_within:
            file_id = batch.file_id
            await self._write(lambda c: batches.uploaded(c, batch.id, file_id))

    async def _create(self, batch: StoredBatch) -> None:
        """Submit it. From the commit of `creating` on it may exist."""
        assert batch.file_id  # noqa: S101 - what the state means
        file_id = batch.file_id
        if not await self._write(lambda c: batches.creating(c, batch.id)):
            return
        try:
            remote = await self._service.create(file_id, batch.key)
        except ProviderError as error:
            if isinstance(decide(error, 0, 1, 0.0), GiveUp):  # its file may be gone
                await self._discard(batch, str(error))
            elif not (error.may_be_answered or isinstance(error, ProviderOverloaded)):
                await self._write(lambda c: batches.uploaded(c, batch.id, file_id))
            raise
        await self._note(batch, remote)
        say_submitted(batch, remote.id)

    async def _poll(self, batch: StoredBatch) -> None:
        """Look how far the provider is; collect the results of a batch that has ended.

        The pause until the next look grows while nothing happens.
        """
        now_s = self._context.clock.monotonic_s()
        if now_s < self._poll_at_s.get(batch.id, 0.0):
            return
        assert batch.batch_id  # noqa: S101 - what the state means
        remote = await self._service.look(batch.batch_id)
        if remote is None:
            say_gone(batch)
            await self._collector.lose(batch, "the provider no longer knows the batch")
            return
        await self._note(batch, remote)
        if remote.status not in ENDED:
            pause_s = self._poll_pause_s.get(batch.id, min(FIRST_POLL_S, self.tick_s))
            self._poll_at_s[batch.id] = now_s + pause_s
            self._poll_pause_s[batch.id] = min(LONGEST_POLL_S, pause_s * 1.5)
            return
        if remote.status is BatchStatus.FAILED:
            await self._refused(batch, remote)
        else:
            trouble = self._troubles.get(batch.id)
            is_last_try = trouble is not None and trouble.times >= GARBAGE_TRIES
            unanswered = await self._collector.collect(batch, remote, is_last_try=is_last_try)
            say_collected(batch, remote.status.value, unanswered)
        self._poll_at_s.pop(batch.id, None)
        self._poll_pause_s.pop(batch.id, None)

    async def _refused(self, batch: StoredBatch, remote: RemoteBatch) -> None:
        """The provider read the file and asked nothing of it."""
        why = why_refused(remote)
        say_refused(batch, why)
        if not exceeds_tokens(remote):
            await self._discard(batch, why)
            raise NoBatchApi(
                f"{self._context.provider.name} refused batch {remote.id}: {why} Correct what the "
                "provider names and start the queue again, or use --lane online."
            )
        _, under_way = await self._context.database_retry(self._look)
        enqueued = sum(other.tokens for other in under_way)
        self._service.enqueued_tokens = learned_limit(remote, enqueued)
        await self._discard(batch, why)
        if batch.requests == 1 and len(under_way) == 1:
            await self._write(lambda c: batches.finish_online(c, batch.job_ids))
        await self._context.memory.save_if_due()

    async def _discard(self, batch: StoredBatch, why: str) -> None:
        await self._collector.discard(batch, why)

    async def _note(self, batch: StoredBatch, remote: RemoteBatch) -> None:
        await self._write(lambda c: batches.seen(c, batch.id, remote))

    # The next batch -------------------------------------------------------------------------------

    async def _submit_more(self, state: QueueState) -> None:
        """Fill and submit until no job waits, or nothing more fits."""
        while not self._is_draining and await self._context.database_retry(self._is_ready):
            _, under_way = await self._context.database_retry(self._look)
            most = await self._most_requests(is_idle=not under_way)
            if not most:
                return
            enqueued = sum(batch.tokens for batch in under_way)
            filled = await self._preparer.fill(state, enqueued, most)
            await self._explain(filled, is_idle=not under_way)
            if filled.batch is None:
                return
            await self._upload(filled.batch, filled.content)

    async def _most_requests(self, *, is_idle: bool) -> int:
        """All that fit; while calls fail alike only a probe now and then, and nothing beside it."""
        breaker, account = self._context.governor.breaker, self._context.provider.name

        async def look() -> Hold | None:
            async with self._context.database.pool.acquire() as connection:
                return await holds.load(connection, account)

        hold = await self._context.database_retry(look)
        if hold is None or hold.kind is not HoldKind.ALIKE:
            return MOST_REQUESTS
        now_s = breaker.limiter_now_s()
        if not is_idle or now_s < hold.until_s:
            return 0
        breaker.hold = hold  # the first good reply lifts it
        await self._write(lambda c: holds.probe_sent(c, account, now_s + LONGEST_POLL_S))
        return 1

    async def _upload(self, batch: StoredBatch, content: bytes) -> None:
        """Send the file, then create the batch from it."""
        try:
            file_id = await self._service.upload(f"weighbridge-{batch.key}.jsonl", content)
        except ProviderError as error:
            await self._discard(batch, str(error))
            raise
        await self._write(lambda c: batches.uploaded(c, batch.id, file_id))
        stored = await self._context.database_retry(lambda: self._find(batch.key))
        if stored is not None:
            await self._create(stored)

    async def _find(self, key: str) -> StoredBatch | None:
        async with self._context.database.pool.acquire() as connection:
            return await batches.find(connection, key)

    async def _is_ready(self) -> bool:
        """Whether a job waits, and the dispatcher makes no more: one file is better than many."""
        async with self._context.database.pool.acquire() as connection:
            if not await jobs.waiting_for_batch(connection, jobs.FIRST, 1):
                return False
            ready = f"p.variant_of IS NULL AND {IN_BATCHES}"
            return not await products.any_pending(connection, self._scope, ready)

    async def _explain(self, filled: Filled, *, is_idle: bool) -> None:
        """Say why nothing goes, where the budget is used up and nothing will give anything back."""
        breaker = self._context.governor.breaker
        why = filled.over_budget if is_idle else None
        if why == self.over_budget:
            return
        self.over_budget = breaker.wait_reason = why
        with contextlib.suppress(*DATABASE_ERRORS):
            await breaker.publish()
        if why:
            telemetry.warning("batch_over_budget", f"⏸️ {why}", reason=why)

    async def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def write() -> T:
            async with self._context.database.transaction() as connection:
                return await work(connection)

        return await self._context.database_retry(write)
