"""Keeps the configured limits per day on requests and tokens, counted since midnight UTC over the
recorded calls of all processes.

When one is used up, nothing is sent to the account until the next midnight, and the queue's status
says why.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store import holds
from weighbridge.store.holds import Hold, HoldKind

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.clock import Clock
    from weighbridge.store.database import Connection

COUNTED_EVERY_S: Final = 1.0
"""Time between two counts of the calls recorded today, while many requests are left for the day."""
EXACT_BELOW: Final = 200
"""While fewer requests than this are left for the day, the recorded calls are counted each time
that their number is needed.
"""
DAY: Final = timedelta(days=1)


class DayBudget:
    """Keeps the limits per day; one per process. `requests` and `tokens` are None without a
    limit.
    """

    def __init__(
        self, clock: Clock, account: str, requests: int | None = None, tokens: int | None = None
    ) -> None:
        self._clock = clock
        self._account = account
        self._requests = requests
        self._tokens = tokens
        self._used = (0, 0)  # requests and tokens of the day, on record
        self._day: datetime | None = None
        self._before = 0  # requests of the day when this process first counted
        self._granted = 0  # permits of this process since then
        self._counted_at_s = float("-inf")

    async def left(self, connection: Connection, in_flight: int) -> int | None:
        """How many calls may still be sent today; None: there is no limit."""
        if self._requests is None and self._tokens is None:
            return None
        requests, tokens = await self._counted(connection)
        # Between the end of a call and its record it is neither in flight nor on record.
        requests = max(requests + in_flight, self._before + self._granted)
        left = []
        if self._requests is not None:
            left.append(self._requests - requests)
        if self._tokens is not None:
            usual = tokens / requests if requests else 0.0
            left.append(
                int((self._tokens - tokens) / usual - in_flight) if usual else 1 - in_flight
            )
        return max(0, min(left))

    def granted(self, calls: int) -> None:
        """Count calls that got a permit."""
        self._granted += calls

    def hold(self, now_s: float) -> Hold:
        """The hold to store when a limit is used up: it lasts until the next midnight.

        `now_s` is the limiter's time.
        """
        now = self._clock.now()
        limits = [
            f"{limit:,} {what} per day (WEIGHBRIDGE_{what.upper()}_PER_DAY)"
            for limit, what in ((self._requests, "requests"), (self._tokens, "tokens"))
            if limit is not None
        ]
        return Hold(
            HoldKind.DAY,
            f"The limit of {' or '.join(limits)} is used up. Processing resumes at 00:00 UTC, or "
            "once the limit is raised.",
            now_s + (_midnight(now) + DAY - now).total_seconds(),
        )

    async def _counted(self, connection: Connection) -> tuple[int, int]:
        """Today's recorded requests and tokens; up to a second old while many are left."""
        is_near = self._requests is not None and self._requests - self._used[0] < EXACT_BELOW
        if is_near or self._clock.monotonic_s() - self._counted_at_s >= COUNTED_EVERY_S:
            since = _midnight(self._clock.now())
            self._used = await holds.used_since(connection, self._account, since)
            if since != self._day:
                self._day, self._before, self._granted = since, self._used[0], 0
            self._counted_at_s = self._clock.monotonic_s()
        return self._used


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
