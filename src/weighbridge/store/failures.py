"""Why products and calls failed, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.store.database import LONG_STATEMENT_S

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class FailedProducts:
    """Products that failed for the same kind of reason."""

    kind: str
    count: int
    example: str
    example_code: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class FailedCalls:
    """Calls for one step that ended in the same kind of error."""

    step: str
    kind: str
    count: int
    example: str
    last_at: datetime


async def failed_products(connection: Connection) -> list[FailedProducts]:
    """Failed products by the kind of reason, the most frequent first."""
    rows = await connection.fetch(
        "SELECT coalesce(error_kind, 'unknown') AS kind, count(*) AS count, max(updated_at) AS "
        "last_at, coalesce((array_agg(error ORDER BY updated_at DESC))[1], '') AS example, "
        "(array_agg(code ORDER BY updated_at DESC))[1] AS example_code FROM products WHERE "
        "status = 'failed' GROUP BY 1 ORDER BY count DESC, kind",
        timeout=LONG_STATEMENT_S,
    )
    return [FailedProducts(**dict(row)) for row in rows]


async def failed_calls(connection: Connection, since: datetime) -> list[FailedCalls]:
    """Calls begun since, by step and kind of error, the most frequent first."""
    rows = await connection.fetch(
        "SELECT step, outcome AS kind, count(*) AS count, max(started_at) AS last_at,"
        " coalesce((array_agg(error ORDER BY started_at DESC))[1], '') AS example"
        " FROM calls WHERE outcome <> 'ok' AND started_at >= $1 GROUP BY step, outcome ORDER BY "
        "count DESC, step",
        since,
        timeout=LONG_STATEMENT_S,
    )
    return [FailedCalls(**dict(row)) for row in rows]
