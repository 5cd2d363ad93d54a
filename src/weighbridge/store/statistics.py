"""Sums over calls and products, for statistics and metrics. Each function is one statement.

Calls are summed by everything that is asked for at once (step, model, outcome, buckets of latency
and waiting), so that one pass over the table serves all; `service/processing_stats.py` adds them
up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.jobs import ENTRYPOINT, jobs_table

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from weighbridge.store.database import Connection

LATENCY_BOUNDS_S: Final = tuple(round(0.05 * 1.3**power, 3) for power in range(34))
"""Upper bounds of the latency buckets, 0.05 s to 290 s; each is 1.3 times the one before."""
WAITING_BOUNDS_S: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the buckets of the time that calls waited for a permit."""


# Never change either list of bounds: call_rollups holds the buckets of deleted calls.

CALL_SUMS: Final = (
    "step, model, outcome, simulated,"
    # width_bucket counts a value equal to a bound as above it; ours is 'at most', as in Prometheus.
    " width_bucket(latency_s - 1e-9, $1::float8[]) AS latency_bucket, width_bucket(waited_s - "
    "1e-9, $2::float8[]) AS waiting_bucket, count(*) AS calls, sum(latency_s) AS latency_s, "
    "sum(waited_s) AS waited_s, sum(estimated_tokens)::bigint AS estimated_tokens, "
    "sum(input_tokens)::bigint AS input_tokens, sum(cached_input_tokens)::bigint AS "
    "cached_input_tokens, sum(output_tokens)::bigint AS output_tokens, sum(cost_usd) AS cost_usd, "
    "count(*) FILTER (WHERE NOT price_known) AS unpriced_calls"
)
"""The columns of a `CallSum`, over rows of calls; $1 and $2 are the bounds."""


@dataclass(frozen=True, slots=True)
class CallSum:
    """Sums over calls of the same step, model, outcome and so on. A bucket is the index of the
    first bound that was not exceeded.
    """

    step: str
    model: str
    outcome: str
    simulated: bool
    latency_bucket: int
    waiting_bucket: int
    calls: int
    latency_s: float
    waited_s: float
    estimated_tokens: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced_calls: int = 0


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Failures with the same reason. `source` is call or product."""

    source: str
    kind: str
    example: str
    count: int
    last_at: datetime


async def sum_calls(
    connection: Connection,
    *,
    since: datetime | None = None,
    after_id: int = 0,
    up_to_id: int | None = None,
) -> list[CallSum]:
    """Sums of the calls begun at or after `since`, with ids in (after_id, up_to_id].

    Without `since` and `after_id` this includes deleted calls, of which only sums are left.
    """
    rows = await connection.fetch(
        f"SELECT {CALL_SUMS} FROM calls"  # noqa: S608 - constants only
        " WHERE ($3::timestamptz IS NULL OR started_at >= $3) AND id > $4 AND ($5::bigint IS "
        "NULL OR id <= $5) GROUP BY step, model, outcome, simulated, latency_bucket, "
        "waiting_bucket UNION ALL SELECT step, model, outcome, simulated, latency_bucket, "
        "waiting_bucket, sum(calls)::bigint, sum(latency_s), sum(waited_s), "
        "sum(estimated_tokens)::bigint, sum(input_tokens)::bigint, "
        "sum(cached_input_tokens)::bigint, sum(output_tokens)::bigint, sum(cost_usd), "
        "sum(unpriced_calls)::bigint FROM call_rollups WHERE $3 IS NULL AND $4 = 0 GROUP BY "
        "step, model, outcome, simulated, latency_bucket, waiting_bucket",
        list(LATENCY_BOUNDS_S),
        list(WAITING_BOUNDS_S),
        since,
        after_id,
        up_to_id,
        timeout=LONG_STATEMENT_S,
    )
    return [CallSum(**dict(row)) for row in rows]


async def newest_call_id(connection: Connection) -> int:
    """The highest id of a call; 0 without calls."""
    return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM calls"))


async def last_call_before(connection: Connection, moment: datetime) -> int:
    """The id of the last call that began before `moment`; 0 without one."""
    found = await connection.fetchval(
        "SELECT id FROM calls WHERE started_at < $1 ORDER BY started_at DESC LIMIT 1", moment
    )
    return found or 0


async def finished_since(connection: Connection, since: datetime) -> tuple[int, int]:
    """(completed, failed) products whose processing ended at or after `since`."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM products WHERE status = 'completed' AND completed_at >= "
        "$1) AS completed, (SELECT count(*) FROM products WHERE status = 'failed' AND updated_at "
        ">= $1) AS failed",
        since,
    )
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return row["completed"], row["failed"]


