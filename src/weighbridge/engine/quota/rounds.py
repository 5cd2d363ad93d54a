"""One round of the governor: one transaction that lets as many calls go as may go now.

It locks the account's row, looks whether the queue still runs and whether the waiting jobs are still ours,
corrects the limiter by what was learned, and reserves for as many waiters as fit. So a stopped queue, a lost job and a
full minute are all noticed before a call begins, and fifty waiting calls cost one transaction. Rounds have a
connection of their own: behind the writers of finished calls they waited 0.4 s for one of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from weighbridge.engine.database.retrying import TRANSIENT_ERRORS
from weighbridge.engine.quota.backlog import backlog_target
from weighbridge.engine.quota.concurrency_cap import ConcurrencyCap
from weighbridge.engine.quota.reserving import Decision, reserve
from weighbridge.limits.limiter import Limiter, Limits
from weighbridge.store import jobs, open_calls, products, quota
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from weighbridge.clock import Clock
    from weighbridge.engine.quota.circuit_breaker import QueueBreaker
    from weighbridge.engine.quota.limiter_feedback import Correction, LimiterFeedback
    from weighbridge.engine.quota.permits import Waiter, Waiters
    from weighbridge.engine.quota.traffic import Traffic
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.overrides import Overrides
    from weighbridge.store.queue_state import QueueState

ROUND_SIZE: Final = 50
"""Waiters looked at in one transaction. Each that may go then takes the loop for a millisecond."""
CAREFUL_ROUND_SIZE: Final = 25
"""The same, for a provider that does not tell how long it worked on a call. Calls count there from when they
arrive, and to put a hundred requests together takes a busy process half a second: if they counted here from
when they were granted, they would overlap with the next minute's."""
ROUND_TIMEOUT_S: Final = 15.0
"""A statement of a round takes milliseconds, and everybody waits for it: soon tried over a new connection."""
LOOK_AHEAD_S: Final = 1.0
"""How often it is looked whether much is still to come."""
ROUND_FAILURES: Final = (*DATABASE_ERRORS, *TRANSIENT_ERRORS, TimeoutError)
"""What a round may end with that passes by itself; the next one has a new connection."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was decided and committed. `began_s` is when the row was ours, on this process's clock."""

    began_s: float
    is_running: bool
    explores: bool  # the limiter wants to know when the calls have left
    decision: Decision


class Rounds:
    """One per process, for one `account`; `manager_id` is the identity under which it holds its jobs.

    `scope` is the import whose products are worked on, None for all.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        account: str,
        manager_id: UUID,
        overrides: Overrides,
        breaker: QueueBreaker,
        corrections: LimiterFeedback,
        traffic: Traffic,
        scope: UUID | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._account = account
        self._manager_id = manager_id
        self._overrides = overrides
        self._breaker = breaker
        self._feedback = corrections
        self._traffic = traffic
        self._scope = scope
        self._cap = ConcurrencyCap(manager_id)
        self._look_ahead_at_s = 0.0
        self._is_last_stretch = False
        self._connection: asyncpg.Connection[Any] | None = None
        self.asks_together = False
        """Whether one call shall ask for all steps, as was set at the last round."""

    async def hold(self, waiters: Waiters) -> Round:
        """One round for those in front. It changes nothing in the line: that is for whoever carries it out.

        Raises:
            ROUND_FAILURES: nobody got leave. What was learned is told by the next round.
        """
        corrections = self._feedback.take()
        was_probing = self._breaker.probing
        try:
            return await self._hold(waiters, corrections)
        except BaseException as error:
            self._breaker.probing = was_probing
            self._cap.forget()
            if isinstance(error, ROUND_FAILURES):
                self.hang_up()
            raise

    async def _hold(self, waiters: Waiters, corrections: list[Correction]) -> Round:
        size = ROUND_SIZE if self._feedback.arrivals_are_told else CAREFUL_ROUND_SIZE
        # What is nearly done goes first, so that results come early. The last groups go through their steps
        # side by side, or the quota would lie idle while a few go through theirs one after the other.
        in_front = waiters.front(highest_first=self._is_last_stretch)
        candidates = list(islice(in_front, size))
        is_written = False
        try:
            connection = await self._connected()
            async with connection.transaction():
                outcome = await self._decide(connection, candidates, waiters, corrections)
                is_written = True
        except BaseException:
            # Nobody knows whether a commit that broke took place. To correct twice would give budget away
            # that is not there; to forget a correction errs on the safe side.
            if not is_written:
                self._feedback.put_back(corrections)
            raise
        return outcome

    async def _decide(
        self,
        connection: Connection,
        candidates: Sequence[Waiter],
        waiters: Waiters,
        corrections: Sequence[Correction],
    ) -> Round:
        job_ids = [waiter.job_id for waiter in candidates]
        snapshot = await quota.lock_quota(
            connection, self._account, job_ids, self._manager_id, self._clock.monotonic_s
        )
        now_s = self._clock.of_database(snapshot.now_s)
        state = self._overrides.apply(snapshot.queue)
        self.asks_together = state.ask_together
        await self._look_ahead(connection, state)
        self._breaker.believe(state)
        limiter = _limiter(snapshot.state, state, now_s)
        for correct in corrections:
            correct(limiter, now_s)
        traffic = self._traffic
        room = await self._cap.room(
            connection, state.concurrency_cap, traffic.in_flight, len(waiters), snapshot.now_s
        )
        decision = Decision(wait_s=None)
        waiting = 0
        if state.running:
            decision = reserve(
                candidates, snapshot.held, room, self._breaker, limiter, now_s, self._clock
            )
            waiting = len(waiters) - len(decision.leaves) - len(decision.refusals)
        await self._cap.note(connection, traffic.in_flight + len(decision.leaves), waiting)
        if opening := [
            leave.waiter.opens(leave.reservation.cost)
            for leave in decision.leaves
            if leave.waiter.opens
        ]:
            await open_calls.insert(connection, opening)
        await quota.save(connection, self._account, limiter.dump())
        return Round(snapshot.began_s, state.running, limiter.explores, decision)

    async def _look_ahead(self, connection: Connection, state: QueueState) -> None:
        """Whether this is the last stretch: no products wait for a group, and no more groups than are kept ready."""
        if self._clock.monotonic_s() < self._look_ahead_at_s:
            return
        self._look_ahead_at_s = self._clock.monotonic_s() + LOOK_AHEAD_S
        # In batches nothing follows until the batch is done, whatever waits.
        follows = state.pacing == "continuous" and await products.any_pending(
            connection, self._scope
        )
        self._is_last_stretch = not follows and (
            await jobs.count_unfinished(connection) <= backlog_target(state, self._traffic)
        )

    async def note_calls(self) -> None:
        """Tell the others how many calls are in flight, when no round will: nobody waits here.

        Raises:
            ROUND_FAILURES: they were not told.
        """
        if not self._cap.is_news(self._traffic.in_flight, 0):
            return
        try:
            await self._cap.note(await self._connected(), self._traffic.in_flight, 0)
        except ROUND_FAILURES:
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """Give the connection up; the next round makes a new one."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> asyncpg.Connection[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect(ROUND_TIMEOUT_S)
        return self._connection


def _limiter(stored: bytes | None, state: QueueState, now_s: float) -> Limiter:
    limits = Limits(state.requests_per_minute, state.tokens_per_minute)
    if stored is None:
        return Limiter(limits, now_s)
    limiter = Limiter.load(stored, limits)
    limiter.reconfigure(limits, now_s)
    return limiter
