"""What is learned of calls under way: kept until the next round, which corrects the shared limiter by it.

When a call reached the provider, what it took, what the provider's headers or refusals say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from weighbridge.limits.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.clock import Clock
    from weighbridge.domain.calls import Cost, Remaining
    from weighbridge.engine.quota.permits import Permit

LEAST_LAG_S: Final = 0.02
"""Differences below this are not worth a correction."""
LONGEST_WAY_S: Final = 10.0
"""A call that did not reach the provider within this time never does: connections take no longer."""
TELL_AFTER_S: Final = 1.0
"""A process whose calls are all under way tells the others after this long what it has learned of them."""

Correction = Callable[[Limiter, float], None]


class LimiterFeedback:
    """One per process. Each is a function of the limiter and of the moment at which it is corrected."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._untold: list[Correction] = []
        self._untold_since_s = 0.0
        self.arrivals_are_told = False
        """Whether the provider tells how long it worked on a call, and thereby when it arrived."""

    def __bool__(self) -> bool:
        """Whether the others have yet to be told something."""
        return bool(self._untold)

    @property
    def due_in_s(self) -> float:
        """When the others have to be told even if there is no other reason for a round; 0: now."""
        return max(self._untold_since_s + TELL_AFTER_S - self._clock.monotonic_s(), 0.0)

    def take(self) -> list[Correction]:
        """All of them; whoever takes them applies them, or puts them back."""
        taken, self._untold = self._untold, []
        self._untold_since_s = self._clock.monotonic_s()
        return taken

    def put_back(self, taken: list[Correction]) -> None:
        """They were not applied after all; they come before what was learned since."""
        self._untold = taken + self._untold

    def left(self, permits: Sequence[Permit]) -> None:
        """These calls are on their way by now."""
        now_s = self._clock.monotonic_s()
        self._count_from(permits, [now_s - permit.began_s for permit in permits])

    def departed(self) -> None:
        """Calls are on their way that show how much may come at once."""
        self._add(lambda limiter, now_s: limiter.departed(now_s))

    def replied(
        self,
        permit: Permit,
        *,
        actual: Cost,
        latency_s: float,
        processing_s: float | None,
    ) -> None:
        """What the call took in the end, and when it arrived, if the provider told how long it worked on it."""
        self.arrivals_are_told = processing_s is not None
        if processing_s is not None:
            arrived_s = self._clock.monotonic_s() - min(processing_s, latency_s)
            self._count_from([permit], [arrived_s - permit.began_s])
        self._add(lambda limiter, now_s: limiter.settle(permit.reservation, actual, now_s))

    def unanswered(self, permit: Permit) -> None:
        """The reservation stays: the provider may have counted the call, and nobody knows when."""
        lag_s = min(self._clock.monotonic_s() - permit.began_s, LONGEST_WAY_S)
        self._count_from([permit], [lag_s])

    def observed(self, permit: Permit, remaining: Remaining) -> None:
        """The headers of a reply."""
        self._add(lambda limiter, now_s: limiter.observe(remaining, now_s, permit.reservation))

    def refused(self, permit: Permit, retry_after_s: float | None) -> None:
        """The provider answered 429."""
        self._add(lambda limiter, now_s: limiter.refused(retry_after_s, now_s, permit.reservation))

    def _count_from(self, permits: Sequence[Permit], lags_s: Sequence[float]) -> None:
        """These calls reached the provider so long after they were granted, as far as is known by now."""
        late = [
            (permit, lag_s)
            for permit, lag_s in zip(permits, lags_s, strict=True)
            if lag_s > permit.lag_s + LEAST_LAG_S
        ]
        if not late:
            return
        for permit, lag_s in late:
            permit.lag_s = lag_s

        def correct(limiter: Limiter, now_s: float) -> None:
            for permit, lag_s in late:
                reservation = permit.reservation
                permit.reservation = limiter.sent(
                    reservation, min(reservation.at_s + lag_s, now_s), now_s
                )

        self._add(correct)

    def _add(self, correction: Correction) -> None:
        if not self._untold:
            self._untold_since_s = self._clock.monotonic_s()
        self._untold.append(correction)
