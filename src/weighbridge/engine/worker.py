"""One job: a group of products goes through the steps in order; what is answered already is skipped.

`asking` gets a reply to each question, `judging` decides what is kept of it, `failures` what happens without one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from weighbridge.engine.admission import JobLost, QueueStopped
from weighbridge.engine.asking import Asker
from weighbridge.engine.earlier_calls import EarlierCalls
from weighbridge.engine.failures import Failures
from weighbridge.engine.finishing import Finisher
from weighbridge.engine.judging import Judge
from weighbridge.engine.members import Member, load_groups
from weighbridge.engine.recorder import Outcome, Recorder
from weighbridge.engine.reports import (
    say_begun,
    say_crashed,
    say_ended,
    say_lost,
    say_what_happened,
)
from weighbridge.engine.together import Together
from weighbridge.errors import ProviderError
from weighbridge.limits.retries import MAX_ATTEMPTS, StopQueue, decide
from weighbridge.store import products

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.engine.workbench import Workbench
    from weighbridge.steps import Question
    from weighbridge.store.products import StoredProduct

LOADED_TOGETHER: Final = 256
"""Groups read in one go."""


class Worker:
    """Runs jobs. One per process; any number of jobs at a time."""

    def __init__(
        self, bench: Workbench, factors: FactorTable, *, fetches_replies: bool = False
    ) -> None:
        self._bench = bench
        self._finisher = Finisher(factors, bench.provider)
        self._recorder = Recorder(bench.database, bench.patience, bench.manager_id)
        self._load_together = Together(self._load_groups, LOADED_TOGETHER)
        self._judge = Judge(bench, self._finisher, self._recorder)
        self._failures = Failures(bench, self._recorder)
        self._earlier = EarlierCalls(bench) if fetches_replies else None
        self._asker = Asker(bench, self._judge, self._failures, self._earlier)

    async def work(self, job_id: int) -> None:
        """Take the group as far as it goes. Never raises but for cancellation."""
        try:
            await self._work(job_id)
        except QueueStopped:
            await self._recorder.release(job_id)
        except JobLost:
            say_lost(job_id)
        except Exception as error:  # noqa: BLE001 - the one place: nothing may kill the worker
            say_crashed(job_id, error)
            with suppress(JobLost):
                await self._bury(job_id, error)
        finally:
            self._failures.refusals.forget(job_id)

    async def _work(self, job_id: int) -> None:
        group = await self._load_together(job_id)
        if self._earlier and await self._fetch(self._earlier, group, job_id):
            group = await self._load_together(job_id)
        if not group:
            return
        say_begun(job_id, len(group))
        # Those whose every answer is held already: a crash came between the last answer and the footprint,
        # or only something changed that the model is not asked about.
        answered = [m for m in group if self._bench.questions.are_answered(m.answers)]
        await self._finish_without_call(answered, job_id)
        group = [m for m in group if m not in answered]
        tokens = 0
        for question in self._bench.questions.alone:
            for unanswered in _by_version(question, group):
                gone, used = await self._asker.ask(question, unanswered, job_id)
                tokens += used
                group = [m for m in group if m.id not in gone]
        say_ended(job_id, tokens)

    async def _load_groups(self, job_ids: Sequence[int]) -> list[list[Member]]:
        async def read() -> list[list[Member]]:
            async with self._bench.database.pool.acquire() as connection:
                return await load_groups(
                    connection,
                    job_ids,
                    self._bench.questions,
                    simulated=self._bench.provider.simulated,
                )

        return await self._bench.patience(read)

    async def _fetch(self, earlier: EarlierCalls, group: list[Member], job_id: int) -> bool:
        """Put on record what a worker that died has paid for these products; whether anything is new."""
        calls = await earlier.about(group)
        for call in calls:
            try:
                found = await earlier.fetch(call, job_id)
            except ProviderError as error:
                action = decide(error, 0, 1, self._bench.random_source.random())
                if not isinstance(action, StopQueue):
                    raise
                await self._failures.stop_queue(action.reason)
                raise QueueStopped from error
            if found:
                await self._judge.take(*found)
        return bool(calls)

    async def _bury(self, job_id: int, error: Exception) -> None:
        """A crash of ours counts as an attempt of each product, alone, so that one cannot stop the rest."""

        async def read() -> list[StoredProduct]:
            async with self._bench.database.pool.acquire() as connection:
                return await products.load_members(connection, [job_id])

        members = await self._bench.patience(read)
        why = ("InternalError", f"Weighbridge itself failed ({type(error).__name__}); see the log")
        tired = {m.id: why for m in members if m.attempts >= MAX_ATTEMPTS}
        others = {m.id: why for m in members if m.id not in tired}
        await self._recorder.record(Outcome(job_id, asked_alone=others, given_up=tired))

    async def _finish_without_call(self, group: list[Member], job_id: int) -> None:
        if not group:
            return
        finished, failed = self._finisher.finish(group)
        await self._recorder.record(Outcome(job_id, finished=finished, given_up=failed))
        say_what_happened(group, finished, given_up=failed)


def _by_version(question: Question, group: list[Member]) -> list[list[Member]]:
    """Those without an answer, apart where earlier answers are from different questions: they make another one of this."""
    (step,) = question.steps
    found: dict[str, list[Member]] = {}
    for member in group:
        if step not in member.answers:
            found.setdefault(question.version(member.versions), []).append(member)
    return list(found.values())
