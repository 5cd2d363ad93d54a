"""PgQueuer's jobs, as far as our own SQL reads or writes them: a group of products is a job.

Enqueuing happens inside our transactions, so that a job exists exactly when its products are
marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import db_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from weighbridge.store.database import Connection

ENTRYPOINT = "group"
"""The name under which workers register for our jobs."""
BATCH_ENTRYPOINT: Final = "batch"
"""The name of jobs whose questions are sent in batches: no worker registers for it. Such a job is
`queued` until a batch contains it, and `picked` while that is at the provider.
"""
_OURS: Final = [ENTRYPOINT, BATCH_ENTRYPOINT]
"""All entrypoints of our jobs."""
BATCH_LOCK: Final = 0x57656967_62617463  # "Weigbatc"
"""Number of the advisory lock that the one process that submits and collects batches holds."""
FIRST: Final = (-(2**31), 0)
"""A place before every job that waits for a batch, as a negative priority and an id."""
DISPATCH_LOCK: Final = 0x57656967_64697370  # "Weigdisp"
"""Number of the advisory lock that the one process that makes jobs holds."""


def jobs_table() -> str:
    """The qualified name of PgQueuer's table, as its own settings give it."""
    return str(db_settings().qualified.queue_table)


async def enqueue_jobs(
    connection: Connection, count: int, priority: int = 0, entrypoint: str = ENTRYPOINT
) -> list[int]:
    """Create `count` jobs; returns their ids. `products.job_id` says which products belong to a
    job.
    """
    if count == 0:
        return []
    queries = Queries(AsyncpgDriver(connection))  # type: ignore[arg-type]  # a pooled connection serves as well
    ids = await queries.enqueue([entrypoint] * count, [None] * count, [priority] * count)
    return [int(job_id) for job_id in ids]


async def held_jobs(connection: Connection, job_ids: Sequence[int], manager_id: UUID) -> set[int]:
    """Those of `job_ids` that this worker still holds."""
    rows = await connection.fetch(
        f"SELECT id FROM {jobs_table()} WHERE id = ANY($1::bigint[])"  # noqa: S608
        " AND status = 'picked' AND queue_manager_id = $2",
        job_ids,
        manager_id,
    )
    return {row["id"] for row in rows}


async def withdraw_queued(
    connection: Connection, job_ids: Iterable[int] | None = None
) -> list[int]:
    """Delete jobs that no worker has begun (all of ours, or those given); returns their ids."""
    chosen = None if job_ids is None else list(job_ids)
    rows = await connection.fetch(
        f"DELETE FROM {jobs_table()} WHERE entrypoint = ANY($1) AND status = 'queued'"  # noqa: S608
        " AND ($2::bigint[] IS NULL OR id = ANY($2)) RETURNING id",
        _OURS,
        chosen,
    )
    return [row["id"] for row in rows]


async def route(connection: Connection, job_ids: Sequence[int]) -> None:
    """Let jobs that nobody has begun wait for a batch or for a worker, as the lane of their
    products says.
    """
    await connection.execute(
        f"UPDATE {jobs_table()} j SET entrypoint = CASE WHEN EXISTS (SELECT FROM products p WHERE "  # noqa: S608
        "p.job_id = j.id AND p.lane = 'batch') THEN $2 ELSE $3 END WHERE j.id = ANY($1::bigint[]) "
        "AND j.status = 'queued'",
        job_ids,
        BATCH_ENTRYPOINT,
        ENTRYPOINT,
    )


async def waiting_for_batch(
    connection: Connection, after: tuple[int, int], most: int
) -> list[tuple[int, int]]:
    """Up to `most` jobs that wait for a batch, as (negative priority, id) in that order: those
    after `after`.
    """
    rows = await connection.fetch(
        f"SELECT -priority AS rank, id FROM {jobs_table()} WHERE entrypoint = $1 AND status = 'queued'"  # noqa: S608
        " AND (-priority, id) > ($2::int, $3::bigint) ORDER BY 1, 2 LIMIT $4",
        BATCH_ENTRYPOINT,
        *after,
        most,
    )
    return [(row["rank"], row["id"]) for row in rows]


async def pick(
    connection: Connection, job_ids: Sequence[int], manager_id: UUID, *, only_waiting: bool
) -> set[int]:
    """Let this process hold jobs that are sent in batches; returns those that are still there.

    `only_waiting` leaves out those that are in a batch already.
    """
    rows = await connection.fetch(
        f"UPDATE {jobs_table()} SET status = 'picked', queue_manager_id = $2, heartbeat = now(), "  # noqa: S608
        "updated = now() WHERE id = ANY($1::bigint[]) AND entrypoint = $3 AND (status = 'queued' OR NOT "
        "$4) RETURNING id",
        job_ids,
        manager_id,
        BATCH_ENTRYPOINT,
        only_waiting,
    )
    return {row["id"] for row in rows}


async def hand_to_workers(connection: Connection, job_ids: Sequence[int]) -> None:
    """Let workers take these waiting jobs, which need no call or have no products any more."""
    await connection.execute(
        f"UPDATE {jobs_table()} SET entrypoint = $2 WHERE id = ANY($1::bigint[]) AND status = 'queued'",  # noqa: S608
        job_ids,
        ENTRYPOINT,
    )


async def give_back(connection: Connection, job_ids: Sequence[int]) -> None:
    """Let the jobs of a batch that is over wait again, and delete those without products."""
    await connection.execute(
        f"DELETE FROM {jobs_table()} j WHERE j.id = ANY($1::bigint[]) AND j.entrypoint = $2 AND NOT "  # noqa: S608
        "EXISTS (SELECT FROM products p WHERE p.job_id = j.id AND p.status = 'processing')",
        job_ids,
        BATCH_ENTRYPOINT,
    )
    await connection.execute(
        f"UPDATE {jobs_table()} SET status = 'queued', queue_manager_id = NULL, updated = now() WHERE "  # noqa: S608
        "id = ANY($1::bigint[]) AND entrypoint = $2",
        job_ids,
        BATCH_ENTRYPOINT,
    )
    await route(connection, job_ids)


async def forget_failed(connection: Connection) -> int:
    """Delete jobs that PgQueuer keeps as `failed` (its log says why); returns how many.

    Their products have returned to `pending`, and get other jobs.
    """
    tag = await connection.execute(
        f"DELETE FROM {jobs_table()} WHERE entrypoint = $1 AND status = 'failed'",  # noqa: S608
        ENTRYPOINT,
    )
    return int(tag.split()[-1])


async def vacuum(connection: Connection) -> None:
    """Vacuum and analyze the table of jobs; does nothing without the privilege, or while others do
    it.

    Call it outside of a transaction. PostgreSQL may have counted the table last when it was empty;
    until it counts again by itself, a minute or more, every statement reads all jobs and the dead
    rows of every heartbeat.
    """
    await connection.execute(f"VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE FALSE) {jobs_table()}")


async def count_unfinished(connection: Connection, entrypoint: str = ENTRYPOINT) -> int:
    """How many of our jobs wait or run, on any worker."""
    return int(
        await connection.fetchval(
            f"SELECT {unfinished_sql()}",
            entrypoint,
        )
    )


def unfinished_sql() -> str:
    """SQL for the number of jobs of entrypoint $1 that wait or run.

    Each state by itself has an index; for both together PostgreSQL would read the whole table, with
    the dead rows of all jobs since the last vacuum.
    """
    return " + ".join(
        f"(SELECT count(*) FROM {jobs_table()} WHERE entrypoint = $1 AND status = '{status}')"  # noqa: S608
        for status in ("queued", "picked")
    )
