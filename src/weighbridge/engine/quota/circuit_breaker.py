"""Pauses the queue while the provider is away: the shell around `limits.circuit_breaker`.

The worker reports what became of each call; the governor asks before it gives a permit. When a
pause begins or ends, the stored state says so and every process is told.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.limits.alike import FIRST_CALLS
from weighbridge.limits.circuit_breaker import CircuitBreaker, GoAhead, PausedUntil, Probe
from weighbridge.store import queue_state

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from weighbridge.clock import Clock
    from weighbridge.store.database import Database
    from weighbridge.store.holds import Hold
    from weighbridge.store.queue_state import QueueState


MOST_DOUBTS: Final = FIRST_CALLS
"""With this many failed calls not yet judged, none is sent: they may be the start of an outage."""


_NO_REPLY: Final = "no reply"


class QueueBreaker:
    """One per process. At most one of its probes is in flight at a time."""

    def __init__(self, database: Database, clock: Clock, random_source: random.Random) -> None:
        self._database = database
        self._clock = clock
        self._random = random_source
        self._breaker = CircuitBreaker()
        self._published_reason: str | None = None
        self._logged: str | None = None
        self._holding: str | None = None
        self._says_wait = False
        self._probing = False
        self._limiter_lead_s = 0.0  # the limiter's time less this process's
        self.hold: Hold | None = None
        """Why no process may send calls to the account, as of the last round of permits."""
        self.doubts = 0
        """Failed calls that are being recorded and judged."""
        self.wait_reason: str | None = None
        """Why the quota makes everybody wait for long."""

    def succeeded(self) -> None:
        """A call got a reply, if only a refusal: the provider is there."""
        self._breaker.succeeded()

    async def unreachable(self, reason: str, *, is_billed: bool = False) -> None:
        """A call got no usable reply.

        After several in a row the queue pauses itself and says why.
        """
        now_s, jitter = self._clock.monotonic_s(), self._random.random()
        self._breaker.failed(reason, now_s, jitter, is_billed=is_billed)
        await self.publish()

    @property
    def pays_in_vain_since(self) -> datetime | None:
        """When a series of empty replies began that is too long to pay for more of them."""
        if not self._breaker.pays_in_vain:
            return None
        age_s = self._clock.monotonic_s() - self._breaker.first_failure_s
        return self._clock.now() - timedelta(seconds=age_s)

    def permission(self) -> GoAhead | Probe | PausedUntil | None:
        """May a call go? None: only the end of the probe in flight will tell."""
        if self.doubts >= MOST_DOUBTS:
            return None  # the end of the judgement wakes the governor
        permission = self._breaker.permission(self._clock.monotonic_s())
        if self.hold is not None and isinstance(permission, GoAhead):
            until_s = self.hold.until_s - self._limiter_lead_s
            is_over = until_s <= self._clock.monotonic_s()
            permission = Probe() if is_over else PausedUntil(until_s)
        return None if isinstance(permission, Probe) and self._probing else permission

    def limiter_now_s(self) -> float:
        """This moment in the limiter's time, which all processes share."""
        return self._clock.monotonic_s() + self._limiter_lead_s

    def probe_sent(self) -> None:
        """The one call that shall find out is on its way."""
        self._probing = True
        self._breaker.probe_sent(self._clock.monotonic_s())

    def probe_ended(self) -> None:
        """It has ended, in whatever way."""
        self._probing = False

    def believe(self, state: QueueState, hold: Hold | None, now_s: float) -> None:
        """What is stored is what others were told; a process that died in a pause left its reason
        there.

        `now_s` is the limiter's time.
        """
        self._limiter_lead_s = now_s - self._clock.monotonic_s()
        self.hold = hold
        if state.running:
            self._published_reason = state.paused_reason

    def about_to_hold(self, reason: str) -> None:
        """This process is the one that says it, also where it reads its own hold from the database
        before it has had the time to.
        """
        self._holding = reason

    async def publish(self) -> None:
        """Tell everybody when a pause has begun or ended.

        What is believed may be a moment old, and several calls may end meanwhile: the log says it
        once all the same.
        """
        held = self.hold.reason if self.hold else None
        reason = self._breaker.paused_reason or held or self.wait_reason
        # Each failed probe changes the number in the reason; the pause is the same.
        pause = _NO_REPLY if self._breaker.paused_reason else reason
        is_ours = reason is not None and reason == self._holding
        if reason == self._published_reason and not is_ours:
            self._logged = pause  # by whoever published it
            return
        if is_ours:
            self._holding = None
        before, self._published_reason = self._published_reason, reason
        was_waiting, self._says_wait = self._says_wait, reason == self.wait_reason
        is_news, self._logged = pause != self._logged, pause
        if is_news and reason:
            telemetry.warning("queue_paused", f"⏸️ Queue paused: {reason}", reason=reason)
        elif is_news:
            why = "Money or quota is left" if was_waiting else "Provider answers"
            telemetry.info("queue_resumed", f"▶️ {why} again; the queue resumes")
        try:
            async with self._database.transaction() as connection:
                await queue_state.update(connection, paused_reason=reason)
        except BaseException:
            self._published_reason = before  # not told: the next call's end tries again
            raise
