"""Fills the next batch: the next question of each job that waits, as far as file, tokens and money
reach, recorded before anything of it leaves.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from weighbridge.domain.calls import Lane
from weighbridge.engine.batches.reports import say_finishing_online
from weighbridge.engine.jobs.borrowing import borrow_answers
from weighbridge.engine.jobs.job_products import load_groups
from weighbridge.engine.jobs.worker import by_version
from weighbridge.engine.quota.permits import QueueStopped
from weighbridge.engine.quota.reserving import price
from weighbridge.engine.quota.spending import Money
from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.planning.batches import MOST_BYTES, MOST_REQUESTS, FileRoom, Packing, RequestLoad
from weighbridge.planning.cost import most_usd
from weighbridge.store import batches, budgets, jobs, open_calls, queue_state
from weighbridge.store.open_calls import OpenCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from weighbridge.domain.budgets import Budget
    from weighbridge.engine.jobs.asking import Asker
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.quota.permits import PreparedCall
    from weighbridge.engine.quota.reserving import Allowances
    from weighbridge.planning.batches import BatchLimits
    from weighbridge.providers.base import BatchService
    from weighbridge.store.batches import StoredBatch
    from weighbridge.store.database import Connection
    from weighbridge.store.queue_state import QueueState

LOADED_AT_ONCE: Final = 256
"""Jobs loaded by one query."""
PREPARED_AT_ONCE: Final = 16
"""Their pictures are in memory together."""


class Item(NamedTuple):
    """One request of a batch that is being filled."""

    job_id: int
    call: OpenCall
    line: bytes
    load: RequestLoad


class Filled(NamedTuple):
    """A recorded batch and its file.

    `over_budget` says that the first request may cost more than is left.
    """

    batch: StoredBatch | None = None
    content: bytes = b""
    over_budget: str | None = None


class Preparer:
    """One per process."""

    def __init__(
        self,
        context: EngineContext,
        asker: Asker,
        allowances: Allowances,
        service: BatchService,
        limits: BatchLimits,
    ) -> None:
        self._context = context
        self._asker = asker
        self._allowances = allowances
        self._service = service
        self._limits = limits

    async def fill(
        self, state: QueueState, enqueued_tokens: int, most_requests: int = MOST_REQUESTS
    ) -> Filled:
        """Record the next batch; nothing where no job waits or nothing fits.

        `enqueued_tokens` wait at the provider already.
        """
        caps = await self._caps()
        left_usd = min((cap.left_usd for cap in caps), default=math.inf)
        room = FileRoom(most_requests, MOST_BYTES, self._tokens_left(enqueued_tokens), left_usd)
        try:
            items, over_budget = await self._packed(state, room, caps, is_alone=not enqueued_tokens)
        except QueueStopped:  # while pictures were fetched
            return Filled()
        if not items:
            return Filled(over_budget=over_budget)
        key = uuid4().hex
        batch = await self._context.database_retry(lambda: self._record(key, items))
        if batch is None:
            return Filled()
        kept = set(batch.job_ids)
        return Filled(batch, b"\n".join(item.line for item in items if item.job_id in kept) + b"\n")

    async def _packed(
        self, state: QueueState, room: FileRoom, caps: Sequence[Budget], *, is_alone: bool
    ) -> tuple[list[Item], str | None]:
        """What fits into the file; or why nothing does, where it is the money."""
        packing, items = Packing(room), list[Item]()
        async for item in self._items(state, is_capped=bool(caps)):
            if packing.take(item.load):
                items.append(item)
            elif items:
                break
            elif item.load.usd > room.usd:
                return [], self._why_not(item.load.usd, caps)
            elif item.load.size_bytes >= room.size_bytes:
                await self._route([], [item.job_id])  # no file is large enough
            elif is_alone:
                return [item], None  # the provider may know better than the limit of tokens
            else:
                break
        return items, None

    def _tokens_left(self, enqueued_tokens: int) -> float:
        limits = (self._limits.enqueued_tokens, self._service.enqueued_tokens)
        most = min((limit for limit in limits if limit is not None), default=math.inf)
        return most - enqueued_tokens

    async def _caps(self) -> list[Budget]:
        async def read() -> list[Budget]:
            async with self._context.database.transaction() as connection:
                return await budgets.lock(connection, self._context.clock.now())

        return await self._context.database_retry(read)

    async def _items(self, state: QueueState, *, is_capped: bool) -> AsyncIterator[Item]:
        """The next request of each waiting job, in order; what is none goes to where it belongs."""
        after = jobs.FIRST
        while True:
            found, groups = await self._groups(after)
            if not found:
                return
            after = found[-1]
            by_job = [(job_id, group) for (_, job_id), group in zip(found, groups, strict=True)]
            for_workers = [job_id for job_id, group in by_job if self._needs_no_call(group)]
            waiting = [job for job in by_job if job[0] not in for_workers]
            online: list[int] = []
            for first in range(0, len(waiting), PREPARED_AT_ONCE):
                part = waiting[first : first + PREPARED_AT_ONCE]
                for (job_id, _), call in zip(part, await self._calls(part, state), strict=True):
                    if call is None:
                        online.append(job_id)
                    else:
                        yield self._item(job_id, *call, is_capped=is_capped)
                await asyncio.sleep(0)
            await self._route(for_workers, online)

    async def _groups(
        self, after: tuple[int, int]
    ) -> tuple[list[tuple[int, int]], list[list[JobProduct]]]:
        """The next jobs that wait, as (negative priority, id), and the products of each."""

        async def read() -> tuple[list[tuple[int, int]], list[list[JobProduct]]]:
            simulated, questions = self._context.provider.simulated, self._context.questions
            async with self._context.database.pool.acquire() as connection:
                found = await jobs.waiting_for_batch(connection, after, LOADED_AT_ONCE)
                ids = [job_id for _, job_id in found]
                groups = await load_groups(connection, ids, questions, simulated=simulated)
                every = [product for group in groups for product in group]
                await borrow_answers(connection, every, questions, simulated=simulated)
                return found, groups

        return await self._context.database_retry(read)

    async def _calls(
        self, waiting: Sequence[tuple[int, list[JobProduct]]], state: QueueState
    ) -> list[tuple[PreparedCall, list[JobProduct]] | None]:
        """The calls that come next, their pictures fetched side by side."""
        found = await asyncio.gather(
            *(self._prepared(group, job_id, state) for job_id, group in waiting),
            return_exceptions=True,
        )
        for error in found:
            if isinstance(error, BaseException):
                raise error
        return [call for call in found if not isinstance(call, BaseException)]

    def _needs_no_call(self, group: Sequence[JobProduct]) -> bool:
        """Whether there is something in it that a worker does without the provider, or nothing."""
        return not group or any(
            self._context.questions.are_answered(product.answers) for product in group
        )

    def _ends_online(self, group: Sequence[JobProduct]) -> bool:
        """Whether another batch is of no use, or not wanted any more."""
        tries = max(product.stored.unanswered_batches for product in group)
        is_wanted = all(product.stored.lane is Lane.BATCH for product in group)
        return tries >= self._limits.tries or not is_wanted

    async def _prepared(
        self, group: list[JobProduct], job_id: int, state: QueueState
    ) -> tuple[PreparedCall, list[JobProduct]] | None:
        """The call that comes next; None where it cannot travel in a batch, or shall not again."""
        if self._ends_online(group):
            return None
        for question in self._context.questions.alone:
            for unanswered in by_version(question, group):
                try:
                    request = await self._asker.prepare(question, unanswered, job_id)
                except (PictureRefused, PictureUnreachable):
                    return None
                if any(product.pictures_lacking() for product in unanswered):
                    return None
                return request.to_send(ask_together=state.ask_together), unanswered
        return None

    def _item(
        self, job_id: int, call: PreparedCall, group: list[JobProduct], *, is_capped: bool
    ) -> Item:
        """One request of the batch: its line in the file, and the record of the call while it is
        open.
        """
        cost, allowance = price(call, self._allowances)
        key = uuid4().hex
        line = self._service.line(key, call.request._replace(max_output_tokens=allowance))
        provider = self._context.provider
        open_call = OpenCall(
            key=key,
            provider=provider.name,
            simulated=provider.simulated,
            question=call.question.name,
            step_version=call.question.version(group[0].versions),
            product_ids=[product.id for product in group],
            question_fingerprints=[product.question_fingerprint for product in group],
            started_at=self._context.clock.now(),
            estimated_tokens=cost.tokens,
            output_allowance=allowance,
            job_id=job_id,
        )
        usd = 0.0
        if is_capped:
            in_batch = provider.price.in_tier(Lane.BATCH.value)
            usd = most_usd(call.prompt_tokens + call.doubt_tokens, allowance, in_batch)
        return Item(job_id, open_call, line, RequestLoad(len(line), call.prompt_tokens, usd))

    async def _record(self, key: str, items: Sequence[Item]) -> StoredBatch | None:
        """The batch, its requests, its money and its jobs, in one transaction; None when the queue
        was stopped, or the money is gone meanwhile.
        """
        context = self._context
        async with context.database.transaction() as connection:
            if recorded := await batches.find(connection, key):
                return recorded  # the commit succeeded, and the word of it was lost
            if not (await queue_state.load(connection)).running:
                return None
            ids = [item.job_id for item in items]
            picked = await jobs.pick(connection, ids, context.manager_id, only_waiting=True)
            kept = [item for item in items if item.job_id in picked]
            usd = math.fsum(item.load.usd for item in kept)
            spans = await self._commit(connection, usd)
            if not kept or spans is None:
                await jobs.give_back(connection, list(picked))
                return None
            batch_id = await batches.insert(
                connection,
                key,
                provider=context.provider.name,
                simulated=context.provider.simulated,
                model=context.provider.model,
                job_ids=[item.job_id for item in kept],
                tokens=sum(item.load.tokens for item in kept),
                committed_usd=usd,
                spans=spans,
            )
            await open_calls.insert(connection, [i.call.in_batch(batch_id) for i in kept])
            return await batches.find(connection, key)

    async def _commit(self, connection: Connection, usd: float) -> list[tuple[str, str]] | None:
        """The caps that it is committed to; None where they leave less."""
        caps = await budgets.lock(connection, self._context.clock.now())
        if any(cap.left_usd < usd for cap in caps):
            return None
        spans = [(cap.name, cap.span) for cap in caps]
        await budgets.commit_more(connection, dict.fromkeys(spans, usd))
        return spans

    def _why_not(self, usd: float, caps: Sequence[Budget]) -> str:
        narrowest = min(caps, key=lambda cap: cap.left_usd)
        provider = self._context.provider
        return Money(narrowest.left_usd, (), provider.price, narrowest).why_not(usd, provider.model)

    async def _route(self, for_workers: Sequence[int], online: Sequence[int]) -> None:
        """Hand jobs to the workers: those that need no call, and those that are asked online after
        all.
        """
        if not (for_workers or online):
            return

        async def write() -> int:
            async with self._context.database.transaction() as connection:
                await jobs.hand_to_workers(connection, for_workers)
                return await batches.finish_online(connection, online)

        say_finishing_online(await self._context.database_retry(write))
