"""Batches at the provider: a row for each, from before it is submitted until all of it is recorded.

The states of a row, and what a process that finds it knows:

    prepared    nothing has left this machine yet
    uploaded    the file is at the provider, and no batch was made of it
    creating    a batch may have been made of it: look for it there before making one
    submitted   the provider has named it
    collected   every reply is on record, and the committed money that was not spent is given back
    discarded   the provider never took it
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.domain.batches import BatchesInFlight
from weighbridge.store import budgets, jobs, queue_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from weighbridge.domain.batches import RemoteBatch
    from weighbridge.store.database import Connection


class BatchState(StrEnum):
    """Where a batch stands on our side."""

    PREPARED = "prepared"
    UPLOADED = "uploaded"
    CREATING = "creating"
    SUBMITTED = "submitted"
    COLLECTED = "collected"
    DISCARDED = "discarded"


_OPEN: Final = "state NOT IN ('collected', 'discarded')"
_COLUMNS: Final = (
    "id, key, state, requests, tokens, committed_usd, spans, job_ids, file_id, batch_id, status, "
    "completed, failed, prepared_at, creating_at, submitted_at"
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One row. `key` is the identity that we tell the provider, `batch_id` the one that the
    provider gave.
    """

    id: int
    key: str
    state: BatchState
    requests: int
    tokens: int
    committed_usd: float
    spans: tuple[tuple[str, str], ...]  # (budget, its day or month) that the money is committed in
    job_ids: Sequence[int]
    file_id: str | None
    batch_id: str | None
    status: str | None
    completed: int
    failed: int
    prepared_at: datetime
    creating_at: datetime | None
    submitted_at: datetime | None


async def insert(
    connection: Connection,
    key: str,
    *,
    provider: str,
    simulated: bool,
    model: str,
    job_ids: Sequence[int],
    tokens: int,
    committed_usd: float,
    spans: Sequence[tuple[str, str]],
) -> int:
    """Record a batch before anything of it leaves; returns its id."""
    return int(
        await connection.fetchval(
            "INSERT INTO batches (key, provider, simulated, model, requests, job_ids, tokens, "
            "committed_usd, spans) VALUES ($1, $2, $3, $4, cardinality($5::bigint[]), $5, $6, $7, "
            "$8) RETURNING id",
            key,
            provider,
            simulated,
            model,
            job_ids,
            tokens,
            committed_usd,
            list(spans),
        )
    )


async def load_open(connection: Connection, provider: str, *, simulated: bool) -> list[StoredBatch]:
    """The batches that are not over, the oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM batches WHERE {_OPEN} AND provider = $1 AND simulated = $2 ORDER BY id",  # noqa: S608
        provider,
        simulated,
    )
    return [_of_row(row) for row in rows]


async def find(connection: Connection, key: str) -> StoredBatch | None:
    """The batch with this key; None where there is none."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM batches WHERE key = $1", key)  # noqa: S608
    return _of_row(row) if row else None


async def mark_uploaded(connection: Connection, batch: int, file_id: str) -> None:
    """Note that the file of a batch is at the provider, and that no batch has been made of it."""
    await connection.execute(
        "UPDATE batches SET state = 'uploaded', file_id = $2, creating_at = NULL WHERE id = $1",
        batch,
        file_id,
    )


async def mark_creating(connection: Connection, batch: int) -> bool:
    """Note that the batch may exist at the provider from now on; returns False, and changes
    nothing, while the queue is stopped.
    """
    is_running = await queue_state.is_running(connection)
    if is_running:
        await connection.execute(
            "UPDATE batches SET state = 'creating', creating_at = now() WHERE id = $1", batch
        )
    return is_running


async def mark_submitted(connection: Connection, batch: int, remote: RemoteBatch) -> None:
    """Note that the provider has the batch, and how it stands."""
    await connection.execute(
        "UPDATE batches SET state = 'submitted', batch_id = $2, status = $3, completed = $4, "
        "failed = $5, submitted_at = coalesce(submitted_at, now()) WHERE id = $1",
        batch,
        remote.id,
        remote.status.value,
        remote.completed,
        remote.failed,
    )


