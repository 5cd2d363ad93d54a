"""Which products still belong to their job: checked, with locks, before anything about them is
recorded.

Between a question and its answer a product may be changed, deleted or given to another job, and the
job itself may be taken over. Rows are locked in order of id, as imports do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weighbridge.store.jobs import jobs_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from weighbridge.store.database import Connection


class Membership(NamedTuple):
    """Which products of a job are still there. `existing` are all that are not deleted;
    `revision_of` has the revision of those still in the job.

    `held` is False when another worker has the job: then it has no products for this one.
    """

    held: bool
    existing: frozenset[int]
    revision_of: Mapping[int, int]


async def lock_job_products(
    connection: Connection, ids_by_job: Sequence[tuple[int, Collection[int]]], manager_id: UUID
) -> list[Membership]:
    """Lock the products until the transaction ends, so that nothing changes in between; returns one
    membership for each pair.

    `ids_by_job`: (job id, ids of the products that are to be recorded) pairs.
    """
    held = await _lock_jobs(connection, [job_id for job_id, _ in ids_by_job], manager_id)
    rows = await connection.fetch(
        "SELECT p.id, p.revision, CASE p.status WHEN 'processing' THEN p.job_id END AS job_id "
        "FROM products p WHERE p.id = ANY($1::bigint[]) ORDER BY p.id FOR NO KEY UPDATE OF p",
        list({product_id for _, ids in ids_by_job for product_id in ids}),
    )
    found = {row["id"]: row for row in rows}
    return [
        Membership(
            held=job_id in held or not any(i in found for i in ids),
            existing=frozenset(i for i in ids if i in found),
            revision_of={
                i: found[i]["revision"]
                for i in ids
                if job_id in held and i in found and found[i]["job_id"] == job_id
            },
        )
        for job_id, ids in ids_by_job
    ]


async def _lock_jobs(
    connection: Connection, job_ids: Sequence[int], manager_id: UUID
) -> frozenset[int]:
    """Those of the jobs that this worker still holds.

    The lock keeps takeovers out, and lets heartbeats through.
    """
    rows = await connection.fetch(
        f"SELECT id FROM {jobs_table()} WHERE id = ANY($1::bigint[]) AND status = 'picked'"  # noqa: S608
        " AND queue_manager_id = $2 ORDER BY id FOR KEY SHARE",
        job_ids,
        manager_id,
    )
    return frozenset(row["id"] for row in rows)


async def is_held(connection: Connection, job_id: int, manager_id: UUID) -> bool:
    """Whether this worker still holds the job. If so, a row lock keeps it until the transaction
    ends.
    """
    return bool(
        await connection.fetchval(
            f"SELECT true FROM {jobs_table()} WHERE id = $1 AND status = 'picked'"  # noqa: S608
            " AND queue_manager_id = $2 FOR KEY SHARE",
            job_id,
            manager_id,
        )
    )


async def is_recorded(connection: Connection, job_id: int, step: str, started_at: datetime) -> bool:
    """Whether this call is stored already, after a commit whose confirmation was lost."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM calls WHERE started_at = $1 AND job_id = $2 AND step = $3)",
            started_at,
            job_id,
            step,
        )
    )
