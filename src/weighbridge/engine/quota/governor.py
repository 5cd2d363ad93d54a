"""Shares one quota among every call of every process: calls wait here in line until they may go.

The worker asks for leave and tells what became of the call. While anybody waits there is one round after the other
(`rounds`); what was learned of calls in between (`corrections`) goes into the next one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.engine.quota.circuit_breaker import QueueBreaker
from weighbridge.engine.quota.limiter_feedback import LimiterFeedback
from weighbridge.engine.quota.loop_yield import until, until_sent, yield_to_loop
from weighbridge.engine.quota.permits import Permit, QueueStopped, Waiter, Waiters
from weighbridge.engine.quota.rounds import ROUND_FAILURES, Rounds
from weighbridge.engine.quota.traffic import Traffic

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.domain.calls import Cost, Remaining
    from weighbridge.engine.quota.rounds import Round
    from weighbridge.store.database import Database
    from weighbridge.store.open_calls import OpenCall
    from weighbridge.store.overrides import Overrides

MAX_ROUND_WAIT_S: Final = 5.0
"""However long the quota says to wait, look again after this: limits may have been raised meanwhile."""
DATABASE_RETRY_S: Final = 1.0
LEAST_PAUSE_S: Final = 0.025
"""While the quota is used up, rounds do not follow each other faster than this: each is a transaction for which all
other processes wait, and at 500 calls a second there would be one for every third call."""


class Governor:
    """One per process. `run` must be running for `admit` to return."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        account: str,
        manager_id: UUID,
        random_source: random.Random,
        overrides: Overrides,
        scope: UUID | None = None,
    ) -> None:
        self._clock = clock
        self._waiters = Waiters()
        self._feedback = LimiterFeedback(clock)
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self.breaker = QueueBreaker(database, clock, random_source)
        self.traffic = Traffic()
        self._rounds = Rounds(
            database=database,
            clock=clock,
            account=account,
            manager_id=manager_id,
            overrides=overrides,
            breaker=self.breaker,
            corrections=self._feedback,
            traffic=self.traffic,
            scope=scope,
        )

    @property
    def asks_together(self) -> bool:
        """Whether one call shall ask for all steps, as was set when calls were last let go."""
        return self._rounds.asks_together

    # What the worker calls ------------------------------------------------------------------

    async def admit(
        self,
        price: Callable[[], Cost],
        job_id: int,
        steps_left: int = 1,
        opens: Callable[[Cost], OpenCall] | None = None,
    ) -> Permit:
        """Wait for budget: in order among calls whose groups have as many steps left, fewest steps first.

        On the last stretch of a run or batch it is most steps first (docs/decisions/0018). Nobody is starved: a group begins
        only when another is done.

        `price` is asked at the last moment: output lengths are learned while calls wait. What `opens` makes of
        it is committed with the leave, before the call can go.

        Raises:
            QueueStopped, JobLost: as their names say.
            RequestTooLarge: the call alone exceeds a whole minute's quota.
        """
        if self._drained.is_set():
            raise QueueStopped
        waiter = Waiter(price, job_id, self._clock.monotonic_s(), opens)
        self._waiters.join(waiter, steps_left)
        self._wake.set()
        try:
            permit = await waiter.ready
        except asyncio.CancelledError:
            if given := self._waiters.give_up(waiter):
                self.failed(given)
            raise
        # At once, not only with the reply: there may be none, and this process may die before.
        self._feedback.left([permit])
        return permit

    def finished(
        self,
        permit: Permit,
        *,
        actual: Cost,
        latency_s: float,
        processing_s: float | None = None,
    ) -> None:
        """The call has ended: correct what it took and when it was counted, make room for the next."""
        self._release(permit)
        self.traffic.took(latency_s)
        self.breaker.succeeded()
        self._feedback.replied(
            permit, actual=actual, latency_s=latency_s, processing_s=processing_s
        )

    def failed(self, permit: Permit) -> None:
        """The call has ended without a reply. Its reservation stays: the provider may have counted it."""
        self._release(permit)
        self._feedback.unanswered(permit)

    def looked_up(self, permit: Permit) -> None:
        """A look-up has ended. The provider answers; how long calls take is not known from that."""
        self._release(permit)
        self.breaker.succeeded()

    def observe(self, permit: Permit, remaining: Remaining) -> None:
        """Believe the provider's headers."""
        self._feedback.observed(permit, remaining)

    def refused(self, permit: Permit, retry_after_s: float | None) -> None:
        """The provider answered 429. That is a small correction, never a long stop."""
        self.breaker.succeeded()
        self._feedback.refused(permit, retry_after_s)

    async def sleep(self, delay_s: float) -> None:
        """Back off before the same call is tried again; cut short by a drain.

        Raises:
            QueueStopped: this process is draining.
        """
        await until(self._drained, delay_s, self._clock)
        if self._drained.is_set():
            raise QueueStopped

    def drain(self) -> None:
        """Let no further call begin in this process."""
        self._drained.set()
        self._waiters.dismiss(QueueStopped())
        self._wake.set()

    def look_again(self) -> None:
        """Something changed (configuration, start, stop): do not sleep through it."""
        self._wake.set()

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
                        break  # only a finished call or a new waiter changes anything
                    await self._pause(wait_s)
                if not self._waiters:
                    await self._tell_the_others()
        finally:
            self._rounds.hang_up()

    async def _until_woken(self) -> None:
        """Until something happens, or it is time to tell the others what is known."""
        if self._feedback:
            await until(self._wake, self._feedback.due_in_s, self._clock)
        else:
            await self._wake.wait()

    async def _round(self) -> float | None:
        """Admit whom we can; returns seconds until the next round, None when only an event helps."""
        try:
            held = await self._rounds.hold(self._waiters)
        except ROUND_FAILURES as error:
            telemetry.warning(
                "database_unavailable",
                f"⚠️ The database does not answer ({type(error).__name__}), trying again",
            )
            return DATABASE_RETRY_S
        permits = self._carry_out(held)
        wait_s = held.decision.wait_s
        if permits and (held.explores or not self._feedback.arrivals_are_told):
            await until_sent()
            self._feedback.left(permits)
            if held.explores:
                self._feedback.departed()
                return wait_s and 0.0  # more may go when that is told
        return wait_s

    async def _pause(self, wait_s: float) -> None:
        """Sleep, unless something happens that may let a waiter go earlier."""
        if wait_s <= 0:
            return
        await self._clock.sleep(LEAST_PAUSE_S)
        if wait_s > LEAST_PAUSE_S:
            left_s = min(wait_s, MAX_ROUND_WAIT_S) - LEAST_PAUSE_S
            await until(self._wake, left_s, self._clock)
        self._wake.clear()

    async def _tell_the_others(self) -> None:
        """Nobody waits, so no round follows: the others would reserve by what was believed at the last one."""
        if self._feedback and not self._feedback.due_in_s:
            await self._round()
        try:
            await self._rounds.note_calls()
        except ROUND_FAILURES:
            await self._clock.sleep(DATABASE_RETRY_S)
            self._wake.set()

    def _carry_out(self, held: Round) -> list[Permit]:
        if not held.is_running:
            self._waiters.dismiss(QueueStopped())
        for waiter, why in held.decision.refusals:
            self._waiters.refuse(waiter, why)
        permits = []
        for waiter, reservation, is_probe in held.decision.leaves:
            waited_s = self._clock.monotonic_s() - waiter.since_s
            permit = Permit(reservation, reservation.cost, waited_s, is_probe, held.began_s)
            if self._waiters.let_go(waiter, permit):
                self.traffic.began(reservation.cost)
                permits.append(permit)
            else:  # cancelled during the round: the reservation lapses after a minute
                self.breaker.probing = False
        return permits

    def _release(self, permit: Permit) -> None:
        self.traffic.ended()
        if permit.is_probe:
            self.breaker.probing = False
        self._wake.set()
