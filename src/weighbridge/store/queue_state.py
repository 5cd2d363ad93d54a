"""The operator's settings and the state of the dispatcher: one row, announced by NOTIFY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from asyncpg import Record

    from weighbridge.store.database import Connection

CHANNEL = "weighbridge"
"""NOTIFY channel: something changed that dispatchers and workers should look at."""

DEFAULT_MAX_CONCURRENT_REQUESTS = 10


@dataclass(frozen=True, slots=True)
class QueueState:
    """The stored row. `max_concurrent_requests` is None while nobody has set it."""

    running: bool
    paused_reason: str | None
    batch_size: int
    batch_delay_ms: int
    max_concurrent_requests: int | None
    pacing: str
    ask_together: bool
    requests_per_minute: int
    tokens_per_minute: int
    current_batch: int
    next_batch_at: datetime | None

    @property
    def concurrency_cap(self) -> int | None:
        """Calls that may be in flight at once; None where only the quota sets the pace."""
        if self.pacing == "continuous":
            return self.max_concurrent_requests
        return self.max_concurrent_requests or DEFAULT_MAX_CONCURRENT_REQUESTS


COLUMNS = ", ".join(QueueState.__dataclass_fields__)
"""The columns of the table `queue_state`, which has a single row."""


async def seed(connection: Connection, values: dict[str, Any]) -> None:
    """Store the configuration given by the settings, once; later the API changes it."""
    names = list(values)
    await connection.execute(
        f"INSERT INTO queue_state ({', '.join(names)})"  # noqa: S608
        f" VALUES ({', '.join(f'${i}' for i in range(1, len(names) + 1))}) ON CONFLICT DO NOTHING",
        *values.values(),
    )


def of_row(row: Record) -> QueueState:
    """The state in a row that has `COLUMNS`, and perhaps others."""
    return QueueState(**{name: row[name] for name in QueueState.__dataclass_fields__})


async def load(connection: Connection) -> QueueState:
    """The present state."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM queue_state")  # noqa: S608
    assert row is not None  # noqa: S101 - seeded when the database was opened
    return of_row(row)


async def is_running(connection: Connection) -> bool:
    """Whether the queue is running. It stays so until the transaction ends: whoever stops it waits
    for that.
    """
    return bool(await connection.fetchval("SELECT running FROM queue_state FOR SHARE"))


async def update(connection: Connection, **values: Any) -> None:
    """Change some columns and notify all processes."""
    assignments = ", ".join(f"{name} = ${i}" for i, name in enumerate(values, start=1))
    await connection.execute(
        f"UPDATE queue_state SET {assignments}, updated_at = now()",  # noqa: S608
        *values.values(),
    )
    await announce(connection)


async def say_paused(connection: Connection, reason: str | None) -> bool:
    """Store why a running queue makes no calls (None: it makes calls again) and notify all
    processes; returns whether it runs. A stopped one keeps the reason for which it was stopped.
    """
    tag = await connection.execute(
        "UPDATE queue_state SET paused_reason = $1, updated_at = now() WHERE running", reason
    )
    await announce(connection)
    return bool(tag.endswith(" 1"))


async def announce(connection: Connection) -> None:
    """Wake every dispatcher and worker at commit."""
    await connection.execute(f"NOTIFY {CHANNEL}")
