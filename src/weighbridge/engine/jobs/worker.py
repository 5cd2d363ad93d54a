"""Runs a job: asks each question about a group of products in order, except those that are already
answered.

`asking` gets a reply to each question, `judging` decides what to keep of it, and `failures` handles
calls without a reply.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge import telemetry
from weighbridge.domain.calls import Lane
from weighbridge.engine.database.batcher import Batcher
from weighbridge.engine.jobs.asking import Asker
from weighbridge.engine.jobs.borrowing import borrow_answers
from weighbridge.engine.jobs.failures import Failures
from weighbridge.engine.jobs.job_products import load_groups, weigh_group
from weighbridge.engine.jobs.judging import Judge
from weighbridge.engine.jobs.orphaned_calls import OrphanedCalls
from weighbridge.engine.jobs.recorder import Outcome, Recorder
from weighbridge.engine.jobs.reports import (
    say_begun,
    say_crashed,
    say_ended,
    say_lost,
    say_what_happened,
)
from weighbridge.engine.jobs.reusing import content_key, reuse_answers
from weighbridge.engine.quota.permits import JobLost, QueueStopped
from weighbridge.errors import InternalError, ProviderError
from weighbridge.limits.retries import GiveUp, StopQueue, decide
from weighbridge.limits.time_spent import MAX_TIME_LIMITS, TimeSpent
from weighbridge.store import products
from weighbridge.weighing.weigh import Weigher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.steps import Question
    from weighbridge.store.products import StoredProduct
    from weighbridge.weighing.factors_in_use import FactorsInUse, LoadedFactors

LOAD_BATCH: Final = 256
"""The most groups loaded by one query."""


class Parts(NamedTuple):
    """The parts of a worker that the batch lane uses too. This asker records no open calls: the
    lane does that itself.
    """

    asker: Asker
    judge: Judge
    recorder: Recorder
    failures: Failures


class Worker:
    """Runs jobs. One per process; any number of jobs at a time."""

    def __init__(
        self, context: EngineContext, factors: FactorsInUse, *, fetches_replies: bool = False
    ) -> None:
        self._context = context
        self._factors = factors
        self._computes_with = factors.now
        self._weigher = Weigher(factors.now.table, context.questions.steps)
        self._recorder = Recorder(context.database, context.database_retry, context.manager_id)
        self._load_batched = Batcher(self._load_groups, LOAD_BATCH)
        spent = TimeSpent(MAX_TIME_LIMITS * context.provider.longest_call_s)
        self._failures = Failures(context, self._recorder, spent)
        stop_queue = self._failures.stop_queue
        self._judge = Judge(context, self._weigher, self._recorder, stop_queue, spent)
        self._orphaned = OrphanedCalls(context) if fetches_replies else None
        self._asker = Asker(context, self._judge, self._failures, self._orphaned)

    @property
    def parts(self) -> Parts:
        """The parts that ask questions and process replies, for the batch lane."""
        asker = Asker(self._context, self._judge, self._failures, None)
        return Parts(asker, self._judge, self._recorder, self._failures)

    async def follow_factors(self) -> None:
        """Compute with the emission factors that are uploaded now.

        The lists from which the model chooses stay those of the start of this process, so that a
        reply is judged by the lists that its question contained.
        """

        async def refresh_factors() -> LoadedFactors:
            async with self._context.database.pool.acquire() as connection:
                return await self._factors.refresh(connection)

        now = await self._context.database_retry(refresh_factors)
        self._weigher.use(now.table, now.questions.steps)
        before, self._computes_with = self._computes_with, now
        if now is not before:
            name = f"{now.table.name} {now.table.version}"
            telemetry.info("factors_changed", f"Computing with the factors {name}", factors=name)

    async def work(self, job_id: int) -> None:
        """Run the job; a crash is recorded as an attempt. Raises nothing but a cancellation."""
        try:
            await self._work(job_id)
        except QueueStopped:
            await self._recorder.release(job_id)
        except JobLost:
            say_lost(job_id)
        except Exception as error:  # noqa: BLE001 - nothing may kill the worker
            say_crashed(job_id, error)
            with suppress(JobLost):
                await self._record_crash(job_id, error)
        finally:
            self._failures.forget(job_id)

    async def _work(self, job_id: int) -> None:
        """Load the group, complete the products that need no call, and ask each question about the
        others.
        """
        group = await self._load_batched(job_id)
        if self._orphaned and await self._fetch_replies(self._orphaned, group, job_id):
            group = await self._load_batched(job_id)
        if not group:
            return
        say_begun(job_id, group)
        begun = group
        # All steps may be answered: another product of its design was asked, a crash came between
        # the last answer and the footprint, or something changed that the model is not asked about.
        answered = [
            product for product in group if self._context.questions.are_answered(product.answers)
        ]
        await self._finish_without_call(answered, job_id)
        group = [product for product in group if product not in answered]
        if group and group[0].stored.lane is Lane.BATCH:
            # They were to get the answers of another variant, and could not: a batch asks for them.
            asked = [product.id for product in group]
            await self._recorder.record(Outcome(job_id, split=[asked]))
            return
        tokens = 0
        for question in self._context.questions.alone:
            for unanswered in by_version(question, group):
                gone, used = await self._asker.ask(question, unanswered, job_id)
                tokens += used
                group = [product for product in group if product.id not in gone]
        say_ended(job_id, begun, tokens)

    async def _load_groups(self, job_ids: Sequence[int]) -> list[list[JobProduct]]:
        """The products of each job, with their own answers, and with borrowed or reused ones."""

        async def read_groups() -> list[list[JobProduct]]:
            async with self._context.database.pool.acquire() as connection:
                simulated = self._context.provider.simulated
                questions = self._context.questions
                groups = await load_groups(connection, job_ids, questions, simulated=simulated)
                every = [product for group in groups for product in group]
                await borrow_answers(connection, every, questions, simulated=simulated)
                if self._context.reuses_answers:
                    await reuse_answers(connection, every, questions, self._context.provider)
                return groups

        return await self._context.database_retry(read_groups)

    async def _fetch_replies(
        self, orphaned: OrphanedCalls, group: list[JobProduct], job_id: int
    ) -> bool:
        """Fetch and record the replies to calls of dead workers about these products; returns
        whether there were such calls.
        """
        calls = await orphaned.about(group)
        for call in calls:
            try:
                found = await orphaned.fetch(call, job_id)
            except ProviderError as error:
                action = decide(error, 0, 1, self._context.random_source.random())
                if not isinstance(action, StopQueue):
                    raise
                await self._failures.stop_queue(action.reason)
                raise QueueStopped from error
            if found:
                await self._judge.take(*found)
        return bool(calls)

    async def _record_crash(self, job_id: int, error: Exception) -> None:
        """Record the crash of a job as an attempt of each of its products, which are then retried
        alone, so that one of them cannot stop the others.
        """

        async def read_products() -> list[StoredProduct]:
            async with self._context.database.pool.acquire() as connection:
                return await products.load_job_products(connection, [job_id])

        in_job = await self._context.database_retry(read_products)
        failure = InternalError(
            f"Weighbridge itself failed ({type(error).__name__}). The log has the details; please "
            "report it"
        )
        why = (type(failure).__name__, str(failure))
        given_up = {
            product.id: why
            for product in in_job
            if isinstance(decide(failure, product.attempts, 1, 0.0), GiveUp)
        }
        others = {product.id: why for product in in_job if product.id not in given_up}
        await self._recorder.record(Outcome(job_id, asked_alone=others, given_up=given_up))

    async def _finish_without_call(self, group: list[JobProduct], job_id: int) -> None:
        """Compute and record the footprints of products that have all answers already."""
        if not group:
            return
        finished, failed = weigh_group(self._weigher, group)
        provider = self._context.provider
        borrowed = [
            answer._replace(content_key=content_key(product, provider))
            for product in group
            for answer in product.borrowed
        ]
        await self._recorder.record(
            Outcome(job_id, borrowed=borrowed, finished=finished, given_up=failed)
        )
        say_what_happened(group, finished, given_up=failed)


def by_version(question: Question, group: list[JobProduct]) -> list[list[JobProduct]]:
    """The products that this question is still to be asked about, grouped by the version of the
    question, which depends on the earlier answers that it contains.
    """
    (step,) = question.steps
    found: dict[str, list[JobProduct]] = {}
    for product in group:
        if step not in product.answers:
            found.setdefault(question.version(product.versions), []).append(product)
    return list(found.values())