async def close(
    connection: Connection,
    batch: StoredBatch,
    state: BatchState,
    error: str | None = None,
    *,
    unread_usd: float = 0.0,
) -> int:
    """Note that a batch is over, free its jobs, and give back the money that it did not spend;
    returns how many of its requests have no reply.

    After a collected batch, each product without a reply is counted as unanswered once more; a
    discarded batch has asked nothing. `unread_usd` is what unreadable replies may cost: it is not
    given back.
    """
    if state is BatchState.COLLECTED:
        await _count_unanswered(connection, batch)
    tag = await connection.execute("DELETE FROM open_calls WHERE batch_id = $1", batch.id)
    await jobs.give_back(connection, batch.job_ids)
    spent_usd = await connection.fetchval(
        "UPDATE batches SET state = $2, error = $3, ended_at = now() WHERE id = $1 RETURNING "
        "(SELECT coalesce(sum(cost_usd), 0) FROM calls WHERE batch_id = $1)",
        batch.id,
        state.value,
        error,
    )
    back_usd = batch.committed_usd - float(spent_usd)
    back_usd -= min(unread_usd, max(0.0, back_usd))
    await budgets.commit_more(connection, dict.fromkeys(batch.spans, -back_usd))
    return int(tag.split()[-1])


async def _count_unanswered(connection: Connection, batch: StoredBatch) -> None:
    """Count one more batch without a reply for each product that it left unanswered."""
    await connection.execute(
        "WITH left_over AS (SELECT DISTINCT unnest(product_ids) AS id FROM open_calls WHERE "
        "batch_id = $1), changed AS (SELECT p.id, l.id IS NOT NULL AS is_unanswered FROM products "
        "p LEFT JOIN left_over l ON l.id = p.id WHERE p.job_id = ANY($2::bigint[]) AND (l.id IS "
        "NOT NULL OR p.unanswered_batches > 0) ORDER BY p.id FOR NO KEY UPDATE OF p) UPDATE "
        "products p SET unanswered_batches = CASE WHEN c.is_unanswered THEN "
        "p.unanswered_batches + 1 ELSE 0 END FROM changed c WHERE p.id = c.id",
        batch.id,
        list(batch.job_ids),
    )


async def finish_online(connection: Connection, job_ids: Sequence[int]) -> int:
    """Let the model be asked about the products of these waiting jobs in ordinary calls, no longer
    in batches; returns how many products.
    """
    tag = await connection.execute(
        "WITH theirs AS (SELECT id FROM products WHERE job_id = ANY($1::bigint[]) ORDER BY id FOR "
        "NO KEY UPDATE) UPDATE products p SET lane = 'online', unanswered_batches = 0 FROM theirs "
        "t WHERE p.id = t.id AND p.lane = 'batch'",
        job_ids,
    )
    await jobs.route(connection, job_ids)
    return int(tag.split()[-1])


IN_FLIGHT: Final = (
    "SELECT count(*)::int AS batches, coalesce(sum(requests), 0)::bigint AS requests, "  # noqa: S608
    "coalesce(sum(completed + failed), 0)::bigint AS answered, min(prepared_at) AS oldest_at "
    f"FROM batches WHERE {_OPEN}"
)
"""SQL for the number of batches that have not ended, their requests and answers in total, and when
the oldest was prepared.
"""


def in_flight_of_row(row: Record) -> BatchesInFlight:
    """The sums in a row of `IN_FLIGHT`, which may have other columns too."""
    return BatchesInFlight(row["batches"], row["requests"], row["answered"], row["oldest_at"])


async def in_flight(connection: Connection) -> BatchesInFlight:
    """The sums over all batches that are not over."""
    row = await connection.fetchrow(IN_FLIGHT)
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return in_flight_of_row(row)


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """A batch as a person looks at it. `spent_usd` is what its replies on record cost."""

    id: int
    state: BatchState
    status: str | None
    batch_id: str | None
    model: str
    simulated: bool
    requests: int
    completed: int
    failed: int
    committed_usd: float
    spent_usd: float
    error: str | None
    prepared_at: datetime
    ended_at: datetime | None


_LISTED: Final = (
    "SELECT id, state, status, batch_id, model, simulated, requests, completed, failed, "
    "committed_usd, error, prepared_at, ended_at, (SELECT coalesce(sum(cost_usd), 0) FROM calls c "
    "WHERE c.batch_id = b.id) AS spent_usd FROM batches b WHERE $1::bigint IS NULL OR id < $1 "
    "ORDER BY id DESC LIMIT $2"
)


async def newest(connection: Connection, before_id: int | None, limit: int) -> list[ListedBatch]:
    """The newest batches, or those older than `before_id`, in whatever state; the newest first."""
    rows = await connection.fetch(_LISTED, before_id, limit)
    return [ListedBatch(**{**row, "state": BatchState(row["state"])}) for row in rows]


def _of_row(row: Record) -> StoredBatch:
    values = {name: row[name] for name in _COLUMNS.split(", ")}
    values["state"] = BatchState(row["state"])
    values["spans"] = tuple((name, span) for name, span in row["spans"])
    return StoredBatch(**values)