async def variants_since(connection: Connection, since: datetime | None) -> int:
    """How many products were completed at or after `since` with the answers of another of their
    design.
    """
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM products WHERE variant_of IS NOT NULL AND status = 'completed'"
            " AND ($1::timestamptz IS NULL OR completed_at >= $1)",
            since,
        )
    )


async def first_and_last_call(
    connection: Connection,
) -> tuple[datetime | None, datetime | None]:
    """When the first call began and when the last one did."""
    row = await connection.fetchrow(
        "SELECT least((SELECT started_at FROM calls ORDER BY started_at LIMIT 1),"
        " (SELECT min(first_started_at) FROM call_rollups)) AS first,"
        " greatest((SELECT started_at FROM calls ORDER BY started_at DESC LIMIT 1),"
        " (SELECT max(last_started_at) FROM call_rollups)) AS last"
    )
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return row["first"], row["last"]


async def recent_errors(
    connection: Connection, since: datetime | None, limit: int = 20
) -> list[ErrorGroup]:
    """Why calls and products failed, the most frequent reason first."""
    rows = await connection.fetch(
        "SELECT * FROM ( SELECT 'call' AS source, outcome AS kind, sum(n)::bigint AS count, "
        "max(last_at) AS last_at, coalesce(max(example), '') AS example FROM (  SELECT outcome, "
        "count(*) AS n, max(started_at) AS last_at,  (array_agg(error ORDER BY started_at "
        "DESC))[1] AS example  FROM calls WHERE outcome <> 'ok' AND ($1::timestamptz IS NULL OR "
        "started_at >= $1) GROUP BY outcome  UNION ALL  SELECT outcome, sum(calls), "
        "max(last_started_at), NULL  FROM call_rollups WHERE outcome <> 'ok' AND $1 IS NULL "
        "GROUP BY outcome ) AS failed_calls GROUP BY outcome UNION ALL SELECT 'product', "
        "coalesce(error_kind, 'unknown'), count(*), max(updated_at), coalesce((array_agg(error "
        "ORDER BY updated_at DESC))[1], '') FROM products WHERE status = 'failed' AND "
        "($1::timestamptz IS NULL OR updated_at >= $1) GROUP BY coalesce(error_kind, 'unknown')) "
        "AS groups ORDER BY count DESC, kind LIMIT $2",
        since,
        limit,
        timeout=LONG_STATEMENT_S,
    )
    return [ErrorGroup(**dict(row)) for row in rows]


async def calls_elsewhere(
    connection: Connection, worker_id: UUID | None, *, are_noted: bool
) -> int:
    """How many calls workers other than `worker_id` have in flight.

    Workers store this number while there is a concurrency cap (`are_noted`). Where there is none,
    their jobs are counted: each has one call in flight at most.
    """
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(CASE WHEN $3 THEN least(groups, in_flight) ELSE groups END), 0)"  # noqa: S608
            f" FROM (SELECT queue_manager_id AS id, count(*) AS groups FROM {jobs_table()} WHERE "
            "entrypoint = $1 AND status = 'picked' AND queue_manager_id IS DISTINCT FROM $2 "
            "GROUP BY 1) AS begun LEFT JOIN workers USING (id)",
            ENTRYPOINT,
            worker_id,
            are_noted,
        )
    )
