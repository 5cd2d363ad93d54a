"""Handles calls without a usable reply as `limits.retries` decides: waits and retries, asks about
smaller groups, gives products up, or stops the queue.
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
    """Handles calls without a usable reply; one per process. `spent` is shared with the judge."""

    def __init__(self, context: EngineContext, recorder: Recorder, spent: TimeSpent) -> None:
        self._context = context
        self._spent = spent
        self._recorder = recorder
        self.refusals = RefusalWatch()
        self.stuck_calls = StuckCalls()

    async def after(self, in_flight: InFlightCall, error: ProviderError, failures: int) -> set[int]:
        """Handle a call that failed with `error`, as it did `failures` times before.

        Returns the ids of the products that left the group; if there are none, the caller retries.
        """
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        call = in_flight.unanswered(self._context.provider, latency_s, error)
        await self._context.governor.report_failure(in_flight.permit, error)
        if isinstance(error, RateLimited) and error.is_about_day:
            with suppress(*DATABASE_ERRORS):
                await self._context.brake.hold_until_day_limit_resets(error)
        refused = self._refusal_history(in_flight, error)
        history = self._stuck_history(in_flight, error)
        is_stuck = await self._is_stuck(error, failures)
        if is_stuck:  # else the provider may be down, which is no product's fault
            self._spent.add((product.id for product in in_flight.group), latency_s)
        action = decide(
            error,
            failures,
            len(in_flight.group),
            self._context.random_source.random(),
            refused,
            is_stuck=is_stuck,
            had_more_time=in_flight.request.time_factor > 1,
            unanswered=await self._history_if_server_is_up(history, in_flight),
        )
        action = await self._adjusted(action, in_flight, error, history)
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
                self._make_easier(in_flight.group[0], error, action)
                return set()
            case StopQueue(reason):
                await self._record(in_flight, call)
                await self.stop_queue(reason)
                raise QueueStopped
            case _:
                with self._context.brake.in_doubt():
                    gone = await self._break_up(
                        in_flight.group, in_flight.job_id, call, error, action
                    )
                    await self._tell_brake(gone, error)
                return gone

    async def _adjusted(
        self,
        action: Action,
        in_flight: InFlightCall,
        error: ProviderError,
        history: StuckHistory | None,
    ) -> Action:
        """The action, changed where the settings or the state of the queue require another."""
        if isinstance(action, DropPicture) and self._context.picture_required:
            action = GiveUp(str(error))
        if isinstance(action, GiveUp) and self._context.brake.is_on and is_refusal(error):
            return AskAlone()  # a probe must not fail a product
        is_suspect = history is not None and history.is_suspect
        if isinstance(action, Wait) and isinstance(error, EmptyReply) and not is_suspect:
            reason = await self._why_stop_paying(in_flight, error)
            return StopQueue(reason) if reason else action
        return action

    async def _record(self, in_flight: InFlightCall, call: CallRecord) -> None:
        """Record the call, and what it cost for each product if its reply was empty but billed; the
        products stay in the group.
        """
        wasted = cost_shares_usd(in_flight.group, call)
        for product in in_flight.group if wasted else ():
            spent_usd = product.stored.spent_usd + wasted[product.id]
            product.stored = replace(product.stored, spent_usd=spent_usd)
        await self._recorder.record(Outcome(in_flight.job_id, call=call, wasted_usd=wasted))

    async def _wait_if_blocked_alone(
        self, in_flight: InFlightCall, call: CallRecord, error: RequestBlocked, delay_s: float
    ) -> set[int]:
        """Record a call that a firewall blocked, and wait for the retry; returns the ids of the
        products that left the group.

        The brake counts each such call: a firewall that blocks everything is no product's fault.
        """
        product_ids = {product.id for product in in_flight.group}
        with self._context.brake.in_doubt():
            await self._record(in_flight, call)
            await self._tell_brake(product_ids, error)
        if self._context.brake.is_on:
            return product_ids  # they are pending again
        await self._context.governor.sleep(delay_s)
        return set()

    async def _why_stop_paying(self, in_flight: InFlightCall, error: EmptyReply) -> str | None:
        """Why the queue must stop, for the operator, if too many probes in a row were billed for
        empty replies; else None.
        """
        since = self._context.governor.breaker.empty_replies_began_at
        if since is None:
            return None
        provider = self._context.provider.name
        with suppress(*DATABASE_ERRORS):
            async with self._context.database.pool.acquire() as connection:
                if await holds.has_passed(connection, provider, since):
                    return None  # it answers other workers
            asked = ", ".join(product.code for product in in_flight.group)
            return (
                f"Every reply of the last minutes was empty, and was billed: {error} The last call "
                f"was about {asked}. These products are pending again, not failed. Check the model "
                "and the server, then start the queue again."
            )
        return None

    def _make_easier(self, product: JobProduct, error: ProviderError, action: Action) -> None:
        """Give the next call about this product more time, or leave its pictures out."""
        if isinstance(action, MoreTime):
            product.time_factor = TIME_FACTOR
            return
        product.without_picture = str(error)
        say_without_picture(product.code, error)

    async def _is_stuck(self, error: ProviderError, timeouts: int) -> bool:
        """Whether the call timed out often enough although the server answers other requests.

        `timeouts` is how often it timed out before.
        """
        provider = self._context.provider
        enough = 0 if provider.is_local else TIMEOUTS_BEFORE_STUCK
        if not isinstance(error, ProviderTimeout) or timeouts < enough:
            return False
        return await provider.is_alive()

    async def _tell_brake(self, product_ids: set[int], error: ProviderError) -> None:
        """Report a refused call to the brake, and stop the queue if the brake says so."""
        if not is_refusal(error):
            return
        with suppress(*DATABASE_ERRORS):
            reason = await self._context.brake.failed(sorted(product_ids), str(error))
            if reason is not None:
                await self.stop_queue(reason)

    async def unsent(
        self, group: list[JobProduct], job_id: int, error: RequestTooLarge | InputError
    ) -> set[int]:
        """Handle a call that could not be sent: it is larger than the quota of a whole minute, or a
        required picture is missing. Returns the ids of the products that left the group: all.
        """
        action = decide(error, 0, len(group), self._context.random_source.random())
        return await self._break_up(group, job_id, None, error, action)

    def make_smaller(
        self,
        question: Question,
        group: list[JobProduct],
        error: ProviderError,
        *,
        has_pictures: bool,
    ) -> bool:
        """After a call about one product that was too large: let it be asked step by step or, if it
        is already, without its pictures.

        Returns whether the next call will be smaller.
        """
        if not isinstance(error, RequestTooLarge | RateLimited) or len(group) > 1:
            return False
        if question is self._context.questions.together:
            group[0].step_by_step = True
            return True
        if not has_pictures or self._context.picture_required:
            return False
        self._make_easier(group[0], error, DropPicture())
        return True

    def _refusal_history(
        self, in_flight: InFlightCall, error: ProviderError
    ) -> RefusalHistory | None:
        """Count a 429 and return the call's history of them; None for any other error."""
        if not isinstance(error, RateLimited):
            self.refusals.forget(in_flight.job_id)
            return None
        remaining = remaining_of(error)
        stated_limit = remaining.tokens_limit if remaining else None
        return self.refusals.refused(in_flight.job_id, in_flight.permit.cost.tokens, stated_limit)

    def _stuck_history(self, in_flight: InFlightCall, error: ProviderError) -> StuckHistory | None:
        """Count a call that got no usable reply, and return its history of them; None for other
        kinds of error.
        """
        if policy_of(error) is not Policy.WAIT:
            self.stuck_calls.forget(in_flight.job_id)
            return None
        ids = [product.id for product in in_flight.group]
        is_billed = isinstance(error, EmptyReply)
        return self.stuck_calls.failed(in_flight.job_id, ids, is_billed=is_billed)

    async def _history_if_server_is_up(
        self, history: StuckHistory | None, in_flight: InFlightCall
    ) -> StuckHistory | None:
        """The history, if it shows that the call is stuck and the server is up; else None."""
        if history is None or not history.is_stuck(in_company=len(in_flight.group) > 1):
            return None
        return history if await self._context.provider.is_alive() else None

    def passed(self, in_flight: InFlightCall) -> None:
        """Note that the call got a reply."""
        self.refusals.passed(in_flight.job_id, in_flight.permit.cost.tokens)
        self.stuck_calls.passed(in_flight.job_id, [product.id for product in in_flight.group])

    def forget(self, job_id: int) -> None:
        """Forget the failures of a job that has ended."""
        self.refusals.forget(job_id)
        self.stuck_calls.forget(job_id)

    async def _break_up(
        self,
        group: list[JobProduct],
        job_id: int,
        call: CallRecord | None,
        error: ProviderError | InputError,
        action: Action,
    ) -> set[int]:
        """Record how the group continues in smaller jobs, or that its product has failed; returns
        the ids of all its products.
        """
        outcome = break_up(job_id, [product.id for product in group], error, action)
        wasted = cost_shares_usd(group, call)
        await self._recorder.record(outcome._replace(call=call, wasted_usd=wasted))
        self._spent.forget(outcome.given_up)
        say_what_happened(group, asked_alone=outcome.asked_alone, given_up=outcome.given_up)
        return {product.id for product in group}

    async def stop_queue(self, reason: str) -> None:
        """Stop the queue and log the reason. Products of jobs that have not begun return to
        `pending` now, the others as their jobs stop.
        """

        async def store_stop() -> bool:
            async with self._context.database.transaction() as connection:
                was_running, _ = await stopping.stop(connection, reason)
                return was_running

        if await self._context.database_retry(store_stop):
            say_stopped(reason)


def cost_shares_usd(group: Sequence[JobProduct], call: CallRecord | None) -> dict[int, float]:
    """The equal share of each product, by id, in the cost of a call; empty if it cost nothing."""
    usd = call.cost_usd / len(group) if call and group else 0.0
    return {product.id: usd for product in group} if usd else {}


def is_refusal(error: ProviderError) -> bool:
    """Whether the provider refused the call, be it for the products' fault or its own."""
    return type(error).__name__ in REFUSALS


def break_up(
    job_id: int, ids: Sequence[int], error: ProviderError | InputError, action: Action
) -> Outcome:
    """How a group continues after `action`: in halves, with each product alone, or failed.

    Only a single product can fail; the products of a group are first asked about alone.
    """
    if isinstance(action, Split):
        middle = len(ids) // 2
        return Outcome(job_id, split=[half for half in (ids[:middle], ids[middle:]) if half])
    reason = action.reason if isinstance(action, GiveUp) else str(error)
    why = dict.fromkeys(ids, (type(error).__name__, reason))
    is_asked = len(ids) > 1 or isinstance(action, AskAlone)
    return Outcome(job_id, asked_alone=why) if is_asked else Outcome(job_id, given_up=why)
