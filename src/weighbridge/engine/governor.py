"""Shares one quota among every call of every process: the shell around `limits.Limiter`.

Calls wait here in line. One round is one transaction: it locks the account's row, looks whether the
queue still runs and whether the waiting jobs are still ours, and reserves for as many waiters as fit.
So a stopped queue, a lost job and a full minute are all noticed before a call begins, and fifty
waiting calls cost one transaction. Rounds have a connection of their own: behind the writers of finished calls
they waited 0.4 s for one of the pool.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from weighbridge import telemetry
from weighbridge.engine.ceiling import Ceiling
from weighbridge.engine.line import Line
from weighbridge.engine.outages import Outages
from weighbridge.engine.patience import DATABASE_AWAY
from weighbridge.errors import RequestTooLarge
from weighbridge.limits.limiter import Granted, Limiter, Limits, NotBefore
from weighbridge.limits.outage import NotBefore as PausedUntil
from weighbridge.limits.outage import Probe
from weighbridge.store import open_calls, quota
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from uuid import UUID

    import asyncpg

    from weighbridge.clock import Clock
    from weighbridge.domain.calls import Cost, Remaining
    from weighbridge.engine.ceiling import Room
    from weighbridge.store.database import Database
    from weighbridge.store.open_calls import OpenCall
    from weighbridge.store.overrides import Overrides
    from weighbridge.store.queue_state import QueueState

ROUND_SIZE: Final = 50
"""Waiters looked at in one transaction. Each that may go then takes the loop for a millisecond."""
BUSY_TURN_S: Final = 0.01
"""A turn of the event loop that takes longer says that others (the API) wait: no new calls just now."""
LONGEST_TURNS_S: Final = 0.5
"""However busy the loop, the quota is not left unused for longer than this."""
CAREFUL_ROUND_SIZE: Final = 25
"""The same, for a provider that does not tell how long it worked on a call. Calls count there from when they
arrive, and to put a hundred requests together takes a busy process half a second: if they counted here from
when they were granted, they would overlap with the next minute's."""
SENDING_STEPS: Final = 10
"""Turns of the event loop in which a call that may go gets to the socket."""
LEAST_LAG_S: Final = 0.02
"""Differences below this are not worth a correction."""
LONGEST_WAY_S: Final = 10.0
"""A call that did not reach the provider within this time never does: connections take no longer."""
MAX_ROUND_WAIT_S: Final = 5.0
"""However long the quota says to wait, look again after this: limits may have been raised meanwhile."""
TELL_AFTER_S: Final = 1.0
"""A process whose calls are all under way tells the others after this long what it has learned of them."""
DATABASE_RETRY_S: Final = 1.0
ROUND_TIMEOUT_S: Final = 15.0
"""A statement of a round takes milliseconds, and everybody waits for it: soon tried over a new connection."""
LEAST_PAUSE_S: Final = 0.01
"""While the quota is used up, finished calls do not cause rounds more often than this."""


class QueueStopped(Exception):
    """No new call may begin: the queue was stopped, or this process is draining."""


class JobLost(Exception):
    """This worker no longer holds the job: it was frozen for too long and another took over."""


@dataclass(slots=True, eq=False)
class Admission:
    """Leave to make one call now, for `cost`. `waited_s` is how long it took to get it."""

    granted: Granted
    cost: Cost
    waited_s: float
    is_probe: bool
    began_s: float  # when it was granted, on this process's clock
    lag_s: float = 0.0  # how much later it is counted


