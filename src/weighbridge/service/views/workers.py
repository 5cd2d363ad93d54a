"""Who works on the queue at present."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store import workers

if TYPE_CHECKING:
    from weighbridge.store.database import Database
    from weighbridge.store.workers import WorkerRow

LIVE_WITHIN: Final = timedelta(seconds=10)
"""A worker counts as live this long after it renewed its row, which it does every two seconds."""


async def live_workers(database: Database) -> list[WorkerRow]:
    """Workers that were seen in the last seconds, longest first."""
    async with database.pool.acquire() as connection:
        return await workers.load_live(connection, LIVE_WITHIN)
