"""The batch lane: fills batches, submits each once, polls them, and collects the results.

Theory of operation. Jobs whose products are asked about in batches wait under an entrypoint of
their own, which no worker registers for. The one process that holds the lane's lock takes them:

    jobs that wait ── fill ──► prepared ── upload ──► uploaded ──► creating ── create ──► submitted
         ▲                        one transaction        each arrow is a commit               │ poll
         └────────── next step, retry alone, no reply ──────────── collected ◄── collect ─────┘

Nothing is submitted twice: a batch may exist at the provider only after the commit of `creating`.
If a process finds one in that state (after a crash or a broken connection), it looks for it at the
provider, by the key in its metadata and by its file. Only if it is not there for `LISTED_WITHIN` is
it submitted again. Results are recorded once, because each request is an open call, which recording
its reply closes.
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
"""Pause between two checks of all batches."""
FIRST_POLL_S: Final = 2.0
"""First pause between two polls of a batch; it grows up to `LONGEST_POLL_S`."""
LONGEST_POLL_S: Final = 60.0
RETRY_S: Final = 1.0
DRAINED_WITHIN_S: Final = 15.0
"""Longest time that `drain` waits."""
REFUSALS_BEFORE_STOP: Final = 3
"""Number of refusals of files or batches in a row, for a reason that waiting does not change, after
which the queue stops.
"""
GARBAGE_TRIES: Final = 8
"""Number of tries (a few minutes) to read result files without results, such as a gateway's page;
after them the results count as lost.
"""
LISTED_WITHIN: Final = timedelta(minutes=2)
"""A batch that the provider's list still lacks this long after the attempt to submit it counts as
not submitted.
"""


class Trouble(NamedTuple):
    """Number of failures in a row, and the time before which there is no further try."""

    times: int
    until_s: float


class BatchLane:
    """Runs the batches; one per process, of which only the one that holds the lock works.

    `scope` is the import whose products are processed; None: all.
    """

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
        """Failures in a row by the id of their batch; those of submitting the next batch are under
        None.
        """
        self._busy = asyncio.Lock()
        self._is_draining = False
        self.tick_s = TICK_S
        self.listed_within = LISTED_WITHIN
        """As `LISTED_WITHIN`; may be changed only before the start, like `tick_s`."""
        self.over_budget: str | None = None
        """Why the budget has no room for the next batch, if no batch is under way; else None."""

    async def run(self) -> None:
        """Wait for the lock, then run batches until cancelled; an unavailable database is waited
        for.
        """
        while True:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):
                await self._compete()
            await self._context.clock.sleep(RETRY_S)

    async def drain(self) -> None:
        """Submit nothing more, and wait for the present step to end, at most `DRAINED_WITHIN_S`.

        `run` can be cancelled afterwards; the next process resumes what is not done.
        """
        self._is_draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAINED_WITHIN_S), self._busy:
                return

    async def _compete(self) -> None:
        """Wait until this process gets the lock, then run batches for as long as it holds it."""
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
        """Take each batch a step further, and submit new ones."""
        state, under_way = await self._context.database_retry(self._load)
        known = {batch.id for batch in under_way} | {None}
        self._troubles = {key: self._troubles[key] for key in self._troubles.keys() & known}
        for batch in [] if self._is_draining else under_way:
            await self._try(batch.id, self._advance(batch, is_running=state.running))
        if state.running:
            await self._try(None, self._submit_more(state))

    async def _try(self, batch: int | None, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` on a batch (None: the next one), unless it failed lately. An error of the
        provider is noted for a later try, so that other batches are not delayed.
        """
        known = self._troubles.get(batch)
        if known is not None and self._context.clock.monotonic_s() < known.until_s:
            work.close()
            return
        try:
            await work
        except ProviderError as error:
            self._troubles[batch] = await self._after_failure(error, known.times if known else 0)
        else:
            self._troubles.pop(batch, None)

    async def _load(self) -> tuple[QueueState, list[StoredBatch]]:
        """The state of the queue, and the batches that have not ended."""
        provider = self._context.provider
        async with self._context.database.pool.acquire() as connection:
            state = self._overrides.apply(await queue_state.load(connection))
            return state, await batches.load_open(
                connection, provider.name, simulated=provider.simulated
            )

    async def _after_failure(self, error: ProviderError, earlier_failures: int) -> Trouble:
        """Stop the queue if the Batch API cannot be used; returns how often it has failed and when
        to try again, which the lane's own tick decides and not the waiting time of `decide`.
        """
        action = decide(error, earlier_failures, 1, self._context.random_source.random())
        if isinstance(action, StopQueue) or (
            isinstance(action, GiveUp) and earlier_failures + 1 >= REFUSALS_BEFORE_STOP
        ):
            await self._failures.stop_queue(action.reason)
        pause_s = min(LONGEST_POLL_S, self.tick_s * 2.0 ** min(earlier_failures, 10))
        if isinstance(error, RateLimited) and error.retry_after_s:
            pause_s = max(pause_s, min(LONGEST_POLL_S, error.retry_after_s))
        say_trouble(error, pause_s)
        return Trouble(earlier_failures + 1, self._context.clock.monotonic_s() + pause_s)

    # Batches that are under way -------------------------------------------------------------------

    async def _advance(self, batch: StoredBatch, *, is_running: bool) -> None:
        """Take a batch one step further from its stored state."""
        match batch.state:
            case BatchState.PREPARED:  # by a process that has died, and its file is lost
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
        """Look for a batch that may have been submitted although there was no reply; if it is not
        found in time, let it be submitted again.
        """
        assert batch.file_id and batch.creating_at  # noqa: S101, PT018 - what the state means
        remote = await self._service.find(batch.file_id, batch.key)
        if remote is not None:
            say_adopted(batch, remote.id)
            await self._note(batch, remote)
        elif self._context.clock.now() - batch.creating_at > self.listed_within:
            file_id = batch.file_id
            await self._write(lambda c: batches.mark_uploaded(c, batch.id, file_id))

    async def _create(self, batch: StoredBatch) -> None:
        """Submit the batch. From the commit of `creating` on it may exist at the provider."""
        assert batch.file_id  # noqa: S101 - what the state means
        file_id = batch.file_id
        if not await self._write(lambda c: batches.mark_creating(c, batch.id)):
            return
        try:
            remote = await self._service.create(file_id, batch.key)
        except ProviderError as error:
            if isinstance(decide(error, 0, 1, 0.0), GiveUp):  # its file may be gone
                await self._discard(batch, str(error))
            elif not (error.may_be_answered or isinstance(error, ProviderOverloaded)):
                await self._write(lambda c: batches.mark_uploaded(c, batch.id, file_id))
            raise
        await self._note(batch, remote)
        say_submitted(batch, remote.id)

    async def _poll(self, batch: StoredBatch) -> None:
        """Ask for the status of a batch if that is due, and collect the results if it has ended.

        The pause until the next poll grows while the batch has not ended.
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
        """Handle a batch that the provider refused after reading its file. If too many tokens are
        waiting, lower the limit; for any other reason raise NoBatchApi.
        """
        why = why_refused(remote)
        say_refused(batch, why)
        if not exceeds_tokens(remote):
            await self._discard(batch, why)
            raise NoBatchApi(
                f"{self._context.provider.name} refused batch {remote.id}: {why} Correct "
                "that problem and start the queue again, or use --lane online."
            )
        _, under_way = await self._context.database_retry(self._load)
        enqueued = sum(other.tokens for other in under_way)
        self._service.enqueued_tokens = learned_limit(remote, enqueued)
        await self._discard(batch, why)
        if batch.requests == 1 and len(under_way) == 1:
            await self._write(lambda c: batches.finish_online(c, batch.job_ids))
        await self._context.memory.save_if_due()

    async def _discard(self, batch: StoredBatch, why: str) -> None:
        await self._collector.discard(batch, why)

    async def _note(self, batch: StoredBatch, remote: RemoteBatch) -> None:
        """Store what the provider says about the batch."""
        await self._write(lambda c: batches.mark_submitted(c, batch.id, remote))

    # The next batch -------------------------------------------------------------------------------

    async def _submit_more(self, state: QueueState) -> None:
        """Fill and submit batches until no job waits, or no more fits."""
        while not self._is_draining and await self._context.database_retry(self._is_ready):
            _, under_way = await self._context.database_retry(self._load)
            most = await self._most_requests(is_idle=not under_way)
            if not most:
                return
            enqueued = sum(batch.tokens for batch in under_way)
            filled = await self._preparer.fill(state, enqueued, most)
            await self._publish_over_budget(filled, is_idle=not under_way)
            if filled.batch is None:
                return
            await self._upload(filled.batch, filled.content)

    async def _most_requests(self, *, is_idle: bool) -> int:
        """The most requests of the next batch: as many as a file can have; but while all calls fail
        in the same way only 1 (a probe, which is stored as sent), or 0 until it is due or while
        another batch is under way.

        `is_idle`: no batch is under way.
        """
        breaker, account = self._context.governor.breaker, self._context.provider.name

        async def load_hold() -> Hold | None:
            async with self._context.database.pool.acquire() as connection:
                return await holds.load(connection, account)

        hold = await self._context.database_retry(load_hold)
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
        await self._write(lambda c: batches.mark_uploaded(c, batch.id, file_id))
        stored = await self._context.database_retry(lambda: self._find(batch.key))
        if stored is not None:
            await self._create(stored)

    async def _find(self, key: str) -> StoredBatch | None:
        async with self._context.database.pool.acquire() as connection:
            return await batches.find(connection, key)

    async def _is_ready(self) -> bool:
        """Whether a job waits, and the dispatcher has no more products to make jobs of: one large
        file is better than many.
        """
        async with self._context.database.pool.acquire() as connection:
            if not await jobs.waiting_for_batch(connection, jobs.FIRST, 1):
                return False
            ready = f"p.variant_of IS NULL AND {IN_BATCHES}"
            return not await products.any_pending(connection, self._scope, ready)

    async def _publish_over_budget(self, filled: Filled, *, is_idle: bool) -> None:
        """Publish that the budget has no room for the next batch while none is under way, or that
        it has room again.
        """
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
        """Run `work` in a transaction, which is repeated until it succeeds; returns its result."""

        async def run_transaction() -> T:
            async with self._context.database.transaction() as connection:
                return await work(connection)

        return await self._context.database_retry(run_transaction)
