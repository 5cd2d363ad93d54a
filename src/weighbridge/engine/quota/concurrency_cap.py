"""Keeps `maxConcurrentRequests` over all processes: how many more calls this one may begin.

Where nobody has set it, a server that says how many calls it works on at a time gets no more:
others would wait in it, while their time limit runs.

It is applied in the governor's round, while all others wait for the row of the quota. Every process
notes its calls in flight there, never fewer than there are, so the sum never exceeds the cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.engine.database.heartbeat import HEARTBEAT_TIMEOUT
from weighbridge.limits.sharing import deal
from weighbridge.store import workers
from weighbridge.store.workers import Load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from weighbridge.store.database import Connection

LOOK_AGAIN_S: Final = 0.2
"""While other workers use up the cap, how often to check whether their calls have ended."""
TURN_S: Final = 60
"""With more workers than calls, the workers take turns of this length."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls may begin now.

    `look_again_s` is None when only the end of one of our calls makes room.
    """

    calls: float
    look_again_s: float | None = None


UNLIMITED: Final = Room(float("inf"))


def room_of(cap: int, own: Load, others: Sequence[Load], now_s: float) -> Room:
    """What is left of `cap` calls for the worker of `own`.

    Each worker gets at least its share of what those who wait can use; nobody begins more than is
    left in all.
    """
    if not others:
        return Room(cap - own.in_flight)
    wanted = {load.worker_id: load.in_flight + load.waiting for load in (own, *others)}
    share = deal(cap, dict(sorted(wanted.items())), turn=int(now_s // TURN_S))
    left = cap - own.in_flight - sum(load.in_flight for load in others)
    return Room(min(share[own.worker_id] - own.in_flight, left), LOOK_AGAIN_S)


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
        """What is left of `cap` calls for this process, with so many in flight and waiting here."""
        self._is_on = cap is not None
        if cap is None:
            return UNLIMITED
        self._most = cap
        others = await workers.others_calls(connection, self._worker_id, HEARTBEAT_TIMEOUT)
        return room_of(cap, Load(self._worker_id, in_flight, waiting), others, now_s)

    def is_news(self, in_flight: int, waiting: int) -> bool:
        """Whether the others must be told. Waiting calls beyond the cap do not matter."""
        return self._is_on and self._noted != (in_flight, min(waiting, self._most))

    async def note(self, connection: Connection, in_flight: int, waiting: int) -> None:
        """Tell the others, if it is news."""
        if self.is_news(in_flight, waiting):
            calls = (in_flight, min(waiting, self._most))
            self._noted = None  # nobody knows until it is written
            await workers.note_calls(connection, self._worker_id, *calls)
            self._noted = calls

    def forget(self) -> None:
        """The transaction failed: what was noted may not have been."""
        self._noted = None
