"""Shares one quota among all calls of all processes: a worker waits here for a permit for each
call.

`rounds.py` explains how permits come about.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.engine.quota.circuit_breaker import QueueBreaker
from weighbridge.engine.quota.limiter_feedback import LimiterFeedback
from weighbridge.engine.quota.loop_yield import until, until_sent, yield_to_loop
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
"""Longer than any limit of a minute makes a call wait: this comes from what the provider says of
its own limit.
"""
_NO_REPLY: Final = (ProviderUnreachable, ProviderTimeout, ProviderOverloaded, EmptyReply)
SAID_WAIT_S: Final = 5.0
"""A limit that holds all calls for this long gets a line in the log."""
ROUNDS_BROKE: Final = 2
"""Rounds a second apart that find the same committed: nobody gives anything back."""
LEAST_PAUSE_S: Final = 0.025
"""While the quota is used up, rounds do not follow each other faster than this: all other processes
wait for each, and at 500 calls a second there would be one for every third call."""


class Governor:
    """One per process. `run` must be running for `permit` to return."""

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
        """Why no money is left for the next call, while no call is in flight."""
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
        """Wait for a permit; on leaving, account for the call by the permit's outcome.

        Requests with fewer steps left go first; on the last stretch of a run or batch those with
        most steps left do (docs/decisions/0018). Nobody is starved: a group begins only when
        another is done.

        Raises:
            QueueStopped, JobLost, CallTooLarge: as their names say.
        """
        permit = await self._permit(request)
        try:
            yield permit
        finally:
            self._ended(permit)

    async def report_failure(self, permit: Permit, error: ProviderError) -> None:
        """A 429 corrects what is known of the quota; no reply at all may be the beginning of an
        outage.
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
        """Back off before the same call is retried; cut short by a drain.

        Raises:
            QueueStopped: this process is draining.
        """
        await until(self._drained, delay_s, self._clock)
        if self._drained.is_set():
            raise QueueStopped

    def drain(self) -> None:
        """Let no further call begin in this process."""
        self._drained.set()
        self._waiters.refuse_all(QueueStopped())
        self._wake.set()

    async def settle(self) -> None:
        """Every call has ended: give back what was committed to them and not spent."""
        if self._spending.is_owed:
            await self._round()

    def look_again(self) -> None:
        """Something changed (configuration, start, stop): look now."""
        self._wake.set()

    @property
    def held(self) -> Held | None:
        """The limit that the first in line waits for; None while calls go."""
        left_s = self._held_until_s - self._clock.monotonic_s()
        return Held(self._limit, left_s) if self._limit and self._waiters and left_s > 0 else None

    # The loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve waiters until cancelled."""
        try:
            while True:
                await self._until_woken()
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
            self._rounds.hang_up()

    async def _until_woken(self) -> None:
        """Wait until something happens, or feedback is due."""
        due_in_s = self._feedback.due_in_s
        if due_in_s is None:
            await self._wake.wait()
        else:
            await until(self._wake, due_in_s, self._clock)

    async def _round(self) -> float | None:
        """Give out permits; returns seconds until the next round, None when only an event helps."""
        try:
            held = await self._rounds.hold(self._waiters)
        except ROUND_FAILURES as error:
            telemetry.debug(  # `DatabaseRetry` says it, once for the whole process
                "database_unavailable",
                f"⚠️ Database unavailable ({type(error).__name__}); no calls until it is back",
            )
            return DATABASE_RETRY_S
        permits = self._carry_out(held)
        wait_s = held.decision.wait_s
        await self._explain(held)
        self._note_limit(held.decision)
        if permits and (held.explores or not self._feedback.arrivals_are_known):
            await until_sent()
            self._feedback.sent(permits)
            if held.explores:
                self._feedback.departed()
                return wait_s and 0.0  # the limiter may allow more when it knows
        return wait_s

    async def _explain(self, held: Round) -> None:
        """Say why nothing goes, where the budget or the quota makes everybody wait for long."""
        breaker, wait_s, unpaid_usd = self.breaker, held.decision.wait_s, held.decision.unpaid_usd
        is_broke = self._is_broke(held)
        # Once said it stays until the next call may go, not only until that is near.
        least_s = SAID_WAIT_S if breaker.wait_reason else EXPLAINED_WAIT_S
        is_long = wait_s is not None and wait_s > least_s and breaker.hold is None
        if is_broke and unpaid_usd is not None:
            self.over_budget = held.money.why_not(unpaid_usd, self._spending.model)
        else:
            self.over_budget = None
        if (is_long or is_broke) == (breaker.wait_reason is not None):
            return
        breaker.wait_reason = self.over_budget or (_waiting(wait_s) if is_long and wait_s else None)
        with suppress(*DATABASE_ERRORS):
            await breaker.publish()

    def _is_broke(self, held: Round) -> bool:
        """Whether the budget leaves nothing, and no call of any process will give anything back."""
        budget = held.money.narrowest
        if held.decision.unpaid_usd is None or budget is None or self.traffic.in_flight:
            self._committed_usd, self._rounds_broke = None, 0
            return False
        is_still = budget.committed_usd == self._committed_usd
        self._rounds_broke = self._rounds_broke + 1 if is_still else 0
        self._committed_usd = budget.committed_usd
        return self._rounds_broke >= ROUNDS_BROKE

    def _note_limit(self, decision: Decision) -> None:
        """Remember which limit holds everybody, and say so once where it takes a while."""
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
        """Sleep, unless something happens that may allow a permit earlier."""
        if wait_s <= 0:
            return
        await self._clock.sleep(LEAST_PAUSE_S)
        if wait_s > LEAST_PAUSE_S:
            left_s = min(wait_s, MAX_ROUND_WAIT_S) - LEAST_PAUSE_S
            await until(self._wake, left_s, self._clock)
        self._wake.clear()

    async def _flush_feedback(self) -> None:
        """Share what the provider's replies told us, and the calls made, with the other processes.

        A round of permits does so by itself; while nobody waits for a permit, there is none.
        """
        if self._feedback.is_due:
            await self._round()
        try:
            await self._rounds.note_calls()
        except ROUND_FAILURES:
            await self._clock.sleep(DATABASE_RETRY_S)
            self._wake.set()

    async def _permit(self, request: PermitRequest) -> Permit:
        """Wait in line until a round grants the permit.

        Raises QueueStopped when none will be granted.
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
        # At once, not only with the reply: there may be none, and this process may die before.
        self._feedback.sent([permit])
        return permit

    def _carry_out(self, held: Round) -> list[Permit]:
        """Tell the waiting tasks what a round has decided; returns the permits that were taken."""
        for permit, reservation in held.moved.items():
            permit.reservation = reservation
        if not held.is_running:
            self._waiters.refuse_all(QueueStopped())
        for waiter, why in held.decision.refusals:
            self._waiters.refuse(waiter, why)
        permits = []
        for waiter, call, reservation, allowance, is_probe, most_usd in held.decision.selected:
            waited_s = self._clock.monotonic_s() - waiter.since_s
            permit = Permit(call, reservation, allowance, waited_s, is_probe, held.began_s)
            permit.committed_usd, permit.spans = most_usd, held.money.spans
            # Cancelled during the round: the reservation lapses after a minute.
            if self._waiters.give(waiter, permit):
                self._begun(permit)
                permits.append(permit)
            else:
                self._spending.not_sent(permit)
        return permits

    def _begun(self, permit: Permit) -> None:
        self.traffic.began(permit.cost)
        self._feedback.began(permit)
        if permit.is_probe:
            self.breaker.probe_sent()

    def _ended(self, permit: Permit) -> None:
        """Learn from how the call ended, and free its place."""
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
            case LookedUp():  # the provider answers; how long calls take is not known from that
                self.breaker.succeeded()
            case None:
                self._feedback.unanswered(permit)
        self._feedback.ended(permit)
        self._wake.set()


def _waiting(wait_s: float) -> str:
    hours = wait_s / 3600
    span = f"{hours:.1f} h" if hours >= 1 else f"{wait_s / 60:.0f} min"
    return (
        f"The provider says that its rate limit is used up; the next call can be sent in about "
        f"{span}."
    )
