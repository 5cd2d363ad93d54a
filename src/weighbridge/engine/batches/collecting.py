"""Takes the results of a batch that is over: each reply goes the way of an online one.

A request is an open call, and recording its reply closes it. So a process that dies in the middle
leaves behind exactly the requests that are not on record, and the next one reads the same files.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Cost, Lane
from weighbridge.engine.batches.reports import say_flaws
from weighbridge.engine.batches.results import merged
from weighbridge.engine.jobs.failures import break_up, shares
from weighbridge.engine.jobs.in_flight_call import InFlightCall
from weighbridge.engine.jobs.job_products import with_answers
from weighbridge.engine.jobs.recorder import Outcome
from weighbridge.engine.jobs.reports import say_what_happened
from weighbridge.engine.quota.permits import JobLost, Permit, PreparedCall
from weighbridge.errors import ProviderError, ProviderOverloaded
from weighbridge.limits.retries import AskAlone, GiveUp, Split, StopQueue, decide
from weighbridge.planning.cost import most_usd, reply_cost_usd
from weighbridge.providers.base import reply_of
from weighbridge.store import batches, jobs, open_calls, products
from weighbridge.store.batches import BatchState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.batches import RemoteBatch, ResultLine
    from weighbridge.domain.calls import CallReply
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.failures import Failures
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.jobs.judging import Judge
    from weighbridge.engine.jobs.recorder import Recorder
    from weighbridge.limits.retries import Action
    from weighbridge.providers.base import BatchService
    from weighbridge.steps import Question
    from weighbridge.store.batches import StoredBatch
    from weighbridge.store.open_calls import OpenCall

TAKEN_AT_ONCE: Final = 96
"""Results whose products are loaded by one query, and which share a transaction."""
NO_JOB: Final = 0
"""Stands for the job of a call whose job is gone; no job has this number."""


class Collector:
    """One per process."""

    def __init__(
        self,
        context: EngineContext,
        judge: Judge,
        recorder: Recorder,
        failures: Failures,
        service: BatchService,
    ) -> None:
        self._context = context
        self._judge = judge
        self._recorder = recorder
        self._failures = failures
        self._service = service

    async def collect(self, batch: StoredBatch, remote: RemoteBatch, *, is_last_try: bool) -> int:
        """Record every result that is not on record yet; returns how many requests have none.

        Raises:
            ProviderError: the results cannot be fetched now; or, before the last try, the files
                hold no results. On the last try such files count as no results.
        """
        results = merged([await self._service.results(file) for file in remote.result_files])
        if results.are_garbage and not is_last_try:
            raise ProviderOverloaded(
                f"The result files of batch {remote.id} contain no results. Trying again"
            )
        waiting = await self._context.database_retry(lambda: self._claim(batch))
        answered = [
            (call, results.lines[call.key])
            for call in waiting.values()
            if results.is_answered(call.key)
        ]
        flaws = results.flaws(remote, batch.requests, waiting)
        say_flaws(batch, flaws)
        without = [call for call in waiting.values() if not results.is_answered(call.key)]
        for first in range(0, len(answered), TAKEN_AT_ONCE):
            await self._take(batch, answered[first : first + TAKEN_AT_ONCE])
        unread_usd = self._most_usd(without, flaws.lost)
        return await self._end_and_count(
            batch, BatchState.COLLECTED, remote.status.value, unread_usd
        )

    async def lose(self, batch: StoredBatch, why: str) -> None:
        """The provider had it and shows it no more: its replies may be billed, and are gone."""
        waiting = await self._context.database_retry(lambda: self._claim(batch))
        unread_usd = self._most_usd(list(waiting.values()), len(waiting))
        await self._end_and_count(batch, BatchState.COLLECTED, why, unread_usd)

    async def discard(self, batch: StoredBatch, why: str) -> None:
        """Nothing of it was asked."""
        await self._end_and_count(batch, BatchState.DISCARDED, why)

    def _most_usd(self, calls: Sequence[OpenCall], lost: int) -> float:
        """The most that so many of these calls can cost."""
        in_batch = self._context.provider.price.in_tier(Lane.BATCH.value)
        most = (
            most_usd(call.estimated_tokens - call.output_allowance, call.output_allowance, in_batch)
            for call in calls
        )
        return math.fsum(heapq.nlargest(lost, most))

    async def _end_and_count(
        self, batch: StoredBatch, state: BatchState, why: str, unread_usd: float = 0.0
    ) -> int:
        """End the batch; returns how many of its requests have no reply on record."""

        async def write() -> int:
            async with self._context.database.transaction() as connection:
                found = await batches.find(connection, batch.key)
                if found is None or found.state in (BatchState.COLLECTED, BatchState.DISCARDED):
                    return 0
                return await batches.end(connection, found, state, why, unread_usd=unread_usd)

        return await self._context.database_retry(write)

    async def _claim(self, batch: StoredBatch) -> dict[str, OpenCall]:
        async with self._context.database.transaction() as connection:
            await jobs.pick(connection, batch.job_ids, self._context.manager_id, only_waiting=False)
            return {call.key: call for call in await open_calls.of_batch(connection, batch.id)}

    async def _take(
        self, batch: StoredBatch, answered: Sequence[tuple[OpenCall, ResultLine]]
    ) -> None:
        found = await self._context.database_retry(
            lambda: self._products([call for call, _ in answered])
        )
        await asyncio.gather(*(self._take_one(batch, call, line, found) for call, line in answered))

    async def _products(self, calls: Sequence[OpenCall]) -> dict[int, JobProduct]:
        """The products of these calls by id, as they are now, with their answers."""
        ids = [product_id for call in calls for product_id in call.product_ids]
        async with self._context.database.pool.acquire() as connection:
            found = await with_answers(
                connection,
                await products.load_products(connection, ids),
                self._context.questions,
                simulated=self._context.provider.simulated,
            )
        return {product.id: product for product in found}

    async def _take_one(
        self,
        batch: StoredBatch,
        call: OpenCall,
        line: ResultLine,
        found: dict[int, JobProduct],
    ) -> None:
        """Record what one line of the results says: a reply, or why there is none."""
        question = self._question(call)
        group = still_asked(call, question, found)
        in_flight = in_flight_of(batch, call, question, group, self._context)
        try:
            reply = await self._service.reply(line, in_flight.request)
        except ProviderError as error:
            await self._without_reply(in_flight, error)
            return
        with suppress(JobLost):  # its products were changed meanwhile; what was paid for is stored
            if group:
                await self._judge.take(in_flight, reply)
            else:
                await self._record_unused(in_flight, call, reply)

    def _question(self, call: OpenCall) -> Question:
        """Another program may have asked what this one does not know; then nobody is asked it."""
        questions = self._context.questions
        known = (*questions.alone, questions.together)
        return next((one for one in known if one.name == call.question), questions.together)

    async def _record_unused(
        self, in_flight: InFlightCall, call: OpenCall, reply: CallReply
    ) -> None:
        """Nobody asks this any more, and it was paid for."""
        cost_usd = reply_cost_usd(reply, self._context.provider.price)
        record = in_flight.answered(self._context.provider, 0.0, reply, cost_usd)
        record = record._replace(product_ids=call.product_ids)
        await self._recorder.record(Outcome(in_flight.job_id, call=record))

    async def _without_reply(self, in_flight: InFlightCall, error: ProviderError) -> None:
        """What waiting may cure goes into the next batch, everything else is as online."""
        group = in_flight.group
        action = decide(error, 0, len(group), self._context.random_source.random())
        if reply_of(error) is not None:
            await self._record_empty(in_flight, error)
        if isinstance(action, StopQueue):
            await self._failures.stop_queue(action.reason)
            return
        if not group or not isinstance(action, Split | AskAlone | GiveUp):
            return
        if isinstance(action, GiveUp) and in_flight.question is self._context.questions.together:
            return  # online it is asked step by step
        with suppress(JobLost):
            await self._disperse(in_flight, error, action)

    async def _record_empty(self, in_flight: InFlightCall, error: ProviderError) -> None:
        """It was paid for, and its question waits for the next batch."""
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        call = in_flight.unanswered(self._context.provider, latency_s, error)
        wasted = shares(in_flight.group, call)
        with suppress(JobLost):
            await self._recorder.record(
                Outcome(in_flight.job_id, call=call, wasted_usd=wasted, is_asked_again=True)
            )

    async def _disperse(
        self, in_flight: InFlightCall, error: ProviderError, action: Action
    ) -> None:
        """Record a call without a reply, and ask its products again in smaller groups or give them
        up.
        """
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        call = in_flight.unanswered(self._context.provider, latency_s, error)
        ids = [product.id for product in in_flight.group]
        outcome = break_up(in_flight.job_id, ids, error, action)
        await self._recorder.record(outcome._replace(call=call))
        say_what_happened(
            in_flight.group, asked_alone=outcome.asked_alone, given_up=outcome.given_up
        )


def still_asked(
    call: OpenCall, question: Question, found: dict[int, JobProduct]
) -> list[JobProduct]:
    """The products of the call that its reply would still answer."""
    asked = zip(call.product_ids, call.question_fingerprints, strict=True)
    return [
        product
        for product_id, fingerprint in asked
        if (product := found.get(product_id)) is not None
        and product.question_fingerprint == fingerprint
        and not any(step in product.answers for step in question.steps)
        and all(needed in product.answers for needed in question.needs)
        and question.version(product.versions) == call.step_version
    ]


def in_flight_of(
    batch: StoredBatch,
    call: OpenCall,
    question: Question,
    group: list[JobProduct],
    context: EngineContext,
) -> InFlightCall:
    """A stored request of a batch, as if this worker had just sent it: what judges and records
    replies takes no other.
    """
    asked = question.request([product.subject() for product in group], call.output_allowance)
    request = asked._replace(key=call.key)
    cost = Cost(1, call.estimated_tokens)
    prepared = PreparedCall(
        question, request, call.estimated_tokens - call.output_allowance, len(group)
    )
    since = batch.submitted_at or batch.prepared_at
    age_s = max(0.0, (context.clock.now() - since).total_seconds())
    return InFlightCall(
        job_id=call.job_id or NO_JOB,
        question=question,
        step_version=call.step_version,
        group=group,
        request=request,
        cost=cost,
        allowance=call.output_allowance,
        permit=Permit.outside_limits(prepared, call.output_allowance, cost),
        started_at=call.started_at,
        started_s=context.clock.monotonic_s() - age_s,
        lane=Lane.BATCH,
        batch_id=batch.id,
    )
