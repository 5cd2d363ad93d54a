"""The limiter's memory: one locked row per provider account, shared by every process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.store.database import Connection


async def lock(connection: Connection, account: str) -> tuple[float, bytes | None]:
    """Lock the account's row until the transaction ends; returns (database time in epoch seconds, state).

    The time is read after the lock was granted, so that it never runs backwards between two holders.
    """
    await connection.execute(
        "INSERT INTO quota (account, state) VALUES ($1, '') ON CONFLICT DO NOTHING", account
    )
    state = await connection.fetchval(
        "SELECT state FROM quota WHERE account = $1 FOR UPDATE", account
    )
    now_s = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    return float(now_s), bytes(state) or None


async def save(connection: Connection, account: str, state: bytes) -> None:
    """Keep the limiter's state; the row is locked by us."""
    await connection.execute(
        "UPDATE quota SET state = $2, updated_at = now() WHERE account = $1", account, state
    )


async def read(connection: Connection) -> tuple[float, bytes | None]:
    """The state of the account that was used last, without locking, for display."""
    row = await connection.fetchrow(
        "SELECT extract(epoch FROM clock_timestamp())::float8 AS now_s,"
        " (SELECT state FROM quota ORDER BY updated_at DESC LIMIT 1) AS state"
    )
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return row["now_s"], bytes(row["state"]) if row["state"] else None
