"""Keeps `maxConcurrentRequests` over all processes: computes how many more calls this one may
begin.

If it is not set, a server that states how many calls it works on at a time gets at most as many:
further ones would wait in the server while their time limit runs.

The cap is applied in the governor's round, while all other processes wait for the row of the quota.
Every process stores its number of calls in flight there, never too low, so the sum never exceeds
the cap.
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
"""Time between two checks whether calls of other workers have ended, while these use up the cap."""
TURN_S: Final = 60
"""If the cap allows fewer calls than there are workers, the workers take turns; a turn takes this
long.
"""


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls may begin now, and after how long there may be more; None: only when a call of
    this process ends.
    """

    calls: float
    look_again_s: float | None = None


UNLIMITED: Final = Room(float("inf"))


def room_of(cap: int, own: Load, others: Sequence[Load], now_s: float) -> Room:
    """How many of `cap` calls the worker with the load `own` may begin.

    The cap is shared out among the workers by their calls in flight and waiting. A worker may begin
    calls up to its share, but not more than are left in all.
    """
    if not others:
        return Room(cap - own.in_flight)
    wanted = {load.worker_id: load.in_flight + load.waiting for load in (own, *others)}
    share = deal(cap, dict(sorted(wanted.items())), turn=int(now_s // TURN_S))
    left = cap - own.in_flight - sum(load.in_flight for load in others)
    return Room(min(share[own.worker_id] - own.in_flight, left), LOOK_AGAIN_S)


class ConcurrencyCap:
    """Applies the cap; one per process. Without a cap it uses no database."""

    def __init__(self, worker_id: UUID) -> None:
        self._worker_id = worker_id
        self._cap: int | None = None
        """The cap that was applied last; None: there is none."""
        self._stored: tuple[int, int] | None = None
        """This process's calls in flight and waiting calls, as it stored them last for the others;
        None: nothing is stored, or a failed transaction leaves that in doubt.
        """

    async def room(
        self,
        connection: Connection,
        cap: int | None,
        in_flight: int,
        waiting: int,
        now_s: float,
    ) -> Room:
        """How many calls this process may begin under `cap`, with `in_flight` and `waiting` calls
        of its own.
        """
        self._cap = cap
        if cap is None:
            return UNLIMITED
        others = await workers.others_calls(connection, self._worker_id, HEARTBEAT_TIMEOUT)
        return room_of(cap, Load(self._worker_id, in_flight, waiting), others, now_s)

    def is_news(self, in_flight: int, waiting: int) -> bool:
        """Whether these numbers differ from those stored; never without a cap. Waiting calls beyond
        the cap do not count.
        """
        return self._cap is not None and self._stored != (in_flight, min(waiting, self._cap))

    async def note(self, connection: Connection, in_flight: int, waiting: int) -> None:
        """Store the numbers for the other processes, if they have changed."""
        if self._cap is not None and self.is_news(in_flight, waiting):
            calls = (in_flight, min(waiting, self._cap))
            self._stored = None  # unknown until it is written
            await workers.note_calls(connection, self._worker_id, *calls)
            self._stored = calls

    def forget(self) -> None:
        """Forget what was stored: the transaction failed, so it may not have been."""
        self._stored = None
