"""The circuit breaker: notices that the provider gives no replies, pauses the queue, and probes
until replies come again.

The governor asks before each call and reports its outcome. Pure: times and jitter are arguments.
No call would succeed during the pause anyway, and it keeps thousands from failing one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FAILURES_BEFORE_PAUSE: Final = 5
"""Number of failures in a row at which the queue pauses."""
FIRST_PROBE_S: Final = 3.0
"""Time from the start of a pause to its first probe."""
LAST_PROBE_S: Final = 15.0
"""The longest time between two probes."""
PROBE_GROWTH: Final = 1.5
"""Factor by which the time between probes grows with each probe."""
MOST_BILLED_PROBES: Final = 20
"""Number of probes in a row, each with an empty but billed reply, after which no more are sent;
they take about five minutes.
"""


@dataclass(frozen=True, slots=True)
class GoAhead:
    """Calls may be sent: the provider answers, as far as is known."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One call may be sent, to see whether the provider answers again."""


@dataclass(frozen=True, slots=True)
class PausedUntil:
    """No call may be sent before `at_s`, unless one that is in flight succeeds until then."""

    at_s: float


class CircuitBreaker:
    """Counts failures in a row; at the fifth the queue pauses."""

    def __init__(self) -> None:
        self._failures = 0
        self._interval_s = FIRST_PROBE_S
        self._jitter = 0.5
        self._next_probe_s = 0.0
        self._billed_probes = 0
        self.first_failure_s = 0.0
        """When the present series of failures began."""
        self.paused_reason: str | None = None
        """Why no call is sent, in words for the operator; None while calls are sent."""

    @property
    def has_too_many_billed_probes(self) -> bool:
        """Whether the last `MOST_BILLED_PROBES` probes were all billed for empty replies."""
        return self._billed_probes >= MOST_BILLED_PROBES

    def failed(self, reason: str, now_s: float, jitter: float, *, is_billed: bool = False) -> None:
        """Count a call without a usable reply (no connection, timeout, 5xx, empty reply); pause at
        the fifth in a row.

        `reason` is the error for the operator, `is_billed` says that the reply was empty but
        billed, `jitter` is a random number in [0, 1).
        """
        if not self._failures:
            self.first_failure_s = now_s
        if not is_billed:
            self._billed_probes = 0
        self._failures += 1
        self._jitter = jitter
        if self._failures < FAILURES_BEFORE_PAUSE:
            return
        if self.paused_reason is None:
            self._next_probe_s = now_s + self._spread_s()
        self.paused_reason = (
            f"The last {self._failures} calls got no usable reply from the provider. The last error: "
            f"{reason.rstrip('.')}. Weighbridge tries again every {FIRST_PROBE_S:.0f} to "
            f"{LAST_PROBE_S:.0f} s, and resumes processing by itself when the provider answers."
        )

    def succeeded(self) -> None:
        """A call got a reply, even if it is a refusal: end the pause."""
        self._failures = self._billed_probes = 0
        self._interval_s = FIRST_PROBE_S
        self.paused_reason = None

    def permission(self, now_s: float) -> GoAhead | Probe | PausedUntil:
        """Whether a call may be sent now. Call `probe_sent` after a `Probe` was sent."""
        if self.paused_reason is None:
            return GoAhead()
        if now_s < self._next_probe_s:
            return PausedUntil(self._next_probe_s)
        return Probe()

    def probe_sent(self, now_s: float) -> None:
        """Set the time of the next probe, after a longer interval than before."""
        self._billed_probes += 1
        self._interval_s = min(self._interval_s * PROBE_GROWTH, LAST_PROBE_S)
        self._next_probe_s = now_s + self._spread_s()

    def _spread_s(self) -> float:
        """The interval, give or take a fifth, so that many processes do not probe in step."""
        return self._interval_s * (0.8 + 0.4 * self._jitter)
