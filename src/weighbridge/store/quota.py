"""The stored state of the limiter: one locked row per provider account, shared by every process.

It is read together with everything else that a round needs, in as few statements as possible: all
other processes wait for the row in the meantime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.store import queue_state
from weighbridge.store.jobs import jobs_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from weighbridge.store.database import Connection
    from weighbridge.store.queue_state import QueueState


USED_LAST: Final = "SELECT state FROM quota ORDER BY updated_at DESC LIMIT 1"
"""SQL for the state of the account that was used last, without locking, for display."""


@dataclass(frozen=True, slots=True)
class QuotaSnapshot:
    """What a round of the governor begins with.

    `state` is None before the first call of the account.
    """

    began_s: float  # this process's clock, just before the database's was read
    now_s: float  # the database's clock, epoch seconds
    state: bytes | None
    queue: QueueState
    held: frozenset[int]


async def lock_quota(
    connection: Connection,
    account: str,
    job_ids: Sequence[int],
    manager_id: UUID,
    monotonic_s: Callable[[], float],
) -> QuotaSnapshot:
    """Lock the account's row until the transaction ends, then read the clock, the queue and the
    jobs.

    The time is read after the lock was acquired, so that it never runs backwards between two
    holders. `held` are those of `job_ids` that this worker still holds.
    """
    state = await _lock(connection, account)
    began_s = monotonic_s()
    row = await connection.fetchrow(
        f"SELECT {queue_state.COLUMNS}, extract(epoch FROM clock_timestamp())::float8 AS now_s,"  # noqa: S608
        f" ARRAY(SELECT j.id FROM {jobs_table()} j WHERE j.id = ANY($1::bigint[])"
        " AND j.status = 'picked' AND j.queue_manager_id = $2) AS held FROM queue_state",
        job_ids,
        manager_id,
    )
    assert row is not None  # noqa: S101 - seeded when the database was opened
    return QuotaSnapshot(
        began_s, row["now_s"], state or None, queue_state.of_row(row), frozenset(row["held"])
    )


async def _lock(connection: Connection, account: str) -> bytes:
    """The stored state of the account (empty before its first call), locked until the end of the
    transaction.
    """
    while True:
        state = await connection.fetchval(
            "SELECT state FROM quota WHERE account = $1 FOR UPDATE", account
        )
        if state is not None:
            return bytes(state)
        await connection.execute(
            "INSERT INTO quota (account, state) VALUES ($1, '') ON CONFLICT DO NOTHING", account
        )


async def save(connection: Connection, account: str, state: bytes) -> None:
    """Store the limiter's state; the caller holds the lock on the row."""
    await connection.execute(
        "UPDATE quota SET state = $2, updated_at = now() WHERE account = $1", account, state
    )
