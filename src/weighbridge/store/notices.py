"""The outbox of notices, and what notices have been made for so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.domain.budgets import is_budget_reason
from weighbridge.domain.notices import LONG_AGO, Channel, Halt, Look, Notice, NoticeKind, Told
from weighbridge.store import queue_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from asyncpg import Record

    from weighbridge.store.database import Connection

LEASE_S: Final = 60.0
"""How long a delivery may take. Where the process died during one, another delivers the notice
after this time.
"""
_TOLD: Final = "busy, last_call, last_result, halt"


async def look(connection: Connection, scope: UUID | None, over_budget: str | None) -> Look:
    """The state of the queue, as far as notices are about it. `over_budget` says which budget of
    this process is used up; None: none is.
    """
    within = "AND EXISTS (SELECT FROM scopes s WHERE s.import_id = $1 AND s.product_id = p.id)"
    # One statement: of several, one would miss a product that goes back to wait meanwhile, or tell
    # a result as the end now and as a new one later.
    row = await connection.fetchrow(
        "SELECT (SELECT p.id FROM products p WHERE p.status = 'pending' "  # noqa: S608
        f"{within if scope else ''} ORDER BY p.id LIMIT 1) IS NOT NULL OR EXISTS (SELECT FROM products p "
        f"WHERE p.status = 'processing' {within if scope else ''}) AS waits, "
        "(SELECT coalesce(max(id), 0) FROM calls) AS last_call, "
        "(SELECT max(completed_at) FROM products WHERE status = 'completed') AS last_result",
        *([scope] if scope else []),
    )
    assert row is not None  # noqa: S101 - a select without FROM has one row
    state = await queue_state.load(connection)
    reason = (state.paused_reason or over_budget or "") if row["waits"] else ""
    return Look(
        idle=not row["waits"],
        last_call=row["last_call"],
        last_result=row["last_result"] or LONG_AGO,
        halt=_halt(reason, is_running=state.running),
        reason=reason,
    )


def _halt(reason: str, *, is_running: bool) -> Halt:
    """The kind of pause that its stated reason belongs to ("" means that there is no pause)."""
    if not reason:
        return Halt.NONE
    if is_budget_reason(reason):
        return Halt.BUDGET
    return Halt.PAUSED if is_running else Halt.STOPPED


async def lock_told(connection: Connection, first: Look) -> Told:
    """What notices have been made for, locked until the transaction ends.

    The first time, all that `first` shows is stored as already announced, except a pause.
    """
    await connection.execute(
        f"INSERT INTO notice_state ({_TOLD}) VALUES ($1, $2, $3, '') ON CONFLICT DO NOTHING",  # noqa: S608
        not first.idle,
        first.last_call,
        first.last_result,
    )
    row = await connection.fetchrow(f"SELECT {_TOLD} FROM notice_state FOR UPDATE")  # noqa: S608
    assert row is not None  # noqa: S101 - inserted above
    return Told(row["busy"], row["last_call"], row["last_result"], Halt(row["halt"]))


async def put_told(connection: Connection, told: Told) -> None:
    """Store what notices have been made for."""
    await connection.execute(
        "UPDATE notice_state SET busy = $1, last_call = $2, last_result = $3, halt = $4",
        told.busy,
        told.last_call,
        told.last_result,
        told.halt.value,
    )


async def add(connection: Connection, notices: Sequence[Notice], now: datetime) -> None:
    """Put notices into the outbox."""
    await connection.executemany(
        "INSERT INTO notices (id, channel, kind, body, happened_at, next_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        [(n.id, n.channel.value, n.kind.value, n.body, n.happened_at, now) for n in notices],
    )


async def claim(
    connection: Connection, channels: Sequence[Channel], now: datetime, lease: timedelta
) -> Notice | None:
    """The notice that has been due for longest, for this process alone until the lease ends."""
    row = await connection.fetchrow(
        "UPDATE notices SET attempts = attempts + 1, next_at = $2 WHERE id = (SELECT id FROM "
        "notices WHERE delivered_at IS NULL AND given_up_at IS NULL AND channel = ANY($3) AND "
        "next_at <= $1 ORDER BY happened_at, next_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, channel, kind, body, happened_at, attempts",
        now,
        now + lease,
        [channel.value for channel in channels],
    )
    return _of_row(row) if row else None


async def mark_delivered(connection: Connection, notice: Notice, now: datetime) -> None:
    """Note that a notice has arrived."""
    await connection.execute(
        "UPDATE notices SET delivered_at = $2, last_error = NULL WHERE id = $1", notice.id, now
    )


async def mark_failed(
    connection: Connection, notice: Notice, error: str, now: datetime, next_at: datetime | None
) -> None:
    """Note that a delivery failed; `next_at` None: nobody tries again."""
    await connection.execute(
        "UPDATE notices SET last_error = $2, next_at = coalesce($3, next_at), given_up_at = "
        "CASE WHEN $3::timestamptz IS NULL THEN $4::timestamptz END WHERE id = $1",
        notice.id,
        error,
        next_at,
        now,
    )


async def newest(connection: Connection, limit: int) -> list[Record]:
    """The last notices, with what became of them."""
    found: list[Record] = await connection.fetch(
        "SELECT channel, kind, happened_at, attempts, next_at, delivered_at, given_up_at, "
        "last_error FROM notices ORDER BY happened_at DESC, channel LIMIT $1",
        limit,
    )
    return found


async def trim(connection: Connection, age: timedelta) -> int:
    """Delete up to 1,000 old notices that were delivered or given up; returns how many."""
    tag = await connection.execute(
        "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE coalesce(delivered_at, "
        "given_up_at) < now() - $1::interval LIMIT 1000)",
        age,
    )
    return int(tag.split()[-1])


def _of_row(row: Record) -> Notice:
    """The notice in a row of the table."""
    return Notice(
        id=str(row["id"]),
        channel=Channel(row["channel"]),
        kind=NoticeKind(row["kind"]),
        body=row["body"],
        happened_at=row["happened_at"],
        attempts=row["attempts"],
    )
