"""What becomes of a call without a reply: `limits.retries.decide` says it, here it is done.

Wait and ask again, ask smaller groups, give products up, or stop the queue.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from weighbridge.engine.admission import QueueStopped
from weighbridge.engine.recorder import Outcome
from weighbridge.engine.reports import say_failed_call, say_stopped, say_what_happened
from weighbridge.errors import (
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestTooLarge,
)
from weighbridge.limits.refusals import RefusalWatch
from weighbridge.limits.retries import GiveUp, Retry, Split, StopQueue, Wait, decide
from weighbridge.providers.base import remaining_of
from weighbridge.store import stopping
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from weighbridge.engine.admission import Admission
    from weighbridge.engine.attempt import Attempt
    from weighbridge.engine.governor import Governor
    from weighbridge.engine.members import Member
    from weighbridge.engine.recorder import Recorder
    from weighbridge.engine.workbench import Workbench
    from weighbridge.limits.refusals import Refused
    from weighbridge.limits.retries import Action
    from weighbridge.steps import Question
    from weighbridge.store.calls import CallRecord


class Failures:
    """One per process."""

    def __init__(self, bench: Workbench, recorder: Recorder) -> None:
        self._bench = bench
        self._recorder = recorder
        self.refusals = RefusalWatch()

    async def after(self, attempt: Attempt, error: ProviderError, failures: int) -> set[int]:
        """Do what the table says; returns the products that left. None of them: try the same call again."""
        latency_s = self._bench.clock.monotonic_s() - attempt.started_s
        call = attempt.unanswered(self._bench.provider, latency_s, error)
        say_failed_call(attempt.job_id, error)
        await tell_governor(self._bench.governor, attempt.admission, error)
        refused = self._refused(attempt, error)
        action = decide(
            error, failures, len(attempt.group), self._bench.random_source.random(), refused
        )
        if isinstance(action, GiveUp) and self.asks_less(attempt.question, attempt.group, error):
            await self._recorder.record(Outcome(attempt.job_id, call=call))
            self.refusals.forget(attempt.job_id)
            return set()
        match action:
            case Wait(delay_s) | Retry(delay_s):
                await self._recorder.record(Outcome(attempt.job_id, call=call))
                await self._bench.governor.sleep(delay_s)
                return set()
            case StopQueue(reason):
                await self._recorder.record(Outcome(attempt.job_id, call=call))
                await self.stop_queue(reason)
                raise QueueStopped
            case _:
                return await self._disperse(attempt.group, attempt.job_id, call, error, action)

    async def unsent(self, group: list[Member], job_id: int, error: RequestTooLarge) -> set[int]:
        """The same for a call larger than a whole minute's quota, which never left; returns the products that left."""
        action = decide(error, 0, len(group), self._bench.random_source.random())
        return await self._disperse(group, job_id, None, error, action)

    def asks_less(self, question: Question, group: list[Member], error: ProviderError) -> bool:
        """Whether a call that was too large even for one product can be put in parts; it will be."""
        too_large = isinstance(error, RequestTooLarge | RateLimited)
        if not too_large or len(group) > 1 or question is not self._bench.questions.together:
            return False
        group[0].step_by_step = True
        return True

    def _refused(self, attempt: Attempt, error: ProviderError) -> Refused | None:
        if not isinstance(error, RateLimited):
            self.refusals.forget(attempt.job_id)
            return None
        remaining = remaining_of(error)
        stated_limit = remaining.tokens_limit if remaining else None
        return self.refusals.refused(attempt.job_id, attempt.admission.cost.tokens, stated_limit)

    async def _disperse(
        self,
        group: list[Member],
        job_id: int,
        call: CallRecord | None,
        error: ProviderError,
        action: Action,
    ) -> set[int]:
        """The group cannot go on together: halves, or each alone, so that only the product at fault fails."""
        ids = [m.id for m in group]
        if isinstance(action, Split):
            middle = len(ids) // 2
            halves = [half for half in (ids[:middle], ids[middle:]) if half]
            await self._recorder.record(Outcome(job_id, call=call, split=halves))
            return set(ids)
        reason = action.reason if isinstance(action, GiveUp) else str(error)
        why = dict.fromkeys(ids, (type(error).__name__, reason))
        alone, given_up = (why, {}) if len(group) > 1 else ({}, why)
        await self._recorder.record(
            Outcome(job_id, call=call, asked_alone=alone, given_up=given_up)
        )
        say_what_happened(group, asked_alone=alone, given_up=given_up)
        return set(ids)

    async def stop_queue(self, reason: str) -> None:
        """Every product goes back to `pending`: those that nobody has begun now, the others as they stop."""

        async def write() -> bool:
            async with self._bench.database.transaction() as connection:
                was_running, _ = await stopping.stop(connection, reason)
                return was_running

        if await self._bench.patience(write):
            say_stopped(reason)


async def tell_governor(governor: Governor, admission: Admission, error: ProviderError) -> None:
    """A refusal corrects what is known of the quota; no usable reply at all may be the beginning of an outage."""
    if isinstance(error, RateLimited):
        governor.refused(admission, error.retry_after_s)
        if remaining := remaining_of(error):
            governor.observe(admission, remaining)
    elif isinstance(error, ProviderUnreachable | ProviderTimeout | ProviderOverloaded):
        with suppress(*DATABASE_ERRORS):
            await governor.outages.unreachable(str(error))
