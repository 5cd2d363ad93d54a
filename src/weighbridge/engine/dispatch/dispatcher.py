"""Turns pending products into groups and groups into jobs: in batches with a pause, or
continuously.

One dispatcher works at a time: the process that holds an advisory lock. When that process dies,
PostgreSQL releases the lock and another takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.engine.dispatch.batch_wait import BatchWait
from weighbridge.engine.quota.backlog import backlog_target
from weighbridge.plain_text import counted
from weighbridge.planning.context import budget_for
from weighbridge.planning.cost import group_tokens
from weighbridge.planning.grouping import (
    Group,
    Ready,
    group_products,
    product_tokens,
)
from weighbridge.store import jobs, products, queue_state, set_clocks, stopping, variants
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.products import AT_ONCE, IN_BATCHES

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.engine.dispatch.retention_task import RetentionTask
    from weighbridge.engine.dispatch.variant_finder import VariantFinder
    from weighbridge.engine.quota.traffic import Traffic
    from weighbridge.planning.cost import Loads
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.overrides import Overrides
    from weighbridge.store.products import StoredProduct
    from weighbridge.store.queue_state import QueueState

TICK_S: Final = 0.2
"""Longest pause between two checks of the queue."""
LEAST_TICK_S: Final = 0.1
"""Shortest pause between two checks of the queue, however many groups finish."""
RETRY_S: Final = 1.0
STUCK_CHECK_S: Final = 4.0
"""Time between two searches for products in `processing` whose job is gone."""
LARGEST_INTAKE: Final = 5_000
"""The most products taken in one transaction of continuous pacing."""
REFILL_BELOW: Final = 0.75
"""More jobs are made once the unfinished ones are at most this share of the backlog target."""
MOST_IN_GROUP: Final = 5
"""The most products of one job."""
VACUUMED_AFTER: Final = 1_000
"""Number of new jobs after which the table of jobs is vacuumed."""
MOST_IN_BATCHES: Final = 100_000
"""The most jobs that wait for a batch of the provider or are in one; more are made as these end."""
COUNTED_AT_ONCE: Final = 100
"""Number of products whose tokens are counted before other tasks of the event loop run: about 5 ms.
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many products and jobs one intake put into the queue.

    `products` are those that the model is asked about; `looked_at` also counts those that get, or
    wait for, the answers of another variant.
    """

    products: int = 0
    jobs: int = 0
    looked_at: int = 0


class _StoppedMeanwhile(Exception):
    """The queue was stopped while products were being grouped."""


class Dispatcher:
    """Makes the jobs that the workers run.

    `scope` restricts it to the products of one import. Without `variant_finder` the model is asked
    about every product. `why_no_batches` is set if the provider has no Batch API: a product of the
    lane "batch" then stops the queue with this reason.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        traffic: Traffic,
        overrides: Overrides,
        model: str,
        retention_task: RetentionTask,
        loads: Loads,
        context_tokens: Callable[[], int | None],
        variant_finder: VariantFinder | None = None,
        scope: UUID | None = None,
        why_no_batches: str | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._traffic = traffic
        self._overrides = overrides
        self._model = model
        self._retention_task = retention_task
        self._variant_finder = variant_finder
        self._scope = scope
        self._why_no_batches = why_no_batches
        self._wake = asyncio.Event()
        self._batch_open = False
        self._next_stuck_check_s = 0.0
        self._batch_wait = BatchWait()
        self._loads = loads
        self._context_tokens = context_tokens
        self._jobs_since_vacuum = 0
        self.is_leading = False
        """Whether this process holds the lock that makes it the only dispatcher."""

    def look_again(self) -> None:
        """Check the queue soon: products arrived, it was started, or a product was finished."""
        self._wake.set()

    async def run(self) -> None:
        """Wait for the lock, then make jobs until cancelled; an unavailable database is
        waited for.
        """
        while True:
            try:
                await self._compete()
            except (*DATABASE_ERRORS, TimeoutError) as error:
                telemetry.debug(  # `DatabaseRetry` logs it once for the whole process
                    "dispatcher_interrupted",
                    f"⚠️ The dispatcher lost its database connection ({type(error).__name__}); reconnecting",
                )
            await self._clock.sleep(RETRY_S)

    async def _compete(self) -> None:
        """Wait until this process gets the lock, then make jobs for as long as it holds it."""
        connection = await self._database.connect()
        try:
            while not await connection.fetchval(
                "SELECT pg_try_advisory_lock($1)", jobs.DISPATCH_LOCK
            ):
                await self._clock.sleep(RETRY_S)
            self.is_leading = True
            await self._feed(connection)
        finally:
            self.is_leading = False
            connection.terminate()  # PostgreSQL releases the lock
            self._retention_task.stop()

    async def _feed(self, connection: Connection) -> None:
        """Do what is due at regular times, and soon after each announcement."""
        self._next_stuck_check_s = 0.0
        while True:
            await self._tick(connection)
            await self._clock.sleep(LEAST_TICK_S)
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the wake.
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(TICK_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _tick(self, connection: Connection) -> None:
        """Do what is due: requeue lost products, delete old records, and make new jobs."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_stuck_check_s:
            self._next_stuck_check_s = now_s + STUCK_CHECK_S
            await self._requeue_stuck(connection)
        await self._retention_task.trim_if_due(connection)
        state = self._overrides.apply(await queue_state.load(connection))
        if not state.running:
            self._batch_open = False
            return
        await self._feed_batches(connection, state)
        if state.pacing == "continuous":
            await self._top_up(connection, state)
        else:
            await self._next_batch(connection, state)

    async def _feed_batches(self, connection: Connection, state: QueueState) -> None:
        """Make jobs for the products that are asked about in batches of the provider; limits per
        minute and pauses do not apply to them.
        """
        ready = f"p.variant_of IS NULL AND {IN_BATCHES}"
        if not await products.any_pending(connection, self._scope, ready):
            return
        if self._why_no_batches is not None:
            async with connection.transaction():
                await stopping.stop(connection, self._why_no_batches)
            telemetry.error("queue_stopped", f"🛑 Queue stopped: {self._why_no_batches}")
            return
        unfinished = await jobs.count_unfinished(connection, jobs.BATCH_ENTRYPOINT)
        if unfinished < MOST_IN_BATCHES:
            await self._take(connection, LARGEST_INTAKE, state, IN_BATCHES)

    async def _requeue_stuck(self, connection: Connection) -> None:
        """Return products whose job is gone to `pending`, and let variants that wait in vain be
        asked themselves.
        """
        if set_back := await set_clocks.bring_back(connection):
            telemetry.warning(
                "clock_set_back",
                f"⚠️ The clock of the database was set back; reset {counted(set_back, 'timestamp')} of jobs and workers that lay in the future",
                moments=set_back,
            )
        requeued = await products.release_stuck(connection)
        await jobs.forget_failed(connection)
        await variants.free_stranded(connection)
        if requeued:
            telemetry.warning(
                "products_requeued",
                f"⚠️ Requeued {counted(requeued, 'product')} whose job was lost, for example in a crash; "
                "no action is needed",
                products=requeued,
            )

    async def _top_up(self, connection: Connection, state: QueueState) -> None:
        """Keep as many jobs ready as the quota can use until the next check."""
        target = backlog_target(state, self._traffic)
        unfinished = await jobs.count_unfinished(connection)
        if unfinished > target * REFILL_BELOW:
            return
        taken = await self._take(
            connection, min((target - unfinished) * MOST_IN_GROUP, LARGEST_INTAKE), state
        )
        self._jobs_since_vacuum += taken.jobs
        if self._jobs_since_vacuum >= VACUUMED_AFTER:
            await jobs.vacuum(connection)
            self._jobs_since_vacuum = 0

    async def _next_batch(self, connection: Connection, state: QueueState) -> None:
        """In batch pacing, take the next batch if the last one is done and the pause is over."""
        if await products.any_processing(connection, travels=AT_ONCE):
            self._batch_open = True
            return
        if self._batch_open:
            # Variants that waited in vain for a product of this batch still belong to the batch.
            if await variants.free_stranded(connection):
                await self._take(connection, state.batch_size, state)
                return
            self._batch_open = False
            await self._close_batch(connection, state)
            return
        if self._batch_wait.left_s(state, self._clock) > 0:
            return
        taken = await self._take(connection, state.batch_size, state)
        if taken.looked_at:
            self._batch_open = True
            await queue_state.update(
                connection, current_batch=state.current_batch + 1, next_batch_at=None
            )

    async def _close_batch(self, connection: Connection, state: QueueState) -> None:
        """After a batch, store when the next one may begin, if products are left."""
        if not await products.any_pending(connection, self._scope, AT_ONCE):
            await queue_state.update(connection, next_batch_at=None)
            return
        next_at = self._clock.now() + timedelta(milliseconds=state.batch_delay_ms)
        await queue_state.update(connection, next_batch_at=next_at)
        telemetry.info(
            "batch_delay",
            f"⏳ Waiting {state.batch_delay_ms / 1000:g}s before next batch to respect rate limits",
            delay_ms=state.batch_delay_ms,
        )

    async def _take(
        self, connection: Connection, limit: int, state: QueueState, travels: str = AT_ONCE
    ) -> Taken:
        """Make jobs for pending products, until the model is asked about `limit` of them or
        `LARGEST_INTAKE` were looked at.

        `travels` is `AT_ONCE` or `IN_BATCHES`: the products' lane, as SQL.
        """
        taken = Taken()
        while taken.products < limit and taken.looked_at < LARGEST_INTAKE:
            more = await self._take_some(connection, limit - taken.products, state, travels)
            taken = Taken(
                taken.products + more.products,
                taken.jobs + more.jobs,
                taken.looked_at + more.looked_at,
            )
            if not more.looked_at:
                break
        return taken

    async def _take_some(
        self, connection: Connection, limit: int, state: QueueState, travels: str
    ) -> Taken:
        """Group up to `limit` pending products and make their jobs, in one transaction.

        Nothing is enqueued if the queue was stopped since `state` was read.
        """
        try:
            async with connection.transaction():
                taken, groups = await self._enqueue(connection, limit, state, travels)
        except _StoppedMeanwhile:
            return Taken()
        if groups:
            _log_group_size(groups, self._loads, together=state.ask_together)
        return taken

    async def _enqueue(
        self, connection: Connection, limit: int, state: QueueState, travels: str
    ) -> tuple[Taken, list[Group]]:
        """Make jobs for up to `limit` pending products; returns how many there were, and the groups
        about which the model is asked.

        Raises:
            _StoppedMeanwhile: the queue was stopped; the transaction must be rolled back.
        """
        found = await products.take_pending(connection, limit, self._scope, travels)
        if not found:
            return Taken(), []
        asked, answered = await self._asked_and_answered(connection, found)
        loads = self._loads.together if state.ask_together else self._loads.apart
        budget = budget_for(loads, self._context_tokens())
        groups = [
            group
            for lane in sorted({stored.lane for stored in asked})
            for group in group_products(
                await self._with_tokens([stored for stored in asked if stored.lane is lane]),
                budget,
            )
        ]
        without_call = group_products(await self._with_tokens(answered), budget)
        job_ids = await jobs.enqueue_jobs(connection, len(groups) + len(without_call))
        job_of = {
            product_id: job_id
            for group, job_id in zip(groups + without_call, job_ids, strict=True)
            for product_id in group.product_ids
        }
        await products.mark_processing(connection, job_of)
        if travels == IN_BATCHES:
            await jobs.route(connection, job_ids[: len(groups)])
        if not await queue_state.is_running(connection):
            raise _StoppedMeanwhile
        return Taken(len(asked), len(job_ids), len(found)), groups

    async def _asked_and_answered(
        self, connection: Connection, found: list[StoredProduct]
    ) -> tuple[list[StoredProduct], list[StoredProduct]]:
        """The products about which the model is asked, and those that get the answers of another
        variant. The others wait for such answers.
        """
        if self._variant_finder is None:
            return found, []
        plan = await self._variant_finder.plan(connection, found)
        return (
            [stored for stored in found if stored.id in plan.asked],
            [stored for stored in found if stored.id in plan.answered],
        )

    async def _with_tokens(self, waiting: list[StoredProduct]) -> list[Ready]:
        """The products with their tokens, for grouping.

        Counting them takes seconds for a large intake on a slow machine; other tasks run in
        between.
        """
        ready = []
        for first in range(0, len(waiting), COUNTED_AT_ONCE):
            ready += [_ready(one, self._model) for one in waiting[first : first + COUNTED_AT_ONCE]]
            await asyncio.sleep(0)
        return ready


def _ready(stored: StoredProduct, model: str) -> Ready:
    """The product as `group_products` takes it, with its tokens counted."""
    product = stored.product
    return Ready(
        product_id=stored.id,
        tokens=product_tokens(product, model),
        has_image=product.has_image,
        alone=stored.alone,
    )


def _log_group_size(groups: list[Group], loads: Loads, *, together: bool) -> None:
    """Log the most common size of a group, and the estimated tokens of all calls about one such
    group. Compare them with the tokens that are logged when a group is finished.
    """
    sizes = Counter(len(group.product_ids) for group in groups)
    # Products with pictures always go alone: they say nothing about the size of the other groups.
    size, _ = Counter({n: count for n, count in sizes.items() if n > 1} or sizes).most_common(1)[0]
    usual = [group.tokens for group in groups if len(group.product_ids) == size]
    asked = loads.together if together else loads.apart
    tokens = group_tokens(asked, size, round(sum(usual) / len(usual)))
    telemetry.info(
        "groups_made",
        f"📊 Optimal batch size: {size} products (estimated {tokens:,} tokens)",
        group_size=size,
        groups=len(groups),
        tokens=tokens,
    )
