"""The permit round: one transaction that gives out as many permits as the quota allows now.

Theory of operation. Every process has one governor, and all governors share one row of the table
`quota`: the limiter of the provider account. While requests wait, rounds follow one another:

    worker                   governor                    PostgreSQL
      │ PermitRequest           │                            │
      ├────────────────────────►│  round                     │
      │  waits in rank order    ├── lock the account's row ─►│  all other processes wait
      │                         │◄─ limiter, settings, ──────┤
      │                         │   jobs that are still ours │
      │                         │  apply feedback            │  (pure: limiter_feedback.apply)
      │                         │  reserve in order          │  (pure: reserving.reserve)
      │                         ├── open calls, limiter ────►│  commit
      │◄────────────────────────┤  Permit                    │
      │ ─────── call ──────────────────────────────────────────────► provider
      │ permit.outcome          │                            │
      ├────────────────────────►│  feedback for the next round

1. A stopped queue, a lost job and a full minute are noticed in the round, before a call begins.
2. No permit is given before the commit. So a call never goes without a reservation; after a crash
   between commit and call, a reservation is unused for a minute.
3. Fifty waiting calls cost one transaction.
4. No code of a worker runs inside the round: requests, permits and feedback are data.
5. Rounds have a connection of their own: for one of the pool, which finished calls use too, they
   had to wait 0.4 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from weighbridge.engine.database.retrying import TRANSIENT_ERRORS
from weighbridge.engine.quota.backlog import backlog_target
from weighbridge.engine.quota.concurrency_cap import ConcurrencyCap, Room
from weighbridge.engine.quota.limiter_feedback import apply
from weighbridge.engine.quota.reserving import Conditions, Decision, reserve
from weighbridge.limits.alike import REFUSALS, next_probe_s
from weighbridge.limits.circuit_breaker import Probe
from weighbridge.limits.limiter import Limiter, Limits
from weighbridge.store import holds, jobs, open_calls, products, quota
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.holds import Hold, HoldKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    import asyncpg

    from weighbridge.clock import Clock
    from weighbridge.engine.quota.circuit_breaker import QueueBreaker
    from weighbridge.engine.quota.day_budget import DayBudget
    from weighbridge.engine.quota.limiter_feedback import Feedback, LimiterFeedback
    from weighbridge.engine.quota.permits import Permit, Waiter, Waiters
    from weighbridge.engine.quota.reserving import Allowances, Selected
    from weighbridge.engine.quota.spending import Amounts, Money, Spending
    from weighbridge.engine.quota.traffic import Traffic
    from weighbridge.limits.limiter import Reservation
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.open_calls import OpenCall
    from weighbridge.store.overrides import Overrides
    from weighbridge.store.queue_state import QueueState

ROUND_SIZE: Final = 50
"""The most requests considered in one transaction.

