"""Progress of one run."""

from __future__ import annotations

from dataclasses import dataclass
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
    """A snapshot of a run. Times in seconds, cost in USD."""

    status: QueueStatus
    totals: CallTotals  # calls since the run began
    done_before: int  # products that were finished when the run began
    elapsed_s: float

    @property
    def finished(self) -> int:
        """Products of this run that are completed or failed."""
        counts = self.status.counts
        return counts[ProcessingStatus.COMPLETED] + counts[ProcessingStatus.FAILED]

    @property
    def total(self) -> int:
        """Products of this run."""
        return self.status.total_products

    @property
    def products_per_hour(self) -> float:
        """Rate since the run began; 0 until the first product is done."""
        done = self.finished - self.done_before
        return done / self.elapsed_s * 3600 if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the current rate; None if unknown."""
        rate = self.products_per_hour
        return (self.total - self.finished) / rate * 3600 if rate > 0 else None

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
    done_before: int,
    overrides: Overrides,
) -> Progress:
    """Look at a run that began at `since`."""
    status = await queue_status(database, clock, scope=scope, overrides=overrides)
    async with database.pool.acquire() as connection:
        totals = await calls.totals(connection, since)
    return Progress(status, totals, done_before, (clock.now() - since).total_seconds())
