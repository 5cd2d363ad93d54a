"""Fills the next batch with the next question of each waiting job, within the limits on size,
tokens and money, and records it before it is sent.
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
"""The most jobs loaded by one query."""
PREPARED_AT_ONCE: Final = 16
"""Number of jobs whose pictures are fetched at the same time."""


class Item(NamedTuple):
    """One request of a batch that is being filled: the record of the call, and its line in the
    file.
    """

    job_id: int
    call: OpenCall
    line: bytes
    load: RequestLoad


class Filled(NamedTuple):
    """A recorded batch and its file; without a batch if nothing fits or waits.

    `over_budget` is the reason, for the operator, if the budget has no room for the first request.
    """

    batch: StoredBatch | None = None
    content: bytes = b""
    over_budget: str | None = None


class Preparer:
    """Fills batches; one per process."""

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
        """Fill and record the next batch, if a job waits and fits.

        `enqueued_tokens` are those that wait at the provider already.
        """
        caps = await self._caps()
        left_usd = min((cap.left_usd for cap in caps), default=math.inf)
        room = FileRoom(most_requests, MOST_BYTES, self._tokens_left(enqueued_tokens), left_usd)
        try:
            items, over_budget = await self._pack(state, room, caps, is_alone=not enqueued_tokens)
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

    async def _pack(
        self, state: QueueState, room: FileRoom, caps: Sequence[Budget], *, is_alone: bool
    ) -> tuple[list[Item], str | None]:
        """The requests that fit into the file, and the reason if the budget has no room for the
        first one.

        `is_alone`: no other batch waits at the provider.
        """
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
                return [item], None  # the provider may accept more tokens than the limit says
            else:
                break
        return items, None

    def _tokens_left(self, enqueued_tokens: int) -> float:
        """How many more tokens may wait at the provider; infinite without a limit."""
        limits = (self._limits.enqueued_tokens, self._service.enqueued_tokens)
        most = min((limit for limit in limits if limit is not None), default=math.inf)
        return most - enqueued_tokens

    async def _caps(self) -> list[Budget]:
        """The caps on money that apply now."""

        async def read_budgets() -> list[Budget]:
            async with self._context.database.transaction() as connection:
                return await budgets.lock(connection, self._context.clock.now())

        return await self._context.database_retry(read_budgets)

    async def _items(self, state: QueueState, *, is_capped: bool) -> AsyncIterator[Item]:
        """Yield the next request of each waiting job, in order. Jobs that have none are handed to
        the workers, or asked online.
        """
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
        """The waiting jobs after the job `after`, as (negative priority, id), and the products of
        each.
        """

        async def read_groups() -> tuple[list[tuple[int, int]], list[list[JobProduct]]]:
            simulated, questions = self._context.provider.simulated, self._context.questions
            async with self._context.database.pool.acquire() as connection:
                found = await jobs.waiting_for_batch(connection, after, LOADED_AT_ONCE)
                ids = [job_id for _, job_id in found]
                groups = await load_groups(connection, ids, questions, simulated=simulated)
                every = [product for group in groups for product in group]
                await borrow_answers(connection, every, questions, simulated=simulated)
                return found, groups

        return await self._context.database_retry(read_groups)

    async def _calls(
        self, waiting: Sequence[tuple[int, list[JobProduct]]], state: QueueState
    ) -> list[tuple[PreparedCall, list[JobProduct]] | None]:
        """The next call of each job with the products that it is about, or None, as `_next_call`
        says. Their pictures are fetched at the same time.
        """
        found = await asyncio.gather(
            *(self._next_call(group, job_id, state) for job_id, group in waiting),
            return_exceptions=True,
        )
        for error in found:
            if isinstance(error, BaseException):
                raise error
        return [call for call in found if not isinstance(call, BaseException)]

    def _needs_no_call(self, group: Sequence[JobProduct]) -> bool:
        """Whether a worker can do something about the group without the provider, or the group is
        empty.
        """
        return not group or any(
            self._context.questions.are_answered(product.answers) for product in group
        )

    def _ends_online(self, group: Sequence[JobProduct]) -> bool:
        """Whether the group is to be asked about online: batches brought no reply too often, or the
        lane was changed.
        """
        tries = max(product.stored.unanswered_batches for product in group)
        is_wanted = all(product.stored.lane is Lane.BATCH for product in group)
        return tries >= self._limits.tries or not is_wanted

    async def _next_call(
        self, group: list[JobProduct], job_id: int, state: QueueState
    ) -> tuple[PreparedCall, list[JobProduct]] | None:
        """The next call about the group, with the products that it is about; None if it must be
        made online.
        """
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
        """The request of a batch for this call, with its line in the file and its record."""
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
        """Record the batch, its requests and its committed money, and take its jobs, in one
        transaction; None if the queue was stopped or the money was spent meanwhile.
        """
        context = self._context
        async with context.database.transaction() as connection:
            if recorded := await batches.find(connection, key):
                return recorded  # an earlier try was committed without our knowing
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
        """Commit the amount to all caps, and return these; None if one has less left."""
        caps = await budgets.lock(connection, self._context.clock.now())
        if any(cap.left_usd < usd for cap in caps):
            return None
        spans = [(cap.name, cap.span) for cap in caps]
        await budgets.commit_more(connection, dict.fromkeys(spans, usd))
        return spans

    def _why_not(self, usd: float, caps: Sequence[Budget]) -> str:
        """Why a request that may cost `usd` has no room in the budget, for the operator."""
        narrowest = min(caps, key=lambda cap: cap.left_usd)
        provider = self._context.provider
        return Money(narrowest.left_usd, (), provider.price, narrowest).why_not(usd, provider.model)

    async def _route(self, for_workers: Sequence[int], online: Sequence[int]) -> None:
        """Hand jobs to the workers: those that need no call, and those whose products are asked
        about online.
        """
        if not (for_workers or online):
            return

        async def hand_over() -> int:
            async with self._context.database.transaction() as connection:
                await jobs.hand_to_workers(connection, for_workers)
                return await batches.finish_online(connection, online)

        say_finishing_online(await self._context.database_retry(hand_over))
