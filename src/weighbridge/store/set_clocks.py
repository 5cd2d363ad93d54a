"""Repairs what is left after a clock was set back: stored times in the future.

Until the clock has caught up, for hours perhaps, jobs would not begin and a dead worker would count
as alive.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store.jobs import jobs_table

if TYPE_CHECKING:
    from weighbridge.store.database import Connection

AHEAD: Final = timedelta(seconds=2)
"""A stored time this far in the future was written before the clock was set back."""


async def bring_back(connection: Connection) -> int:
    """Set stored times in the future to now; returns how many.

    No time in the future is intended: we never schedule a job for later.
    """
    changed = 0
    for table, column in (
        (jobs_table(), "execute_after"),
        (jobs_table(), "heartbeat"),
        ("workers", "seen_at"),
    ):
        tag = await connection.execute(
            f"UPDATE {table} SET {column} = now() WHERE id = ANY (ARRAY("  # noqa: S608 - names of ours
            f" SELECT id FROM {table} WHERE {column} > now() + $1::interval FOR NO KEY UPDATE "
            "SKIP LOCKED))",
            AHEAD,
        )
        changed += int(tag.split()[-1])
    return changed
