"""Leave to make one call: who waits for it, what they get, and why they may not get it.

The worker asks the governor for it; `rounds` decides who gets it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.engine.quota.rank_queue import RankQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.domain.calls import Cost
    from weighbridge.limits.limiter import Reservation
    from weighbridge.store.open_calls import OpenCall


class QueueStopped(Exception):
    """No new call may begin: the queue was stopped, or this process is draining."""


class JobLost(Exception):
    """This worker no longer holds the job: it was frozen for too long and another took over."""


@dataclass(slots=True, eq=False)
class Permit:
    """Leave to make one call now, for `cost`. `waited_s` is how long it took to get it."""

    reservation: Reservation
    cost: Cost
    waited_s: float
    is_probe: bool
    began_s: float  # when it was granted, on this process's clock
    lag_s: float = 0.0  # how much later it is counted


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody who waits since `since_s`; `ready` is what they wait for."""

    price: Callable[[], Cost]
    job_id: int
    since_s: float
    opens: Callable[[Cost], OpenCall] | None
    ready: asyncio.Future[Permit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Waiters(RankQueue[Waiter]):
    """All who wait in this process, in the order in which they may go."""

    def let_go(self, waiter: Waiter, permit: Permit) -> bool:
        """This one may go; False when nobody waits for it any more."""
        self.leave(waiter)
        if waiter.ready.done():
            return False
        waiter.ready.set_result(permit)
        return True

    def give_up(self, waiter: Waiter) -> Permit | None:
        """Nobody waits for this any more. Returns a leave that was just given, to be handed back."""
        self.leave(waiter)
        was_given = waiter.ready.done() and not waiter.ready.cancelled()
        return waiter.ready.result() if was_given and not waiter.ready.exception() else None

    def refuse(self, waiter: Waiter, why: Exception) -> None:
        """This one gets no leave."""
        self.leave(waiter)
        if not waiter.ready.done():
            waiter.ready.set_exception(why)

    def dismiss(self, why: Exception) -> None:
        """Nobody gets leave."""
        for waiter in list(self):
            self.refuse(waiter, why)
