"""The live workers: one row for each process, renewed by its heartbeat together with the jobs it
holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store.jobs import ENTRYPOINT, jobs_table, unfinished_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from weighbridge.store.database import Connection

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""Rows of dead workers are deleted after this long; they stop counting much earlier."""


@dataclass(frozen=True, slots=True)
class Crew:
    """How many jobs are unfinished, and how many live workers share them."""

    unfinished_jobs: int
    live_workers: int


@dataclass(frozen=True, slots=True)
class Load:
    """How many calls one worker has in flight, and how many wait for a permit."""

    worker_id: UUID
    in_flight: int
    waiting: int


async def register(
    connection: Connection,
    worker_id: UUID,
    *,
    is_leaving: bool,
    host: str | None = None,
    version: str | None = None,
) -> None:
    """Store that this worker is alive; called with every heartbeat."""
    await connection.execute(
        "WITH forgotten AS (DELETE FROM workers WHERE seen_at < now() - $3::interval)"
        " INSERT INTO workers (id, is_leaving, host, version) VALUES ($1, $2, $4, $5)"
        " ON CONFLICT (id) DO UPDATE SET seen_at = now(), is_leaving = $2, host = $4, version = $5",
        worker_id,
        is_leaving,
        FORGOTTEN_AFTER,
        host,
        version,
    )


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as people see it. `host` and `version` are None for a program before schema 10."""

    id: UUID
    host: str | None
    version: str | None
    started_at: datetime
    seen_at: datetime
    is_leaving: bool
    calls_in_flight: int


async def load_live(connection: Connection, live_within: timedelta) -> list[WorkerRow]:
    """Workers seen within `live_within`, those that started first in front.

    `calls_in_flight` are the jobs that a worker has begun: each has one call at most.
    """
    rows = await connection.fetch(
        "SELECT id, host, version, started_at, seen_at, is_leaving,"  # noqa: S608
        f" coalesce((SELECT count(*) FROM {jobs_table()} j WHERE j.queue_manager_id = w.id AND "
        "j.status = 'picked' AND j.entrypoint = $2), 0) AS calls_in_flight FROM workers w WHERE "
        "seen_at > now() - $1::interval ORDER BY started_at, id",
        live_within,
        ENTRYPOINT,
    )
    return [WorkerRow(**dict(row)) for row in rows]


async def leave(connection: Connection, worker_id: UUID) -> None:
    """Remove a worker that has finished."""
    await connection.execute("DELETE FROM workers WHERE id = $1", worker_id)


async def keep_alive(
    connection: Connection, worker_id: UUID, job_ids: Sequence[int], renewed_after: timedelta
) -> None:
    """Renew the heartbeat of the jobs that the worker still holds, in one statement.

    `job_ids` are those that it works on. It may hold others without knowing, if the connection
    broke before it learned of them. Those must expire, so that a worker takes them over.

    Jobs renewed or taken within `renewed_after` are skipped. So are jobs that are just being ended
    or taken over: waiting for them could end in a deadlock.
    """
    await connection.execute(
        # An array, not a join: PostgreSQL assumes an empty table of jobs, and would join all with
        # all.
        f"UPDATE {jobs_table()} SET heartbeat = now() WHERE id = ANY (ARRAY("  # noqa: S608
        f" SELECT id FROM {jobs_table()} WHERE queue_manager_id = $1 AND status = 'picked'"
        " AND id = ANY($3::bigint[]) AND heartbeat < now() - $2::interval FOR NO KEY UPDATE SKIP "
        "LOCKED))",
        worker_id,
        renewed_after,
        job_ids,
    )


async def look_around(connection: Connection, live_within: timedelta) -> Crew:
    """How many jobs are unfinished anywhere, and how many workers seen within `live_within` are not
    leaving (at least one).
    """
    row = await connection.fetchrow(
        f"SELECT {unfinished_sql()} AS jobs,"  # noqa: S608
        " (SELECT count(*) FROM workers WHERE NOT is_leaving AND seen_at > now() - $2::interval) "
        "AS workers",
        ENTRYPOINT,
        live_within,
    )
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return Crew(row["jobs"], max(row["workers"], 1))


async def note_calls(connection: Connection, worker_id: UUID, in_flight: int, waiting: int) -> None:
    """Store how many calls this worker has, for the others."""
    await connection.execute(
        "INSERT INTO workers (id, in_flight, waiting) VALUES ($1, $2, $3)"
        " ON CONFLICT (id) DO UPDATE SET in_flight = $2, waiting = $3",
        worker_id,
        in_flight,
        waiting,
    )


async def others_calls(
    connection: Connection, worker_id: UUID, live_within: timedelta
) -> list[Load]:
    """How many calls the other workers have. A dead worker counts until its heartbeat has
    expired.
    """
    rows = await connection.fetch(
        "SELECT id, in_flight, waiting FROM workers WHERE id <> $1 AND seen_at > now() - "
        "$2::interval",
        worker_id,
        live_within,
    )
    return [Load(row["id"], row["in_flight"], row["waiting"]) for row in rows]
