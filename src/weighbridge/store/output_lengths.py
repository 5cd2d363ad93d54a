"""The output lengths learned about each model, so that a new process starts with fitting
allowances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weighbridge.store.database import Connection


async def load(connection: Connection, model: str) -> dict[str, Any] | None:
    """What was saved, or None."""
    state: dict[str, Any] | None = await connection.fetchval(
        "SELECT state FROM output_lengths WHERE model = $1", model
    )
    return state


async def save(connection: Connection, model: str, state: dict[str, Any]) -> None:
    """Keep it; the last process to save wins, which is good enough for a statistic."""
    await connection.execute(
        "INSERT INTO output_lengths (model, state) VALUES ($1, $2)"
        " ON CONFLICT (model) DO UPDATE SET state = excluded.state, updated_at = now()",
        model,
        state,
    )