Sending each call takes the event loop about a millisecond.
"""
CAREFUL_ROUND_SIZE: Final = 25
"""The most requests considered in one transaction if the provider does not state how long it worked
on a call, so that nobody knows when a call arrived. Assembling a hundred requests takes a busy
process half a second: they would arrive that much later than we count them, together with those of
the next minute.
"""
ROUND_TIMEOUT_S: Final = 15.0
"""Time limit of a statement of a round, which usually takes milliseconds; after it the connection
is replaced.
"""
LOOK_AHEAD_S: Final = 1.0
"""Time between two checks whether more work will follow, or whether a limit per day has room."""
ROUND_FAILURES: Final = (*DATABASE_ERRORS, *TRANSIENT_ERRORS, TimeoutError)
"""Errors that may end a round and pass by themselves; the next round gets a new connection."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has decided and committed.

    `began_s` is when the round got the lock, by this process's clock. `is_running`: the queue is
    not stopped. `moved` are earlier reservations that now count at another time.
    """

    began_s: float
    is_running: bool
    explores: bool  # the limiter must be told when the calls have left
    decision: Decision
    moved: dict[Permit, Reservation]
    money: Money


class Rounds:
    """Runs the rounds of one process, for one `account`; `manager_id` is the id under which the
    process holds its jobs.

    `scope` is the import whose products are processed; None: all. `calls_at_once` returns how many
    calls the server works on at a time, if it has stated that.
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
        feedback: LimiterFeedback,
        traffic: Traffic,
        allowances: Allowances,
        scope: UUID | None,
        day: DayBudget,
        spending: Spending,
        calls_at_once: Callable[[], int | None],
    ) -> None:
        self._calls_at_once = calls_at_once
        self._day = day
        self._spending = spending
        self._database = database
        self._clock = clock
        self._account = account
        self._manager_id = manager_id
        self._overrides = overrides
        self._breaker = breaker
        self._feedback = feedback
        self._allowances = allowances
        self._traffic = traffic
        self._scope = scope
        self._cap = ConcurrencyCap(manager_id)
        self._look_ahead_at_s = 0.0
        self._is_last_stretch = False
        self._since = clock.now()
        self._connection: asyncpg.Connection[Any] | None = None

    async def run_round(self, waiters: Waiters) -> Round:
        """Decide which of the first waiting calls get a permit, and commit that. `waiters` is not
        changed: the caller must carry the decision out.

        Raises:
            ROUND_FAILURES: no call gets a permit. The next round applies the feedback.
        """
        feedback = self._feedback.take()
        try:
            return await self._run_round(waiters, feedback)
        except BaseException as error:
            self._cap.forget()
            if isinstance(error, ROUND_FAILURES):
                self.close_connection()
            raise

    async def _run_round(self, waiters: Waiters, feedback: list[Feedback]) -> Round:
        """`run_round`, without closing the connection after an error."""
        size = ROUND_SIZE if self._feedback.arrivals_are_known else CAREFUL_ROUND_SIZE
        if self._breaker.hold is not None:
            size = len(waiters)  # one of them is to be the probe
        # Groups that are nearly done go first, so that results come early. At the end of a run,
        # those with most steps left do: otherwise the last groups would leave the quota unused.
        in_front = waiters.front(highest_first=self._is_last_stretch)
        candidates = list(islice(in_front, size))
        is_written = False
        given_back = self._spending.take()
        try:
            connection = await self._connected()
            async with connection.transaction():
                outcome = await self._decide(connection, candidates, waiters, feedback, given_back)
                is_written = True
        except BaseException:
            # An interrupted commit may have taken place. Applying feedback twice would give away
            # quota that does not exist; losing it is safe.
            if not is_written:
                self._feedback.put_back(feedback)
                self._spending.put_back(given_back)
            raise
        return outcome

    async def _decide(
        self,
        connection: Connection,
        candidates: Sequence[Waiter],
        waiters: Waiters,
        feedback: Sequence[Feedback],
        given_back: Amounts,
    ) -> Round:
        """Apply the feedback and decide about the candidates, within the round's transaction."""
        job_ids = [waiter.request.job_id for waiter in candidates]
        snapshot = await quota.lock_quota(
            connection, self._account, job_ids, self._manager_id, self._clock.monotonic_s
        )
        now_s = self._clock.of_database(snapshot.now_s)
        state = self._overrides.apply(snapshot.queue)
        await self._look_ahead(connection, state)
        hold = await holds.load(connection, self._account)
        limiter = _load_limiter(snapshot.state, state, now_s)
        moved = apply(feedback, limiter, now_s)
        traffic = self._traffic
        room = await self._cap.room(
            connection,
            state.concurrency_cap or self._calls_at_once(),
            traffic.in_flight,
            len(waiters),
            snapshot.now_s,
        )
        room, hold = await self._day_room(connection, room, hold, now_s)
        self._breaker.believe(state, _with_probe_in_time(hold, now_s), now_s)
        money = await self._spending.look(connection, given_back, of_epoch(snapshot.now_s))
        permission = self._breaker.permission()
        if hold is not None and hold.kind is HoldKind.ALIKE and isinstance(permission, Probe):
            candidates = await self._probes_first(connection, candidates)
        decision = Decision(wait_s=None)
        waiting = 0
        if state.running:
            conditions = Conditions(
                held=snapshot.held,
                room=room,
                permission=permission,
                ask_together=state.ask_together,
                money=money,
                now_s=now_s,
                process_s=self._clock.monotonic_s(),
            )
            decision = reserve(candidates, conditions, limiter, self._allowances)
            if hold is not None and decision.selected:
                next_s = now_s + next_probe_s(hold.probes)
                await holds.probe_sent(connection, self._account, next_s)
            self._day.granted(len(decision.selected))
            costs = [selected.most_usd for selected in decision.selected]
            await self._spending.commit(connection, money, costs)
            waiting = len(waiters) - len(decision.selected) - len(decision.refusals)
        await self._cap.note(connection, traffic.in_flight + len(decision.selected), waiting)
        if opening := self._open_calls(decision.selected):
            await open_calls.insert(connection, opening)
        overrides = self._overrides.limits is not None
        await quota.save(connection, self._account, limiter.dump(with_limits=overrides))
        return Round(snapshot.began_s, state.running, limiter.explores, decision, moved, money)

    async def _probes_first(
        self, connection: Connection, candidates: Sequence[Waiter]
    ) -> list[Waiter]:
        """The candidates, with those first that are the best probes: calls about a single product
        (another could spoil the call) that has failed least.
        """
        job_ids = [waiter.request.job_id for waiter in candidates]
        easy = await holds.easy_jobs(connection, self._account, REFUSALS, self._since, job_ids)
        return sorted(
            candidates,
            key=lambda waiter: (
                waiter.request.job_id not in easy,
                waiter.request.single.group_size,
                waiter.request.single.attempts,
            ),
        )

    async def _day_room(
        self, connection: Connection, room: Room, hold: Hold | None, now_s: float
    ) -> tuple[Room, Hold | None]:
        """The room within the limits per day, and the hold on the account: a new one is stored when
        nothing is left and no call is in flight.
        """
        left = await self._day.left(connection, self._traffic.in_flight)
        if left is None:
            return room, hold
        if left == 0 and not self._traffic.in_flight and hold is None:
            hold = self._day.hold(now_s)
            await holds.put(connection, self._account, hold)
        return Room(min(room.calls, left), LOOK_AHEAD_S), hold

    def _open_calls(self, selected: Sequence[Selected]) -> list[OpenCall]:
        """The records of these calls as open calls, for those that have one."""
        now = self._clock.now()
        return [
            call.open_call.begun(now, reservation.cost.tokens, allowance)
            for _, call, reservation, allowance, _, _ in selected
            if call.open_call
        ]

    async def _look_ahead(self, connection: Connection, state: QueueState) -> None:
        """Check once a second whether this is the last stretch of a run: no product is pending, and
        there are no more jobs than the backlog target.
        """
        if self._clock.monotonic_s() < self._look_ahead_at_s:
            return
        self._look_ahead_at_s = self._clock.monotonic_s() + LOOK_AHEAD_S
        # In batch pacing nothing follows until the batch is done.
        follows = state.pacing == "continuous" and await products.any_pending(
            connection, self._scope
        )
        self._is_last_stretch = not follows and (
            await jobs.count_unfinished(connection) <= backlog_target(state, self._traffic)
        )

    async def note_calls(self) -> None:
        """Store how many calls are in flight, for the other processes, while no call waits here. (A
        round does so by itself.)

        Raises:
            ROUND_FAILURES: it was not stored.
        """
        if not self._cap.is_news(self._traffic.in_flight, 0):
            return
        try:
            await self._cap.note(await self._connected(), self._traffic.in_flight, 0)
        except ROUND_FAILURES:
            self.close_connection()
            raise

    def close_connection(self) -> None:
        """Close the connection; the next round makes a new one."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> asyncpg.Connection[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect(ROUND_TIMEOUT_S)
        return self._connection


def of_epoch(epoch_s: float) -> datetime:
    """A time of the database's clock (epoch seconds), in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC)


def _with_probe_in_time(hold: Hold | None, now_s: float) -> Hold | None:
    """The hold, with its next probe due after one interval at the latest, even if the clock was set
    back since it was planned.
    """
    if hold is None or hold.kind is not HoldKind.ALIKE:
        return hold
    return replace(hold, until_s=min(hold.until_s, now_s + next_probe_s(hold.probes)))


def _load_limiter(stored: bytes | None, state: QueueState, now_s: float) -> Limiter:
    """The stored limiter, or a new one, with the limits of the queue's configuration."""
    limits = Limits(state.requests_per_minute, state.tokens_per_minute)
    if stored is None:
        return Limiter(limits, now_s)
    limiter = Limiter.load(stored, limits)
    limiter.reconfigure(limits, now_s)
    return limiter
