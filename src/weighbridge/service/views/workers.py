"""The workers that are running at present."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store import workers

if TYPE_CHECKING:
    from weighbridge.store.database import Database
    from weighbridge.store.workers import WorkerRow

LIVE_WITHIN: Final = timedelta(seconds=10)
"""A worker counts as running for this long after it renewed its row, which it does every 2 s."""


async def live_workers(database: Database) -> list[WorkerRow]:
    """The running workers, the one that started first at the head."""
    async with database.pool.acquire() as connection:
        return await workers.load_live(connection, LIVE_WITHIN)
