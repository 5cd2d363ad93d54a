"""Shares one quota among the calls of all processes: a worker waits here for a permit for each
call.

`rounds.py` explains how permits are given.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.engine.quota.circuit_breaker import QueueBreaker
from weighbridge.engine.quota.limiter_feedback import LimiterFeedback
from weighbridge.engine.quota.loop_yield import wait_until_sent, wait_until_set, yield_to_loop
from weighbridge.engine.quota.permits import (
    Held,
    LookedUp,
    Permit,
    QueueStopped,
    Replied,
    Waiter,
    Waiters,
)
from weighbridge.engine.quota.rounds import ROUND_FAILURES, Rounds
from weighbridge.engine.quota.traffic import Traffic
from weighbridge.errors import (
    EmptyReply,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
)
from weighbridge.plain_text import counted
from weighbridge.providers.base import remaining_of
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.engine.quota.day_budget import DayBudget
    from weighbridge.engine.quota.permits import PermitRequest
    from weighbridge.engine.quota.reserving import Allowances, Decision
    from weighbridge.engine.quota.rounds import Round
    from weighbridge.engine.quota.spending import Spending
    from weighbridge.errors import ProviderError
    from weighbridge.store.database import Database
    from weighbridge.store.overrides import Overrides

MAX_ROUND_WAIT_S: Final = 5.0
"""Longest sleep before the quota is checked again: limits may have been raised meanwhile."""
DATABASE_RETRY_S: Final = 1.0
EXPLAINED_WAIT_S: Final = 90.0
"""A longer wait than this is published as a pause. Limits per minute make no call wait this long,
so such a wait is due to what the provider states about its own limit.
"""
_NO_REPLY: Final = (ProviderUnreachable, ProviderTimeout, ProviderOverloaded, EmptyReply)
SAID_WAIT_S: Final = 5.0
"""A limit that makes all calls wait for at least this long is logged."""
ROUNDS_BROKE: Final = 2
"""Number of rounds, a second apart, with the same amount committed, after which the budget counts
as used up: no call is giving anything back.
"""
LEAST_PAUSE_S: Final = 0.025
"""Least time between two rounds while the quota is used up: all other processes wait for each
round, and at 500 calls a second there would be one for every third call.
"""


class Governor:
    """Gives permits to the workers of this process; one per process. `run` must be running, or
    `permit` never returns.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        account: str,
        manager_id: UUID,
        random_source: random.Random,
        overrides: Overrides,
        allowances: Allowances,
        day: DayBudget,
        spending: Spending,
        scope: UUID | None = None,
        calls_at_once: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._waiters = Waiters()
        self._feedback = LimiterFeedback(clock)
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._limit = ""
        self._held_until_s = 0.0
        self._spending = spending
        self._committed_usd: float | None = None
        self._rounds_broke = 0
        self.over_budget: str | None = None
        """Why no money is left for the next call, if no call is in flight that could give some
        back; else None.
        """
        self.breaker = QueueBreaker(database, clock, random_source)
        self.traffic = Traffic()
        self._rounds = Rounds(
            database=database,
            clock=clock,
            account=account,
            manager_id=manager_id,
            overrides=overrides,
            breaker=self.breaker,
            feedback=self._feedback,
            traffic=self.traffic,
            allowances=allowances,
            scope=scope,
            day=day,
            spending=spending,
            calls_at_once=calls_at_once,
        )

    # What the worker calls ------------------------------------------------------------------

    @asynccontextmanager
    async def permit(self, request: PermitRequest) -> AsyncIterator[Permit]:
        """Context manager that waits for a permit. When its block ends, it learns from the outcome
        that the block has set in the permit.

        Requests with fewer steps left go first; on the last stretch of a run or batch those with
        most steps left do (docs/decisions/0018). No request waits for ever, because a group begins
        only when another is done.

        Raises:
            QueueStopped: the queue was stopped, or this process is draining.
            JobLost: another worker has the job.
            CallTooLarge: the call is larger than the quota of a whole minute.
        """
        permit = await self._permit(request)
        try:
            yield permit
        finally:
            self._ended(permit)

    async def report_failure(self, permit: Permit, error: ProviderError) -> None:
        """Report a call that failed: a 429 corrects the limiter, and calls without a reply may
        pause the queue.
        """
        self._spending.failed(permit, error)
        if isinstance(error, RateLimited):
            self.breaker.succeeded()
            self._feedback.refused(permit, error.retry_after_s)
            if remaining := remaining_of(error):
                self._feedback.observed(permit, remaining)
        elif isinstance(error, _NO_REPLY):
            with suppress(*DATABASE_ERRORS):
                await self.breaker.unreachable(str(error), is_billed=isinstance(error, EmptyReply))

    async def sleep(self, delay_s: float) -> None:
        """Wait before the same call is retried.

        Raises:
            QueueStopped: this process is draining.
        """
        await wait_until_set(self._drained, delay_s, self._clock)
        if self._drained.is_set():
            raise QueueStopped

    def drain(self) -> None:
        """Let no further call begin in this process."""
        self._drained.set()
        self._waiters.refuse_all(QueueStopped())
        self._wake.set()

    async def settle(self) -> None:
        """After all calls have ended, give back the committed money that they did not cost."""
        if self._spending.is_owed:
            await self._round()

    def look_again(self) -> None:
        """Check the quota soon: something has changed (configuration, start, stop)."""
        self._wake.set()

    @property
    def held(self) -> Held | None:
        """The limit that the first waiting request waits for; None while calls are sent."""
        left_s = self._held_until_s - self._clock.monotonic_s()
        return Held(self._limit, left_s) if self._limit and self._waiters and left_s > 0 else None

    # The loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run rounds for the waiting requests until cancelled."""
        try:
            while True:
                await self._wait_until_woken()
                self._wake.clear()
                while self._waiters and not self._drained.is_set():
                    wait_s = await self._round()
                    await yield_to_loop()
                    if wait_s is None:
                        break  # only a finished call or a new request changes anything
                    await self._pause(wait_s)
                if not self._waiters:
                    await self._flush_feedback()
        finally:
            self._rounds.close_connection()

    async def _wait_until_woken(self) -> None:
        """Wait until something happens, or feedback is due."""
        due_in_s = self._feedback.due_in_s
        if due_in_s is None:
            await self._wake.wait()
        else:
            await wait_until_set(self._wake, due_in_s, self._clock)

    async def _round(self) -> float | None:
        """Run one round; returns the seconds until the next, None if only a finished call or a new
        request can change anything.
        """
        try:
            committed = await self._rounds.run_round(self._waiters)
        except ROUND_FAILURES as error:
            telemetry.debug(  # `DatabaseRetry` logs it once for the whole process
                "database_unavailable",
                f"⚠️ Database unavailable ({type(error).__name__}); no calls until it is back",
            )
            return DATABASE_RETRY_S
        permits = self._carry_out(committed)
        wait_s = committed.decision.wait_s
        await self._publish_long_wait(committed)
        self._note_limit(committed.decision)
        if permits and (committed.explores or not self._feedback.arrivals_are_known):
            await wait_until_sent()
            self._feedback.sent(permits)
            if committed.explores:
                self._feedback.departed()
                return wait_s and 0.0  # the limiter may allow more once it knows
        return wait_s

    async def _publish_long_wait(self, committed: Round) -> None:
        """Publish, as the reason for a pause, that the budget or the quota makes all calls wait for
        long; or that it does no longer.
        """
        breaker, decision = self.breaker, committed.decision
        wait_s, unpaid_usd = decision.wait_s, decision.unpaid_usd
        is_broke = self._is_broke(committed)
        # Once published it stays until the next call may be sent, not only until that is near.
        least_s = SAID_WAIT_S if breaker.wait_reason else EXPLAINED_WAIT_S
        is_long = wait_s is not None and wait_s > least_s and breaker.hold is None
        if is_broke and unpaid_usd is not None:
            self.over_budget = committed.money.why_not(unpaid_usd, self._spending.model)
        else:
            self.over_budget = None
        if (is_long or is_broke) == (breaker.wait_reason is not None):
            return
        reason = _provider_limit_reason(wait_s) if is_long and wait_s else None
        breaker.wait_reason = self.over_budget or reason
        with suppress(*DATABASE_ERRORS):
            await breaker.publish()

    def _is_broke(self, committed: Round) -> bool:
        """Whether the budget has no room for the next call, and no call of any process will give
        money back.
        """
        budget = committed.money.narrowest
        if committed.decision.unpaid_usd is None or budget is None or self.traffic.in_flight:
            self._committed_usd, self._rounds_broke = None, 0
            return False
        is_still = budget.committed_usd == self._committed_usd
        self._rounds_broke = self._rounds_broke + 1 if is_still else 0
        self._committed_usd = budget.committed_usd
        return self._rounds_broke >= ROUNDS_BROKE

    def _note_limit(self, decision: Decision) -> None:
        """Note which limit the calls wait for, and log it once if the wait is long."""
        was_held = self.held
        wait_s = decision.wait_s if decision.limit else None
        self._limit = decision.limit
        self._held_until_s = self._clock.monotonic_s() + (wait_s or 0.0)
        is_long = wait_s is not None and wait_s >= SAID_WAIT_S
        if is_long and wait_s and (was_held is None or was_held.limit != decision.limit):
            telemetry.info(
                "held_by_limit",
                f"⏳ Waiting {wait_s:.0f} s because of the {decision.limit}; {counted(len(self._waiters), 'call')} queued",
                limit=decision.limit,
                wait_s=round(wait_s, 1),
                waiting=len(self._waiters),
            )

    async def _pause(self, wait_s: float) -> None:
        """Sleep until the next round, or until something happens that may allow a permit
        earlier.
        """
        if wait_s <= 0:
            return
        await self._clock.sleep(LEAST_PAUSE_S)
        if wait_s > LEAST_PAUSE_S:
            left_s = min(wait_s, MAX_ROUND_WAIT_S) - LEAST_PAUSE_S
            await wait_until_set(self._wake, left_s, self._clock)
        self._wake.clear()

    async def _flush_feedback(self) -> None:
        """Store feedback and the number of calls in flight for the other processes, while no
        request waits: a round for waiting requests does so by itself.
        """
        if self._feedback.is_due:
            await self._round()
        try:
            await self._rounds.note_calls()
        except ROUND_FAILURES:
            await self._clock.sleep(DATABASE_RETRY_S)
            self._wake.set()

    async def _permit(self, request: PermitRequest) -> Permit:
        """Wait until a round gives the permit.

        Raises QueueStopped, JobLost or CallTooLarge if none will be given.
        """
        if self._drained.is_set():
            raise QueueStopped
        waiter = Waiter(request, self._clock.monotonic_s())
        self._waiters.add(waiter, request.steps_left)
        self._wake.set()
        try:
            permit = await waiter.ready
        except asyncio.CancelledError:
            if given := self._waiters.withdraw(waiter):
                self._spending.not_sent(given)
                self._ended(given)
            raise
        # At once, not with the reply: there may be none, and this process may die before.
        self._feedback.sent([permit])
        return permit

    def _carry_out(self, committed: Round) -> list[Permit]:
        """Give the waiting requests what a round has decided; returns the permits that they
        took.
        """
        for permit, reservation in committed.moved.items():
            permit.reservation = reservation
        if not committed.is_running:
            self._waiters.refuse_all(QueueStopped())
        for waiter, why in committed.decision.refusals:
            self._waiters.refuse(waiter, why)
        permits = []
        for waiter, call, reservation, allowance, is_probe, most_usd in committed.decision.selected:
            waited_s = self._clock.monotonic_s() - waiter.since_s
            permit = Permit(call, reservation, allowance, waited_s, is_probe, committed.began_s)
            permit.committed_usd, permit.spans = most_usd, committed.money.spans
            # Cancelled during the round: the reservation lapses after a minute.
            if self._waiters.give(waiter, permit):
                self._begun(permit)
                permits.append(permit)
            else:
                self._spending.not_sent(permit)
        return permits

    def _begun(self, permit: Permit) -> None:
        """Count a call that got its permit as in flight."""
        self.traffic.began(permit.cost)
        self._feedback.began(permit)
        if permit.is_probe:
            self.breaker.probe_sent()

    def _ended(self, permit: Permit) -> None:
        """Learn from the outcome of a call, and count it as ended."""
        self.traffic.ended()
        if permit.is_probe:
            self.breaker.probe_ended()
        match permit.outcome:
            case Replied(actual, latency_s, processing_s, remaining, cost_usd):
                self._spending.replied(permit, cost_usd)
                self.traffic.took(latency_s)
                self.breaker.succeeded()
                self._feedback.replied(permit, actual, latency_s, processing_s)
                self._feedback.observed(permit, remaining)
            case LookedUp():  # the provider answers; but this shows nothing about calls
                self.breaker.succeeded()
            case None:
                self._feedback.unanswered(permit)
        self._feedback.ended(permit)
        self._wake.set()


def _provider_limit_reason(wait_s: float) -> str:
    """The reason for a long wait, for the operator."""
    hours = wait_s / 3600
    span = f"{hours:.1f} h" if hours >= 1 else f"{wait_s / 60:.0f} min"
    return (
        f"The provider says that its rate limit is used up; the next call can be sent in about "
        f"{span}."
    )
