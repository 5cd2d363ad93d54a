"""Records what calls show about the quota, until the next round applies it to the limiter: when a
call reached the provider, what it was charged, and what headers and refusals say.

The limiter is shared by all processes and stored in the database, so it can be changed only in a
round.

When a call reached the provider is known if the reply states how long the provider worked on it.
Otherwise it may have been at any time between departure and reply: a gateway may keep calls, or
pass the first ones on late. Such a call is charged from its departure until a minute after its
reply, and charged anew while it is in flight for longer than `KEPT_S`. So in no minute of the
provider, however late the calls arrive, are there more than we had counted.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.clock import Clock
    from weighbridge.domain.calls import Cost, Remaining
    from weighbridge.engine.quota.permits import Permit
    from weighbridge.limits.limiter import Limiter, Reservation

MIN_LAG_S: Final = 0.02
"""If a call turns out to have arrived less than this much later than assumed, its recorded arrival
is not corrected.
"""
MAX_LAG_S: Final = 10.0
"""A call that has not reached the provider within this time never will: connecting takes no longer.
(This applies where arrivals are known; through a gateway it may take longer.)
"""
KEPT_S: Final = 30.0
"""A call in flight whose time of arrival is unknown is charged anew after this time. The next round
may be as late again without the first charge leaving the window.
"""
FLUSH_AFTER_S: Final = 1.0
"""Time after which records are applied in a round of their own, if no call waits for a permit."""


class Delayed(NamedTuple):
    """The call reached the provider `lag_s` after the permit was given."""

    permit: Permit
    lag_s: float


class ArrivedBy(NamedTuple):
    """The call reached the provider at an unknown time, up to `lag_s` after the permit was
    given.
    """

    permit: Permit
    lag_s: float


class Settled(NamedTuple):
    """The provider charged `actual` for the call."""

    permit: Permit
    actual: Cost


class HeadersSeen(NamedTuple):
    """A reply to the call carried these rate-limit headers."""

    permit: Permit
    remaining: Remaining


class LimitHit(NamedTuple):
    """The provider answered the call with 429."""

    permit: Permit
    retry_after_s: float | None


class Departed(NamedTuple):
    """Calls have left that show how large a burst the provider accepts."""


Feedback = Delayed | ArrivedBy | Settled | HeadersSeen | LimitHit | Departed


def apply(records: Sequence[Feedback], limiter: Limiter, now_s: float) -> dict[Permit, Reservation]:
    """Correct the limiter; returns the reservations that moved to another time, by permit.

    The permits themselves stay as they are until the transaction is committed.
    """
    moved: dict[Permit, Reservation] = {}
    for record in records:
        if isinstance(record, Departed):
            limiter.departed(now_s)
            continue
        reservation = moved.get(record.permit, record.permit.reservation)
        match record:
            case Delayed(permit, lag_s):
                at_s = min(reservation.at_s + lag_s, now_s)
                moved[permit] = limiter.sent(reservation, at_s, now_s)
            case ArrivedBy(permit, lag_s):
                at_s = min(reservation.at_s + lag_s, now_s)
                moved[permit] = limiter.arrived_by(reservation, at_s, now_s)
            case Settled(_, actual):
                limiter.settle(reservation, actual, now_s)
            case HeadersSeen(_, remaining):
                limiter.observe(remaining, now_s, reservation)
            case LimitHit(_, retry_after_s):
                limiter.refused(retry_after_s, now_s, reservation)
    return moved


class LimiterFeedback:
    """Collects the feedback records of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: list[Feedback] = []
        self._since_s = 0.0
        self._in_flight: dict[Permit, float] = {}  # when last charged, the earliest first
        self.arrivals_are_known = False
        """Whether the provider states how long it worked on a call, and thereby when it arrived."""

    @property
    def due_in_s(self) -> float | None:
        """Seconds until a round is due only to apply these records; 0: now, None: never."""
        due = [self._since_s + FLUSH_AFTER_S] if self._records else []
        if not self.arrivals_are_known:
            due += [charged_s + KEPT_S for charged_s in islice(self._in_flight.values(), 1)]
        return max(min(due) - self._clock.monotonic_s(), 0.0) if due else None

    @property
    def is_due(self) -> bool:
        """Whether a round is due now only to apply these records."""
        return self.due_in_s == 0.0

    def take(self) -> list[Feedback]:
        """Take out all records: the caller must apply them, or call `put_back`."""
        self._charge_anew()
        taken, self._records = self._records, []
        self._since_s = self._clock.monotonic_s()
        return taken

    def put_back(self, taken: list[Feedback]) -> None:
        """Keep records that were not applied, before those that were added since."""
        self._records = taken + self._records

    def began(self, permit: Permit) -> None:
        """Note that the call is in flight, until `ended`."""
        self._in_flight[permit] = self._clock.monotonic_s()

    def ended(self, permit: Permit) -> None:
        """Note that the call is no longer in flight."""
        self._in_flight.pop(permit, None)

    def _charge_anew(self) -> None:
        """Record for calls in flight whose arrival is unknown that they may arrive until now."""
        if self.arrivals_are_known:
            return
        now_s = self._clock.monotonic_s()
        for permit, charged_s in list(self._in_flight.items()):
            if now_s - charged_s < KEPT_S:
                break
            del self._in_flight[permit]  # to the end of the dict
            self.began(permit)
            self._arrived_by_now(permit)

    def sent(self, permits: Sequence[Permit]) -> None:
        """Record that these calls have left now."""
        now_s = self._clock.monotonic_s()
        for permit in permits:
            self._delayed(permit, now_s - permit.began_s)

    def departed(self) -> None:
        """Record that calls have left which show how large a burst the provider accepts."""
        self._add(Departed())

    def replied(
        self, permit: Permit, actual: Cost, latency_s: float, processing_s: float | None
    ) -> None:
        """Record what a call with a reply was charged, and when it arrived.

        `processing_s` is how long the provider worked on it; None: it does not say.
        """
        self.arrivals_are_known = processing_s is not None
        if processing_s is None:
            self._arrived_by_now(permit)
        else:
            arrived_s = self._clock.monotonic_s() - min(processing_s, latency_s)
            self._delayed(permit, arrived_s - permit.began_s)
        self._add(Settled(permit, actual))

    def unanswered(self, permit: Permit) -> None:
        """Record that the call ended without a reply. Its reservation stays: the provider may have
        counted it.
        """
        if permit not in self._in_flight:
            return  # refused: not counted
        if self.arrivals_are_known:
            self._delayed(permit, min(self._clock.monotonic_s() - permit.began_s, MAX_LAG_S))
        else:
            self._arrived_by_now(permit)

    def observed(self, permit: Permit, remaining: Remaining) -> None:
        """Record the headers of a reply."""
        self._add(HeadersSeen(permit, remaining))

    def refused(self, permit: Permit, retry_after_s: float | None) -> None:
        """Record that the provider answered 429."""
        self.ended(permit)
        self._add(LimitHit(permit, retry_after_s))

    def _arrived_by_now(self, permit: Permit) -> None:
        """Record that the call has arrived at some time up to now."""
        lag_s = self._clock.monotonic_s() - permit.began_s
        if lag_s > permit.lag_s + MIN_LAG_S:
            self._add(ArrivedBy(permit, lag_s))

    def _delayed(self, permit: Permit, lag_s: float) -> None:
        """Record that the call arrived `lag_s` after its permit, if that is later than known."""
        if lag_s > permit.lag_s + MIN_LAG_S:
            permit.lag_s = lag_s
            self._add(Delayed(permit, lag_s))

    def _add(self, record: Feedback) -> None:
        if not self._records:
            self._since_s = self._clock.monotonic_s()
        self._records.append(record)
