"""Calls without a reply: `limits.retries` decides what to do, this module does it.

Wait and retry, ask smaller groups, give products up, or stop the queue.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.engine.jobs.recorder import Outcome
from weighbridge.engine.jobs.reports import (
    say_failed_call,
    say_stopped,
    say_what_happened,
    say_without_picture,
)
from weighbridge.engine.quota.permits import QueueStopped
from weighbridge.errors import (
    EmptyReply,
    InputError,
    ProviderError,
    ProviderTimeout,
    RateLimited,
    RequestBlocked,
    RequestTooLarge,
)
from weighbridge.limits.alike import REFUSALS
from weighbridge.limits.refusals import RefusalWatch
from weighbridge.limits.retries import (
    TIME_FACTOR,
    TIMEOUTS_BEFORE_STUCK,
    AskAlone,
    DropPicture,
    GiveUp,
    MoreTime,
    Policy,
    Split,
    StopQueue,
    Wait,
    decide,
    policy_of,
)
from weighbridge.limits.stuck_calls import StuckCalls
from weighbridge.providers.base import remaining_of
from weighbridge.store import holds, stopping
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.in_flight_call import InFlightCall
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.jobs.recorder import Recorder
    from weighbridge.limits.refusals import RefusalHistory
    from weighbridge.limits.retries import Action
    from weighbridge.limits.stuck_calls import StuckHistory
    from weighbridge.limits.time_spent import TimeSpent
    from weighbridge.steps import Question
    from weighbridge.store.calls import CallRecord


class Failures:
    """One per process."""

    def __init__(self, context: EngineContext, recorder: Recorder, spent: TimeSpent) -> None:
        self._context = context
        self._spent = spent
        self._recorder = recorder
        self.refusals = RefusalWatch()
        self.stuck_calls = StuckCalls()

    async def after(self, in_flight: InFlightCall, error: ProviderError, failures: int) -> set[int]:
        """Do what the table says; returns the products that left the group.

        None: retry the same call.
        """
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        call = in_flight.unanswered(self._context.provider, latency_s, error)
        await self._context.governor.report_failure(in_flight.permit, error)
        if isinstance(error, RateLimited) and error.is_about_day:
            with suppress(*DATABASE_ERRORS):
                await self._context.brake.day_is_over(error)
        refused, history = self._refused(in_flight, error), self._history(in_flight, error)
        is_stuck = await self._is_stuck(error, failures)
        if is_stuck:  # else the provider may be away, which is no product's fault
            self._spent.add((product.id for product in in_flight.group), latency_s)
        action = decide(
            error,
            failures,
            len(in_flight.group),
            self._context.random_source.random(),
            refused,
            is_stuck=is_stuck,
            had_more_time=in_flight.request.time_factor > 1,
            unanswered=await self._alone(history, in_flight),
        )
        action = await self._reconsidered(action, in_flight, error, history)
        say_failed_call(in_flight.job_id, error, action)
        if isinstance(action, GiveUp) and self.make_smaller(
            in_flight.question,
            in_flight.group,
            error,
            has_pictures=bool(in_flight.request.image_urls),
        ):
            await self._record(in_flight, call)
            self.refusals.forget(in_flight.job_id)
            return set()
        match action:
            case Wait(delay_s) if isinstance(error, RequestBlocked):
                return await self._wait_if_blocked_alone(in_flight, call, error, delay_s)
            case Wait(delay_s):
                await self._record(in_flight, call)
                await self._context.governor.sleep(delay_s)
                return set()
            case MoreTime() | DropPicture():
                await self._record(in_flight, call)
                self._ease(in_flight.group[0], error, action)
                return set()
            case StopQueue(reason):
                await self._record(in_flight, call)
                await self.stop_queue(reason)
                raise QueueStopped
            case _:
                with self._context.brake.in_doubt():
                    gone = await self._disperse(
                        in_flight.group, in_flight.job_id, call, error, action
                    )
                    await self._tell_brake(gone, error)
                return gone

    async def _reconsidered(
        self,
        action: Action,
        in_flight: InFlightCall,
        error: ProviderError,
        history: StuckHistory | None,
    ) -> Action:
        """What settings and the state of the queue make of it."""
        if isinstance(action, DropPicture) and self._context.picture_required:
            action = GiveUp(str(error))
        if isinstance(action, GiveUp) and self._context.brake.is_on and is_refusal(error):
            return AskAlone()  # a probe fails no product, not even for a moment
        is_suspect = history is not None and history.is_suspect
        if isinstance(action, Wait) and isinstance(error, EmptyReply) and not is_suspect:
            reason = await self._paid_in_vain(in_flight, error)
            return StopQueue(reason) if reason else action
        return action

    async def _record(self, in_flight: InFlightCall, call: CallRecord) -> None:
        """The call alone: its products stay. An empty completion was paid for, by all of them."""
        wasted = shares(in_flight.group, call)
        for product in in_flight.group if wasted else ():
            spent_usd = product.stored.spent_usd + wasted[product.id]
            product.stored = replace(product.stored, spent_usd=spent_usd)
        await self._recorder.record(Outcome(in_flight.job_id, call=call, wasted_usd=wasted))

    async def _wait_if_blocked_alone(
        self, in_flight: InFlightCall, call: CallRecord, error: RequestBlocked, delay_s: float
    ) -> set[int]:
        """A firewall that blocks everything is no product's fault: the brake sees each call."""
        product_ids = {product.id for product in in_flight.group}
        with self._context.brake.in_doubt():
            await self._record(in_flight, call)
            await self._tell_brake(product_ids, error)
        if self._context.brake.is_on:
            return product_ids  # they are pending again
        await self._context.governor.sleep(delay_s)
        return set()

    async def _paid_in_vain(self, in_flight: InFlightCall, error: EmptyReply) -> str | None:
        """Why the queue has to stop, where every probe is billed and brings nothing."""
        since = self._context.governor.breaker.pays_in_vain_since
        if since is None:
            return None
        provider = self._context.provider.name
        with suppress(*DATABASE_ERRORS):
            async with self._context.database.pool.acquire() as connection:
                if await holds.has_passed(connection, provider, since):
                    return None  # it answers other workers
            asked = ", ".join(product.code for product in in_flight.group)
            return (
                f"Every reply of the last minutes was empty, and paid for: {error} The last call "
                f"was about {asked}. No product has failed for it; they are pending again. Check "
                "the model and the server, then start the queue again."
            )
        return None

    def _ease(self, product: JobProduct, error: ProviderError, action: Action) -> None:
        """Make the next call about this product an easier one."""
        if isinstance(action, MoreTime):
            product.time_factor = TIME_FACTOR
            return
        product.without_picture = str(error)
        say_without_picture(product.code, error)

    async def _is_stuck(self, error: ProviderError, timeouts: int) -> bool:
        """Whether the server is there, and only this call is too much for it."""
        provider = self._context.provider
        enough = 0 if provider.is_local else TIMEOUTS_BEFORE_STUCK
        if not isinstance(error, ProviderTimeout) or timeouts < enough:
            return False
        return await provider.is_alive()

    async def _tell_brake(self, product_ids: set[int], error: ProviderError) -> None:
        """Refusals of everything alike are not the products' fault."""
        if not is_refusal(error):
            return
        with suppress(*DATABASE_ERRORS):
            reason = await self._context.brake.failed(sorted(product_ids), str(error))
            if reason is not None:
                await self.stop_queue(reason)

    async def unsent(
        self, group: list[JobProduct], job_id: int, error: RequestTooLarge | InputError
    ) -> set[int]:
        """The same for a call that was never sent: larger than a whole minute's quota, or without
        the picture that it needs.
        """
        action = decide(error, 0, len(group), self._context.random_source.random())
        return await self._disperse(group, job_id, None, error, action)

    def make_smaller(
        self,
        question: Question,
        group: list[JobProduct],
        error: ProviderError,
        *,
        has_pictures: bool,
    ) -> bool:
        """Where a call about one product was too large: ask step by step from now on, then without
        its pictures.

        Returns False where neither would change anything, or pictures are required.
        """
        if not isinstance(error, RequestTooLarge | RateLimited) or len(group) > 1:
            return False
        if question is self._context.questions.together:
            group[0].step_by_step = True
            return True
        if not has_pictures or self._context.picture_required:
            return False
        self._ease(group[0], error, DropPicture())
        return True

    def _refused(self, in_flight: InFlightCall, error: ProviderError) -> RefusalHistory | None:
        if not isinstance(error, RateLimited):
            self.refusals.forget(in_flight.job_id)
            return None
        remaining = remaining_of(error)
        stated_limit = remaining.tokens_limit if remaining else None
        return self.refusals.refused(in_flight.job_id, in_flight.permit.cost.tokens, stated_limit)

    def _history(self, in_flight: InFlightCall, error: ProviderError) -> StuckHistory | None:
        """What is known about a call without a usable reply."""
        if policy_of(error) is not Policy.WAIT:
            self.stuck_calls.forget(in_flight.job_id)
            return None
        ids = [product.id for product in in_flight.group]
        is_billed = isinstance(error, EmptyReply)
        return self.stuck_calls.failed(in_flight.job_id, ids, is_billed=is_billed)

    async def _alone(
        self, history: StuckHistory | None, in_flight: InFlightCall
    ) -> StuckHistory | None:
        """The history, where the server is up and the call may be the only one that fails."""
        if history is None or not history.is_stuck(in_company=len(in_flight.group) > 1):
            return None
        return history if await self._context.provider.is_alive() else None

    def passed(self, in_flight: InFlightCall) -> None:
        """The call got a reply."""
        self.refusals.passed(in_flight.job_id, in_flight.permit.cost.tokens)
        self.stuck_calls.passed(in_flight.job_id, [product.id for product in in_flight.group])

    def forget(self, job_id: int) -> None:
        """The job has ended."""
        self.refusals.forget(job_id)
        self.stuck_calls.forget(job_id)

    async def _disperse(
        self,
        group: list[JobProduct],
        job_id: int,
        call: CallRecord | None,
        error: ProviderError | InputError,
        action: Action,
    ) -> set[int]:
        """Break the group up, so that only the product at fault fails; returns all its products."""
        outcome = break_up(job_id, [product.id for product in group], error, action)
        wasted = shares(group, call)
        await self._recorder.record(outcome._replace(call=call, wasted_usd=wasted))
        self._spent.forget(outcome.given_up)
        say_what_happened(group, asked_alone=outcome.asked_alone, given_up=outcome.given_up)
        return {product.id for product in group}

    async def stop_queue(self, reason: str) -> None:
        """Return every product to `pending`: those that nobody has begun now, the others as their
        jobs stop.
        """

        async def write() -> bool:
            async with self._context.database.transaction() as connection:
                was_running, _ = await stopping.stop(connection, reason)
                return was_running

        if await self._context.database_retry(write):
            say_stopped(reason)


def shares(group: Sequence[JobProduct], call: CallRecord | None) -> dict[int, float]:
    """What each product has paid for a call that brought nothing."""
    usd = call.cost_usd / len(group) if call and group else 0.0
    return {product.id: usd for product in group} if usd else {}


def is_refusal(error: ProviderError) -> bool:
    """Whether it may be the fault of the products or of the provider."""
    return type(error).__name__ in REFUSALS


def break_up(
    job_id: int, ids: Sequence[int], error: ProviderError | InputError, action: Action
) -> Outcome:
    """How a group that cannot stay together continues: in halves, each product alone, or failed.

    A group never fails as a whole: each product is first asked alone.
    """
    if isinstance(action, Split):
        middle = len(ids) // 2
        return Outcome(job_id, split=[half for half in (ids[:middle], ids[middle:]) if half])
    reason = action.reason if isinstance(action, GiveUp) else str(error)
    why = dict.fromkeys(ids, (type(error).__name__, reason))
    is_asked = len(ids) > 1 or isinstance(action, AskAlone)
    return Outcome(job_id, asked_alone=why) if is_asked else Outcome(job_id, given_up=why)
