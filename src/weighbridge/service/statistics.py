"""Progress of one run."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from weighbridge.domain.products import ProcessingStatus
from weighbridge.service.queue import queue_status
from weighbridge.store import calls

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.service.queue import QueueStatus
    from weighbridge.store.calls import CallTotals
    from weighbridge.store.database import Database
    from weighbridge.store.overrides import Overrides


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, at one moment. Cost is in USD."""

    status: QueueStatus
    totals: CallTotals  # calls since the run began
    done_before: int  # products that were finished when the run began
    elapsed_s: float
    waited_s: float = 0.0  # how much of `elapsed_s` was spent waiting between batches

    @property
    def finished(self) -> int:
        """How many products of this run are completed or failed."""
        counts = self.status.counts
        return counts[ProcessingStatus.COMPLETED] + counts[ProcessingStatus.FAILED]

    @property
    def total(self) -> int:
        """How many products this run has."""
        return self.status.total_products

    @property
    def products_per_hour(self) -> float:
        """Products finished per hour since the run began."""
        done = self.finished - self.done_before
        return done / self.elapsed_s * 3600 if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left: at the pace so far, plus the pauses between batches to come.

        None until a product is finished.
        """
        done = self.finished - self.done_before
        worked_s = self.elapsed_s - self.waited_s
        if done <= 0 or worked_s <= 0:
            return None
        return (self.total - self.finished) * worked_s / done + self._pauses_ahead_s

    @property
    def batch_wait_s(self) -> float | None:
        """Seconds until the next batch, while nothing else goes on; None at any other time."""
        state, counts = self.status.state, self.status.counts
        if state.pacing != "batch" or state.next_batch_at is None or not state.running:
            return None
        if counts[ProcessingStatus.PROCESSING] or not counts[ProcessingStatus.PENDING]:
            return None
        left_s = (state.next_batch_at - self.status.as_of).total_seconds()
        return min(max(left_s, 0.0), state.batch_delay_ms / 1000)

    @property
    def _pauses_ahead_s(self) -> float:
        """Seconds of the pauses before all batches to come; 0 if pacing is not by batch."""
        state = self.status.state
        batches = ceil(self.status.counts[ProcessingStatus.PENDING] / state.batch_size)
        if state.pacing != "batch" or not batches:
            return 0.0
        delay_s = state.batch_delay_ms / 1000
        first_s = delay_s if self.batch_wait_s is None else self.batch_wait_s
        return first_s + (batches - 1) * delay_s

    @property
    def is_done(self) -> bool:
        """Whether nothing is pending or processing."""
        return self.finished == self.total


async def progress(
    database: Database,
    clock: Clock,
    *,
    scope: UUID,
    since: datetime,
    elapsed_s: float,
    waited_s: float,
    done_before: int,
    overrides: Overrides,
) -> Progress:
    """How far the run of the import `scope` is.

    It began at `since`, which is compared with the times of its calls, and `elapsed_s` seconds ago.
    """
    status = await queue_status(database, clock, scope=scope, overrides=overrides)
    async with database.pool.acquire() as connection:
        totals = await calls.totals(connection, since)
    return Progress(status, totals, done_before, elapsed_s, waited_s)
