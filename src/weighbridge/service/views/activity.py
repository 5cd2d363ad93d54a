"""The activity of the last hour, minute by minute, and the present pace.

Minutes that cannot change any more are read once and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store import activity

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

SHOWN: Final = timedelta(minutes=60)
UNSETTLED: Final = timedelta(minutes=6)
"""How long the counts of a minute may still change: a call is stored when it ends, and counted in
the minute in which it began.
"""
PACE_OVER: Final = timedelta(seconds=60)
"""The time over which the present pace is taken."""
SHORTEST_S: Final = 30.0
"""The shortest time over which the pace is taken: a burst of a few seconds says little."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in one minute. Latencies are None without calls."""

    at: datetime
    completed: int
    calls: int
    failed_calls: int
    tokens: int
    cost_usd: float
    latency_p50_s: float | None
    latency_p95_s: float | None


class ActivityReader:
    """Reads the activity of the last hour. One per server; its readings must not overlap."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[datetime, Minute] = {}

    async def last_hour(self) -> list[Minute]:
        """The last sixty minutes, the present one last."""
        this_minute = self._clock.now().replace(second=0, microsecond=0)
        first = this_minute - SHOWN + timedelta(minutes=1)
        await self._read(first, this_minute)
        shown = (first + timedelta(minutes=n) for n in range(SHOWN // timedelta(minutes=1)))
        return [self._known.get(at, _without_calls(at)) for at in shown]

    async def _read(self, first: datetime, this_minute: datetime) -> None:
        """Read the minutes that may still change, and forget those before `first`."""
        since = first if not self._known else max(first, this_minute - UNSETTLED)
        async with self._database.pool.acquire() as connection:
            calls = await activity.calls_by_minute(connection, since)
            completed = await activity.completed_by_minute(connection, since)
        self._known = {at: minute for at, minute in self._known.items() if first <= at < since}
        by_minute = {row.minute: row for row in calls}
        for at in by_minute.keys() | completed.keys() | {this_minute}:
            row = by_minute.get(at)
            done = completed.get(at, 0)
            self._known[at] = (
                _without_calls(at, done)
                if row is None
                else Minute(
                    at,
                    done,
                    row.calls,
                    row.failed_calls,
                    row.tokens,
                    row.cost_usd,
                    row.latency_p50_s,
                    row.latency_p95_s,
                )
            )

    async def products_per_hour(self) -> float:
        """The pace at which products were completed in the last minute.

        It is taken over the time since the first of them.
        """
        now = self._clock.now()
        async with self._database.pool.acquire() as connection:
            count, first = await activity.completed_since(connection, now - PACE_OVER)
        if first is None:
            return 0.0
        over_s = max((now - first).total_seconds(), SHORTEST_S)
        return count / over_s * 3600


def _without_calls(at: datetime, completed: int = 0) -> Minute:
    """A minute in which no call began."""
    return Minute(at, completed, 0, 0, 0, 0.0, None, None)
