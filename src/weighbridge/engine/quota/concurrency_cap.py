"""Keeps `maxConcurrentRequests` over all processes: how many more calls this one may begin.

Looked up in the governor's round, while all others wait for the quota's row: so the calls in flight that every
process notes are never fewer than there are, and the sum never exceeds the cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.engine.database.heartbeat import HEARTBEAT_TIMEOUT
from weighbridge.limits.sharing import deal
from weighbridge.store import workers

if TYPE_CHECKING:
    from uuid import UUID

    from weighbridge.store.database import Connection

LOOK_AGAIN_S: Final = 0.2
"""While others have the calls that there is room for, look so often whether they have ended."""
TURN_S: Final = 60
"""Where there are more workers than calls, so long until others have their turn."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls may begin now. `look_again_s` is None when only the end of a call of our own makes room."""

    calls: float
    look_again_s: float | None = None


UNLIMITED: Final = Room(float("inf"))


class ConcurrencyCap:
    """One per process; without a cap it costs nothing."""

    def __init__(self, worker_id: UUID) -> None:
        self._worker_id = worker_id
        self._is_on = False
        self._most = 0
        self._noted: tuple[int, int] | None = None

    async def room(
        self,
        connection: Connection,
        cap: int | None,
        in_flight: int,
        waiting: int,
        now_s: float,
    ) -> Room:
        """What is left for this process of `cap` calls, with so many in flight here and so many waiting.

        Each has its share at least, of what those who wait can use; nobody begins more than is left in all.
        """
        self._is_on = cap is not None
        if cap is None:
            return UNLIMITED
        self._most = cap
        others = await workers.others_calls(connection, self._worker_id, HEARTBEAT_TIMEOUT)
        if not others:
            return Room(cap - in_flight)
        wanted = {load.worker_id: load.in_flight + load.waiting for load in others}
        wanted[self._worker_id] = in_flight + waiting
        share = deal(cap, dict(sorted(wanted.items())), turn=int(now_s // TURN_S))
        left = cap - in_flight - sum(load.in_flight for load in others)
        return Room(min(share[self._worker_id] - in_flight, left), LOOK_AGAIN_S)

    def is_news(self, in_flight: int, waiting: int) -> bool:
        """Whether the others have to be told. Of those who wait, no more matter than the cap."""
        return self._is_on and self._noted != (in_flight, min(waiting, self._most))

    async def note(self, connection: Connection, in_flight: int, waiting: int) -> None:
        """Let the others know, if it is news."""
        if self.is_news(in_flight, waiting):
            calls = (in_flight, min(waiting, self._most))
            self._noted = None  # nobody knows until it is written
            await workers.note_calls(connection, self._worker_id, *calls)
            self._noted = calls

    def forget(self) -> None:
        """The transaction failed: what was noted may not have been."""
        self._noted = None
