"""The circuit breaker: notices that the provider is gone, pauses the queue, and probes until it is
back.

The governor reports what became of each call and asks before each. Pure: times and jitter are
arguments. A pause costs nothing that is not lost anyway, and keeps thousands of calls from failing
one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FAILURES_BEFORE_PAUSE: Final = 5
FIRST_PROBE_S: Final = 3.0
LAST_PROBE_S: Final = 15.0
PROBE_GROWTH: Final = 1.5
MOST_BILLED_PROBES: Final = 20
"""Probes in a row, some five minutes, whose replies are empty and billed: no more are paid for."""


@dataclass(frozen=True, slots=True)
class GoAhead:
    """The provider answers, as far as is known."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One call may go, to see whether the provider is back."""


@dataclass(frozen=True, slots=True)
class PausedUntil:
    """No call before `at_s`, unless one that is in flight succeeds."""

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
    def pays_in_vain(self) -> bool:
        """Whether every probe of some minutes was billed, and brought nothing."""
        return self._billed_probes >= MOST_BILLED_PROBES

    def failed(self, reason: str, now_s: float, jitter: float, *, is_billed: bool = False) -> None:
        """A call got no usable reply (no connection, timeout, 5xx, or an empty one: `is_billed`).

        `jitter` is a random number in [0, 1).
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
        """A call got a reply, if only a refusal: the provider is there."""
        self._failures = self._billed_probes = 0
        self._interval_s = FIRST_PROBE_S
        self.paused_reason = None

    def permission(self, now_s: float) -> GoAhead | Probe | PausedUntil:
        """May a call go? Tell `probe_sent` when a `Probe` was used."""
        if self.paused_reason is None:
            return GoAhead()
        if now_s < self._next_probe_s:
            return PausedUntil(self._next_probe_s)
        return Probe()

    def probe_sent(self, now_s: float) -> None:
        """A probe is on its way: the next one comes after a longer interval."""
        self._billed_probes += 1
        self._interval_s = min(self._interval_s * PROBE_GROWTH, LAST_PROBE_S)
        self._next_probe_s = now_s + self._spread_s()

    def _spread_s(self) -> float:
        """The interval, give or take a fifth, so that many processes do not probe in step."""
        return self._interval_s * (0.8 + 0.4 * self._jitter)