@dataclass(slots=True, eq=False)
class _Waiter:
    price: Callable[[], Cost]
    job_id: int
    since_s: float
    opens: Callable[[Cost], OpenCall] | None
    ready: asyncio.Future[Admission] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


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
    ) -> None:
        self._database = database
        self._clock = clock
        self._account = account
        self._manager_id = manager_id
        self._overrides = overrides
        self._waiters: Line[_Waiter] = Line()
        self._ceiling = Ceiling(manager_id)
        self._connection: asyncpg.Connection[Any] | None = None
        self._corrections: list[Callable[[Limiter, float], None]] = []
        self._untold_since_s = 0.0
        self._leaving: list[Admission] = []
        self._round_began_s = 0.0
        self._arrivals_are_told = False
        self._wake = asyncio.Event()
        self._draining = False
        self._drained = asyncio.Event()
        self.outages = Outages(database, clock, random_source)
        self.in_flight = 0
        self.mean_latency_s = 2.0
        """Moving average over finished calls, in seconds; sets how much work is kept ready."""
        self.mean_tokens = 0.0
        """Moving average of what calls take from the token limit; 0 before the first."""
        self.asks_together = False
        """Whether one call shall ask for all steps, as was set when calls were last let go."""

    # What the worker calls ------------------------------------------------------------------

    async def admit(
        self,
        price: Callable[[], Cost],
        job_id: int,
        steps_left: int = 1,
        opens: Callable[[Cost], OpenCall] | None = None,
    ) -> Admission:
        """Wait for budget: in order among calls whose groups have as many steps left, most steps first.

        `price` is asked at the last moment: output lengths are learned while calls wait. What `opens` makes of
        it is committed with the leave, before the call can go.

        So the last groups of a run are spread out over its last minute, instead of going through
        their steps one after the other while the quota lies idle. Nobody is starved: a group begins only when
        another is done.

        Raises:
            QueueStopped, JobLost: as their names say.
            RequestTooLarge: the call alone exceeds a whole minute's quota.
        """
        if self._draining:
            raise QueueStopped
        waiter = _Waiter(price, job_id, self._clock.monotonic_s(), opens)
        self._waiters.join(waiter, steps_left)
        self._wake.set()
        try:
            admission = await waiter.ready
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise
        # At once, not only with the reply: there may be none, and this process may die before.
        self._count_from([admission], self._clock.monotonic_s() - admission.began_s)
        return admission

    def finished(
        self,
        admission: Admission,
        *,
        actual: Cost,
        latency_s: float,
        processing_s: float | None = None,
    ) -> None:
        """The call has ended: correct what it took and when it was counted, make room for the next."""
        self._release(admission)
        self._arrivals_are_told = processing_s is not None
        if processing_s is not None:
            arrived_s = self._clock.monotonic_s() - min(processing_s, latency_s)
            self._count_from([admission], arrived_s - admission.began_s)
        self.mean_latency_s += 0.05 * (latency_s - self.mean_latency_s)
        self.outages.succeeded()
        self._correct(lambda limiter, now_s: limiter.settle(admission.granted, actual, now_s))

    def failed(self, admission: Admission) -> None:
        """The call has ended without a reply. Its reservation stays: the provider may have counted it,
        and nobody knows when.
        """
        self._release(admission)
        lag_s = min(self._clock.monotonic_s() - admission.began_s, LONGEST_WAY_S)
        self._count_from([admission], lag_s)

    def looked_up(self, admission: Admission) -> None:
        """A look-up has ended. The provider answers; how long calls take is not known from that."""
        self._release(admission)
        self.outages.succeeded()

    def observe(self, admission: Admission, remaining: Remaining) -> None:
        """Believe the provider's headers."""
        self._correct(lambda limiter, now_s: limiter.observe(remaining, now_s, admission.granted))

    def refused(self, admission: Admission, retry_after_s: float | None) -> None:
        """The provider answered 429. That is a small correction, never a long stop."""
        self.outages.succeeded()
        self._correct(
            lambda limiter, now_s: limiter.refused(retry_after_s, now_s, admission.granted)
        )

    async def sleep(self, delay_s: float) -> None:
        """Back off before the same call is tried again; cut short by a drain or a stop.

        Raises:
            QueueStopped: this process is draining.
        """
        pause = asyncio.ensure_future(self._clock.sleep(delay_s))
        drained = asyncio.ensure_future(self._drained.wait())
        _, pending = await asyncio.wait({pause, drained}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if self._draining:
            raise QueueStopped

    def drain(self) -> None:
        """Let no further call begin in this process."""
        self._draining = True
        self._drained.set()
        self._dismiss(QueueStopped())
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
                while self._waiters and not self._draining:
                    wait_s = await self._round_or_retry()
                    await self._let_them_leave()
                    await self._let_others_run()
                    if wait_s is None:
                        break  # only a finished call or a new waiter changes anything
                    await self._pause(wait_s)
                if not self._waiters:
                    await self._tell_corrections()
                    await self._note_calls()
        finally:
            self._hang_up()

    async def _round_or_retry(self) -> float | None:
        try:
            return await self._round()
        except (*DATABASE_ERRORS, *DATABASE_AWAY, TimeoutError) as error:
            self._hang_up()
            telemetry.warning(
                "database_unavailable",
                f"⚠️ The database does not answer ({type(error).__name__}), trying again",
            )
            return DATABASE_RETRY_S

    async def _until_woken(self) -> None:
        """Until something happens, or it is time to tell the others what is known."""
        if not self._corrections:
            await self._wake.wait()
            return
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(max(self._tell_at_s - self._clock.monotonic_s(), 0.0)):
                await self._wake.wait()

    @property
    def _tell_at_s(self) -> float:
        return self._untold_since_s + TELL_AFTER_S

    async def _tell_corrections(self) -> None:
        """Without waiters there is no round, and the others would reserve by what was believed at the last one."""
        if self._corrections and self._clock.monotonic_s() >= self._tell_at_s:
            self._untold_since_s = self._clock.monotonic_s()  # also when the database is away
            await self._round_or_retry()

    async def _note_calls(self) -> None:
        """There may be no further round that tells the others that calls have ended."""
        if not self._ceiling.is_news(self.in_flight, 0):
            return
        try:
            await self._ceiling.note(await self._connected(), self.in_flight, 0)
        except (*DATABASE_ERRORS, *DATABASE_AWAY, TimeoutError):
            self._hang_up()
            await self._clock.sleep(DATABASE_RETRY_S)
            self._wake.set()

    async def _connected(self) -> asyncpg.Connection[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect(ROUND_TIMEOUT_S)
        return self._connection

    async def _let_others_run(self) -> None:
        """A minute's quota let go at once would keep the loop busy for seconds: first what is begun.

        Time of this machine, not of the clock: it is the machine that is busy.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        turn_s = BUSY_TURN_S
        while turn_s >= BUSY_TURN_S and loop.time() - began_s < LONGEST_TURNS_S:
            turn_began_s = loop.time()
            await asyncio.sleep(0)
            turn_s = loop.time() - turn_began_s

    async def _let_them_leave(self) -> None:
        """Wait until the calls just admitted are under way, and count them from then if that took long."""
        leaving, self._leaving = self._leaving, []
        if not leaving or self._arrivals_are_told:
            return
        for _ in range(SENDING_STEPS):
            await asyncio.sleep(0)
        self._count_from(leaving, self._clock.monotonic_s() - self._round_began_s)

    def _count_from(self, admissions: Sequence[Admission], lag_s: float) -> None:
        """These calls reached the provider so long after they were granted, as far as is known by now."""
        late = [admission for admission in admissions if lag_s > admission.lag_s + LEAST_LAG_S]

        def correct(limiter: Limiter, now_s: float) -> None:
            for admission in late:
                admission.granted = limiter.sent(
                    admission.granted, min(admission.granted.at_s + lag_s, now_s), now_s
                )

        for admission in late:
            admission.lag_s = lag_s
        if late:
            self._correct(correct)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _pause(self, wait_s: float) -> None:
        """Sleep, unless something happens that may let a waiter go earlier."""
        if wait_s <= 0:
            return
        await self._clock.sleep(min(wait_s, LEAST_PAUSE_S))
        if wait_s > LEAST_PAUSE_S:
            sleep = asyncio.ensure_future(
                self._clock.sleep(min(wait_s, MAX_ROUND_WAIT_S) - LEAST_PAUSE_S)
            )
            wake = asyncio.ensure_future(self._wake.wait())
            _, pending = await asyncio.wait({sleep, wake}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
        self._wake.clear()

    async def _round(self) -> float | None:
        """Admit whom we can; returns seconds until the next round, None when only an event helps."""
        size = ROUND_SIZE if self._arrivals_are_told else CAREFUL_ROUND_SIZE
        candidates = list(islice(self._waiters, size))
        if not candidates and not self._corrections:
            return None
        connection = await self._connected()
        corrections, self._corrections = self._corrections, []
        admitted: list[tuple[_Waiter, Granted]] = []
        is_written = False
        was_probing = self.outages.probing
        try:
            async with connection.transaction():
                books = await quota.open_books(
                    connection,
                    self._account,
                    [waiter.job_id for waiter in candidates],
                    self._manager_id,
                    self._clock.monotonic_s,
                )
                self._round_began_s = books.began_s
                now_s = self._clock.of_database(books.now_s)
                state = self._overrides.apply(books.queue)
                self.asks_together = state.ask_together
                self.outages.believe(state)
                limiter = _limiter(books.state, state, now_s)
                for correct in corrections:
                    correct(limiter, now_s)
                room = await self._ceiling.room(
                    connection,
                    state.concurrency_ceiling,
                    self.in_flight,
                    len(self._waiters),
                    books.now_s,
                )
                wait_s = self._reserve(
                    candidates, admitted, limiter, state, room, books.held, now_s
                )
                began = len(admitted)
                await self._ceiling.note(
                    connection, self.in_flight + began, len(self._waiters) - began
                )
                if opening := [w.opens(g.cost) for w, g in admitted if w.opens]:
                    await open_calls.insert(connection, opening)
                await quota.save(connection, self._account, limiter.dump())
                is_written = True
        except BaseException:
            # Nobody knows whether a commit that broke took place. To correct twice would give budget away
            # that is not there; to forget a correction errs on the safe side.
            if not is_written:
                self._corrections = corrections + self._corrections
            self.outages.probing = was_probing
            self._ceiling.forget()
            raise
        for waiter, granted in admitted:
            self._let_go(waiter, granted)
        return wait_s

    def _reserve(
        self,
        candidates: list[_Waiter],
        admitted: list[tuple[_Waiter, Granted]],
        limiter: Limiter,
        state: QueueState,
        room: Room,
        held: frozenset[int],
        now_s: float,
    ) -> float | None:
        """Reserve in order until something does not fit; a big one is never overtaken by small ones."""
        if not state.running:
            self._dismiss(QueueStopped())
            return None
        for waiter in candidates:
            if waiter.job_id not in held:
                self._refuse(waiter, JobLost())
                continue
            if len(admitted) >= room.calls:
                return room.look_again_s
            permission = self.outages.permission()
            if permission is None:
                return None  # the probe's end wakes us
            if isinstance(permission, PausedUntil):
                return permission.at_s - self._clock.monotonic_s()
            try:
                cost = waiter.price()
                outcome = limiter.reserve(cost, now_s)
            except RequestTooLarge as error:
                self._refuse(waiter, error)
                continue
            if isinstance(outcome, NotBefore):
                return outcome.at_s - now_s
            self.outages.probing = isinstance(permission, Probe)
            admitted.append((waiter, outcome))
        return 0.0

    def _let_go(self, waiter: _Waiter, granted: Granted) -> None:
        self._waiters.leave(waiter)
        if waiter.ready.done():  # cancelled during the round: the reservation lapses after a minute
            self.outages.probing = False
            return
        self.in_flight += 1
        if tokens := granted.cost.tokens:  # look-ups have none
            self.mean_tokens += (tokens - self.mean_tokens) * (0.05 if self.mean_tokens else 1.0)
        waited_s = self._clock.monotonic_s() - waiter.since_s
        admission = Admission(
            granted, granted.cost, waited_s, self.outages.probing, self._round_began_s
        )
        self._leaving.append(admission)
        waiter.ready.set_result(admission)

    def _give_up(self, waiter: _Waiter) -> None:
        """Nobody waits for this any more; a leave that was just given is handed back."""
        self._waiters.leave(waiter)
        if waiter.ready.done() and not waiter.ready.cancelled() and not waiter.ready.exception():
            self.failed(waiter.ready.result())

    def _release(self, admission: Admission) -> None:
        self.in_flight -= 1
        if admission.is_probe:
            self.outages.probing = False
        self._wake.set()

    def _refuse(self, waiter: _Waiter, why: Exception) -> None:
        self._waiters.leave(waiter)
        if not waiter.ready.done():
            waiter.ready.set_exception(why)

    def _dismiss(self, why: Exception) -> None:
        for waiter in list(self._waiters):
            self._refuse(waiter, why)

    def _correct(self, correction: Callable[[Limiter, float], None]) -> None:
        if not self._corrections:
            self._untold_since_s = self._clock.monotonic_s()
        self._corrections.append(correction)


def _limiter(stored: bytes | None, state: QueueState, now_s: float) -> Limiter:
    limits = Limits(state.requests_per_minute, state.tokens_per_minute)
    if stored is None:
        return Limiter(limits, now_s)
    limiter = Limiter.load(stored, limits)
    limiter.reconfigure(limits, now_s)
    return limiter
