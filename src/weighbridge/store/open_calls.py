"""Calls that may be in flight, by the key sent with them: written before they go, deleted when
recorded.

What a process leaves here when it dies are the calls that may have been paid for without a reply.
`engine/jobs/orphaned_calls.py` asks the provider for these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from weighbridge.store.database import Connection

KEPT: Final = timedelta(days=7)
"""How long the provider is asked for a lost reply; then the row is deleted."""

_COLUMNS: Final = (
    "key, provider, simulated, question, step_version, product_ids, question_fingerprints, "
    "started_at, estimated_tokens, output_allowance, batch_id, job_id"
)


@dataclass(frozen=True, slots=True)
class OpenCall:
    """One call that has a permit. `question_fingerprints` are those of `product_ids`, in order."""

    key: str
    provider: str
    simulated: bool
    question: str
    step_version: str
    product_ids: Sequence[int]
    question_fingerprints: Sequence[str]
    started_at: datetime
    estimated_tokens: int = 0
    output_allowance: int = 0
    batch_id: int | None = None
    """Id of the batch that contains the call, if it is one of a batch."""
    job_id: int | None = None

    def begun(self, started_at: datetime, estimated_tokens: int, output_allowance: int) -> OpenCall:
        """The same call, with what is known once it has a permit."""
        return replace(
            self,
            started_at=started_at,
            estimated_tokens=estimated_tokens,
            output_allowance=output_allowance,
        )

    def in_batch(self, batch_id: int) -> OpenCall:
        """The same call as a request of this batch."""
        return replace(self, batch_id=batch_id)


async def insert(connection: Connection, calls: Sequence[OpenCall]) -> None:
    """Insert calls that are about to be sent.

    A call whose key is stored already (the commit of its permit was in doubt, so the permit was
    given again) is updated.
    """
    await connection.executemany(
        "INSERT INTO open_calls (key, provider, simulated, question, step_version, product_ids, "
        "question_fingerprints, started_at, estimated_tokens, output_allowance, batch_id, "
        "job_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (key) DO UPDATE SET started_at = "
        "excluded.started_at, estimated_tokens = excluded.estimated_tokens, output_allowance = "
        "excluded.output_allowance",
        [
            (
                call.key,
                call.provider,
                call.simulated,
                call.question,
                call.step_version,
                call.product_ids,
                call.question_fingerprints,
                call.started_at,
                call.estimated_tokens,
                call.output_allowance,
                call.batch_id,
                call.job_id,
            )
            for call in calls
        ],
    )


async def about(
    connection: Connection, product_ids: Collection[int], provider: str, *, simulated: bool
) -> list[OpenCall]:
    """Open calls about any of these products, the oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM open_calls o WHERE o.provider = $2 AND o.simulated = $3"  # noqa: S608
        " AND NOT o.given_up AND o.batch_id IS NULL"
        # A join hashes each id once; the operator && would compare all with all.
        " AND o.key IN (SELECT c.key FROM open_calls c CROSS JOIN unnest(c.product_ids) AS p (id)"
        " JOIN unnest($1::bigint[]) AS wanted (id) ON wanted.id = p.id)"
        " ORDER BY o.started_at",
        list(product_ids),
        provider,
        simulated,
    )
    return [OpenCall(**dict(row)) for row in rows]


async def of_batch(connection: Connection, batch_id: int) -> list[OpenCall]:
    """The requests of a batch whose replies are not on record and not given up."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM open_calls WHERE batch_id = $1 AND NOT given_up",  # noqa: S608
        batch_id,
    )
    return [OpenCall(**dict(row)) for row in rows]


async def is_open(connection: Connection, key: str) -> bool:
    """Whether the call is neither recorded nor given up."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM open_calls WHERE key = $1 AND NOT given_up)", key
    )
    return bool(found)


async def close(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Close calls that this transaction records. Returns those that were open: each key once."""
    if not keys:
        return set()
    rows = await connection.fetch(
        "DELETE FROM open_calls WHERE key = ANY($1::text[]) RETURNING key", keys
    )
    return {row["key"] for row in rows}


async def mark_empty(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Give up requests of a batch whose empty replies this transaction records: until the batch
    ends they count as unanswered, and are not read again. Returns those that were open: each once.
    """
    if not keys:
        return set()
    rows = await connection.fetch(
        "UPDATE open_calls SET given_up = true WHERE key = ANY($1::text[]) AND NOT given_up "
        "RETURNING key",
        keys,
    )
    return {row["key"] for row in rows}


async def give_up(connection: Connection, key: str) -> None:
    """Stop asking for the reply. A worker that gets it after all may still record it."""
    await connection.execute("UPDATE open_calls SET given_up = true WHERE key = $1", key)
