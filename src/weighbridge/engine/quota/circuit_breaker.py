"""Pauses the queue while the provider gives no replies: connects `limits.circuit_breaker` with the
clock and the database.

The worker reports the outcome of each call; the governor asks before it gives a permit. When a
pause begins or ends, that is stored in the database and announced to all processes.
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
"""While this many bad calls wait to be judged, no further call is sent: all calls may be failing.
"""


_NO_REPLY: Final = "no reply"


class QueueBreaker:
    """Decides whether calls may be sent, and publishes pauses; one per process.

    At most one of its probes is in flight at a time.
    """

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
        """Why no process may send calls to the account, as of the last round; None if they may."""
        self.doubts = 0
        """Number of bad calls that are being recorded and judged."""
        self.wait_reason: str | None = None
        """Why all calls wait for long, because of the budget or the quota; None if they do not."""

    def succeeded(self) -> None:
        """Note that a call got a reply, even if it was a refusal."""
        self._breaker.succeeded()

    async def unreachable(self, reason: str, *, is_billed: bool = False) -> None:
        """Note that a call got no usable reply; after several in a row the queue pauses.

        `is_billed`: the reply was empty, but billed.
        """
        now_s, jitter = self._clock.monotonic_s(), self._random.random()
        self._breaker.failed(reason, now_s, jitter, is_billed=is_billed)
        await self.publish()

    @property
    def empty_replies_began_at(self) -> datetime | None:
        """When the present series of billed empty replies began, if it is too long to pay for more
        of them; else None.
        """
        if not self._breaker.has_too_many_billed_probes:
            return None
        age_s = self._clock.monotonic_s() - self._breaker.first_failure_s
        return self._clock.now() - timedelta(seconds=age_s)

    def permission(self) -> GoAhead | Probe | PausedUntil | None:
        """Whether a call may be sent now. None: not before a call in flight has ended, as that
        decides.
        """
        if self.doubts >= MOST_DOUBTS:
            return None  # the end of the judgement wakes the governor
        permission = self._breaker.permission(self._clock.monotonic_s())
        if self.hold is not None and isinstance(permission, GoAhead):
            until_s = self.hold.until_s - self._limiter_lead_s
            is_over = until_s <= self._clock.monotonic_s()
            permission = Probe() if is_over else PausedUntil(until_s)
        return None if isinstance(permission, Probe) and self._probing else permission

    def limiter_now_s(self) -> float:
        """The present time of the limiter's clock, which all processes share."""
        return self._clock.monotonic_s() + self._limiter_lead_s

    def probe_sent(self) -> None:
        """Note that a probe got its permit."""
        self._probing = True
        self._breaker.probe_sent(self._clock.monotonic_s())

    def probe_ended(self) -> None:
        """Note that the probe has ended, in whatever way."""
        self._probing = False

    def believe(self, state: QueueState, hold: Hold | None, now_s: float) -> None:
        """Take over what is stored: the hold on the account, and the reason for a pause that was
        last published, perhaps by a process that has died since.

        `now_s` is the limiter's time.
        """
        self._limiter_lead_s = now_s - self._clock.monotonic_s()
        self.hold = hold
        if state.running:
            self._published_reason = state.paused_reason

    def about_to_hold(self, reason: str) -> None:
        """Note that this process is storing a hold with this reason, so that it publishes and logs
        the hold itself, even if it reads it from the database first.
        """
        self._holding = reason

    async def publish(self) -> None:
        """If a pause has begun or ended, log it once and store it for all processes."""
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
        logged, self._logged = self._logged, pause
        try:
            async with self._database.transaction() as connection:
                is_running = await queue_state.say_paused(connection, reason)
        except BaseException:
            # Not stored: tried again when the next call ends.
            self._published_reason, self._logged = before, logged
            raise
        if pause == logged or not is_running:
            return
        if reason:
            telemetry.warning("queue_paused", f"⏸️ Queue paused: {reason}", reason=reason)
        else:
            why = "Money or quota is left" if was_waiting else "Provider answers"
            telemetry.info("queue_resumed", f"▶️ {why} again; the queue resumes")
