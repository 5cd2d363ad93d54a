"""What of a group still belongs to its job: the look, with locks, that every record begins with.

Between a question and its answer a product may be changed, deleted or given to another job, and the job
itself may be taken over. Rows are locked in order of id, as imports do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.store.jobs import jobs_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from weighbridge.domain.answers import StepName
    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class Membership:
    """`existing` are all products that are not deleted; `revision_of` only those still in the job.

    `held` is False when the job is another worker's now: then nothing is in it, for us.
    """

    held: bool
    existing: frozenset[int]
    revision_of: Mapping[int, int]


async def lock_members(
    connection: Connection, job_id: int, product_ids: Collection[int], manager_id: UUID
) -> Membership:
    """Lock the products until the transaction ends, so that nothing moves under the record."""
    rows = await connection.fetch(
        "WITH held AS MATERIALIZED ("  # noqa: S608
        f"SELECT id FROM {jobs_table()} WHERE id = $2 AND status = 'picked' AND queue_manager_id = $3"
        # Not even a takeover comes between; heartbeats may.
        " FOR KEY SHARE)"
        " SELECT p.id, p.revision, p.job_id = $2 AND p.status = 'processing' AS belongs,"
        " EXISTS (SELECT FROM held) AS held"
        " FROM products p WHERE p.id = ANY($1::bigint[]) ORDER BY p.id FOR NO KEY UPDATE OF p",
        list(product_ids),
        job_id,
        manager_id,
    )
    return Membership(
        held=all(row["held"] for row in rows),
        existing=frozenset(row["id"] for row in rows),
        revision_of={row["id"]: row["revision"] for row in rows if row["held"] and row["belongs"]},
    )


async def is_held(connection: Connection, job_id: int, manager_id: UUID) -> bool:
    """Whether the job is still this worker's; it stays so until the transaction ends."""
    return bool(
        await connection.fetchval(
            f"SELECT true FROM {jobs_table()} WHERE id = $1 AND status = 'picked'"  # noqa: S608
            " AND queue_manager_id = $2 FOR KEY SHARE",
            job_id,
            manager_id,
        )
    )


async def is_recorded(
    connection: Connection, job_id: int, step: StepName, started_at: datetime
) -> bool:
    """Whether this very call is in the table already: its commit succeeded, and the word of it was lost."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM calls WHERE started_at = $1 AND job_id = $2 AND step = $3)",
            started_at,
            job_id,
            step.value,
        )
    )
