"""What a clock that was set back leaves behind: moments in the future, which would be waited for.

A job would not be begun, and a dead worker would count as alive, until the clock has caught up: for
hours.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store.jobs import jobs_table

if TYPE_CHECKING:
    from weighbridge.store.database import Connection

AHEAD: Final = timedelta(seconds=2)
"""No clock of one machine is ahead of itself by this much unless it was set."""


async def bring_back(connection: Connection) -> int:
    """Moments in the future become this one; returns how many.

    We never schedule a job for later.
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
