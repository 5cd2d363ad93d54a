"""Stops the queue, whoever asks for it: a person, or a worker whose provider refuses everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.store import jobs, products, queue_state

if TYPE_CHECKING:
    from weighbridge.store.database import Connection


async def stop(connection: Connection, reason: str | None = None) -> tuple[bool, int]:
    """Stop the queue: no call begins after the commit. Returns (whether it was running, how many
    products were put back to `pending`).

    `reason` is kept for the operator, unless the queue was stopped before. Products of jobs in
    progress return to `pending` as their calls end.
    """
    # A round holds a quota row while it reserves: while we hold the rows, no round is in progress.
    await connection.execute("SELECT FROM quota FOR UPDATE")
    was_running = (await queue_state.load(connection)).running
    said = {"paused_reason": reason} if reason and was_running else {}
    await queue_state.update(connection, running=False, next_batch_at=None, **said)
    released = await products.release_jobs(connection, await jobs.withdraw_queued(connection))
    return was_running, released
