"""What happened lately, minute by minute. Each function is one statement over an index on time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class MinuteOfCalls:
    """Calls that began in one minute."""

    minute: datetime
    calls: int
    failed_calls: int
    tokens: int
    cost_usd: float
    latency_p50_s: float | None
    latency_p95_s: float | None


async def calls_by_minute(connection: Connection, since: datetime) -> list[MinuteOfCalls]:
    """Minutes with calls, oldest first."""
    rows = await connection.fetch(
        "SELECT date_trunc('minute', started_at) AS minute, count(*) AS calls, count(*) FILTER "
        "(WHERE outcome <> 'ok') AS failed_calls, sum(input_tokens + output_tokens)::bigint AS "
        "tokens, sum(cost_usd) AS cost_usd, percentile_cont(0.5) WITHIN GROUP (ORDER BY "
        "latency_s) FILTER (WHERE outcome = 'ok') AS latency_p50_s, percentile_cont(0.95) WITHIN "
        "GROUP (ORDER BY latency_s) FILTER (WHERE outcome = 'ok') AS latency_p95_s FROM calls "
        "WHERE started_at >= $1 GROUP BY 1 ORDER BY 1",
        since,
    )
    return [MinuteOfCalls(**dict(row)) for row in rows]


async def completed_by_minute(connection: Connection, since: datetime) -> dict[datetime, int]:
    """Minute → how many products were completed in it."""
    rows = await connection.fetch(
        "SELECT date_trunc('minute', completed_at) AS minute, count(*) AS n FROM products"
        " WHERE status = 'completed' AND completed_at >= $1 GROUP BY 1",
        since,
    )
    return {row["minute"]: row["n"] for row in rows}


async def completed_since(connection: Connection, since: datetime) -> tuple[int, datetime | None]:
    """How many products were completed at or after `since`, and when the first of them was (None
    without any).
    """
    row = await connection.fetchrow(
        "SELECT count(*) AS n, min(completed_at) AS first FROM products"
        " WHERE status = 'completed' AND completed_at >= $1",
        since,
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row["n"], row["first"]
