"""Records the results of a batch that has ended; each reply is processed like that of an online
call.

A request is an open call, and recording its reply closes it. So if a process dies in between, the
requests that are not recorded are still open, and the next process reads the same files again.
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
from weighbridge.engine.jobs.failures import break_up, cost_shares_usd
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
"""How many results are stored in one transaction, with their products loaded by one query."""
NO_JOB: Final = 0
"""Job id of a call whose job is gone; no job has this id."""


class Collector:
    """Records the results of batches; one per process."""

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
        """Record every result that is not recorded yet, and end the batch; returns how many
        requests have no result.

        Raises:
            ProviderError: the results cannot be fetched now; or there is no result in the files,
                except on the last try, where such files count as no results.
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
            await self._record_results(batch, answered[first : first + TAKEN_AT_ONCE])
        unread_usd = self._most_usd(without, flaws.lost)
        return await self._end_and_count(
            batch, BatchState.COLLECTED, remote.status.value, unread_usd
        )

    async def lose(self, batch: StoredBatch, why: str) -> None:
        """End a batch that the provider no longer knows. Its replies may be billed, so their money
        stays committed.
        """
        waiting = await self._context.database_retry(lambda: self._claim(batch))
        unread_usd = self._most_usd(list(waiting.values()), len(waiting))
        await self._end_and_count(batch, BatchState.COLLECTED, why, unread_usd)

    async def discard(self, batch: StoredBatch, why: str) -> None:
        """End a batch of which no request was processed."""
        await self._end_and_count(batch, BatchState.DISCARDED, why)

    def _most_usd(self, calls: Sequence[OpenCall], lost: int) -> float:
        """The most that `lost` of these calls can cost."""
        in_batch = self._context.provider.price.in_tier(Lane.BATCH.value)
        most = (
            most_usd(call.estimated_tokens - call.output_allowance, call.output_allowance, in_batch)
            for call in calls
        )
        return math.fsum(heapq.nlargest(lost, most))

    async def _end_and_count(
        self, batch: StoredBatch, state: BatchState, why: str, unread_usd: float = 0.0
    ) -> int:
        """End the batch; returns how many of its requests have no recorded reply."""

        async def end_batch() -> int:
            async with self._context.database.transaction() as connection:
                found = await batches.find(connection, batch.key)
                if found is None or found.state in (BatchState.COLLECTED, BatchState.DISCARDED):
                    return 0
                return await batches.close(connection, found, state, why, unread_usd=unread_usd)

        return await self._context.database_retry(end_batch)

    async def _claim(self, batch: StoredBatch) -> dict[str, OpenCall]:
        """Take the batch's jobs for this process; returns its requests without a recorded reply, by
        key.
        """
        async with self._context.database.transaction() as connection:
            await jobs.pick(connection, batch.job_ids, self._context.manager_id, only_waiting=False)
            return {call.key: call for call in await open_calls.of_batch(connection, batch.id)}

    async def _record_results(
        self, batch: StoredBatch, answered: Sequence[tuple[OpenCall, ResultLine]]
    ) -> None:
        """Record these results, all at the same time."""
        found = await self._context.database_retry(
            lambda: self._products([call for call, _ in answered])
        )
        await asyncio.gather(
            *(self._record_result(batch, call, line, found) for call, line in answered)
        )

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

    async def _record_result(
        self,
        batch: StoredBatch,
        call: OpenCall,
        line: ResultLine,
        products_by_id: dict[int, JobProduct],
    ) -> None:
        """Record one line of the results: a reply, or why there is none."""
        question = self._question(call)
        group = still_asked(call, question, products_by_id)
        in_flight = in_flight_of(batch, call, question, group, self._context)
        try:
            reply = await self._service.reply(line, in_flight.request)
        except ProviderError as error:
            await self._without_reply(in_flight, error)
            return
        with suppress(JobLost):  # another worker has the products; what was paid for is stored
            if group:
                await self._judge.take(in_flight, reply)
            else:
                await self._record_unused(in_flight, call, reply)

    def _question(self, call: OpenCall) -> Question:
        """The question of the call. If this version of Weighbridge does not know it, any will do,
        since no product needs the answer then.
        """
        questions = self._context.questions
        known = (*questions.alone, questions.together)
        return next((one for one in known if one.name == call.question), questions.together)

    async def _record_unused(
        self, in_flight: InFlightCall, call: OpenCall, reply: CallReply
    ) -> None:
        """Record the cost of a reply that no product needs any more."""
        cost_usd = reply_cost_usd(reply, self._context.provider.price)
        record = in_flight.answered(self._context.provider, 0.0, reply, cost_usd)
        record = record._replace(product_ids=call.product_ids)
        await self._recorder.record(Outcome(in_flight.job_id, call=record))

    async def _without_reply(self, in_flight: InFlightCall, error: ProviderError) -> None:
        """Handle a request without a usable reply. What may succeed later stays open for the next
        batch; otherwise the group is broken up, given up, or the queue stopped, as online.
        """
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
            return  # it will be asked online, step by step
        with suppress(JobLost):
            await self._break_up(in_flight, error, action)

    async def _record_empty(self, in_flight: InFlightCall, error: ProviderError) -> None:
        """Record an empty reply, which is billed; the next batch asks again."""
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        call = in_flight.unanswered(self._context.provider, latency_s, error)
        wasted = cost_shares_usd(in_flight.group, call)
        with suppress(JobLost):
            await self._recorder.record(
                Outcome(in_flight.job_id, call=call, wasted_usd=wasted, is_asked_again=True)
            )

    async def _break_up(
        self, in_flight: InFlightCall, error: ProviderError, action: Action
    ) -> None:
        """Record a call without a reply; its products move to smaller jobs, or fail."""
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        call = in_flight.unanswered(self._context.provider, latency_s, error)
        ids = [product.id for product in in_flight.group]
        outcome = break_up(in_flight.job_id, ids, error, action)
        await self._recorder.record(outcome._replace(call=call))
        say_what_happened(
            in_flight.group, asked_alone=outcome.asked_alone, given_up=outcome.given_up
        )


def still_asked(
    call: OpenCall, question: Question, products_by_id: dict[int, JobProduct]
) -> list[JobProduct]:
    """The products of the call that still need its answer."""
    asked = zip(call.product_ids, call.question_fingerprints, strict=True)
    return [
        product
        for product_id, fingerprint in asked
        if (product := products_by_id.get(product_id)) is not None
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
    """A stored request of a batch as a call of this worker, for the code that processes replies."""
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
