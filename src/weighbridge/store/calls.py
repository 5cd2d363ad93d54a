"""Calls: one row per request to a provider, and what can be counted from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.domain.calls import Lane, Usage
    from weighbridge.store.database import Connection

OK = "ok"
"""The outcome of a call whose reply could be read, whether or not its answers were accepted."""


class CallRecord(NamedTuple):
    """One stored call. `outcome` is `ok` or the name of an error class.

    `step` names the question: a step, or `together` when one call asked for all of them.
    """

    started_at: datetime
    latency_s: float
    waited_s: float
    provider: str
    model: str
    simulated: bool
    lane: Lane
    step: str
    step_version: str
    job_id: int
    product_ids: Sequence[int]
    outcome: str
    error: str | None
    request_id: str | None
    estimated_tokens: int
    output_allowance: int
    usage: Usage
    cost_usd: float
    key: str | None = None
    """The key of its open call, if it has one (see `open_calls`)."""
    unusable: str | None = None
    """The kind of error, where nothing in the reply could be accepted; None otherwise."""
    service_tier: str | None = None
    price_known: bool = True
    batch_id: int | None = None


async def insert_calls(connection: Connection, calls: Sequence[CallRecord]) -> list[int]:
    """Record the calls; returns their ids, in the same order."""
    if not calls:
        return []
    rows = await connection.fetch(
        "SELECT nextval(pg_get_serial_sequence('calls', 'id')) AS id FROM generate_series(1, $1)",
        len(calls),
    )
    ids = [row["id"] for row in rows]
    await connection.executemany(
        "INSERT INTO calls (id, started_at, latency_s, waited_s, provider, model, simulated, "
        "lane, step, step_version, job_id, product_ids, outcome, error, request_id, "
        "estimated_tokens, output_allowance, input_tokens, cached_input_tokens, output_tokens, "
        "cost_usd, unusable, cache_write_tokens, reasoning_tokens, service_tier, price_known, batch_id) "
        "OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
        "$14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)",
        [
            (
                call_id,
                call.started_at,
                call.latency_s,
                call.waited_s,
                call.provider,
                call.model,
                call.simulated,
                call.lane.value,
                call.step,
                call.step_version,
                call.job_id,
                call.product_ids,
                call.outcome,
                call.error,
                call.request_id,
                call.estimated_tokens,
                call.output_allowance,
                call.usage.input_tokens,
                call.usage.cached_input_tokens,
                call.usage.output_tokens,
                call.cost_usd,
                call.unusable,
                call.usage.cache_write_tokens,
                call.usage.reasoning_tokens,
                call.service_tier,
                call.price_known,
                call.batch_id,
            )
            for call_id, call in zip(ids, calls, strict=True)
        ],
    )
    return ids


async def slowest_s(connection: Connection, of_last: int = 1_000) -> float | None:
    """How long the slowest of the last calls took, whatever its outcome; None without calls.

    Calls in batches do not count.
    """
    slowest: float | None = await connection.fetchval(
        "SELECT max(latency_s) FROM (SELECT latency_s FROM calls WHERE batch_id IS NULL ORDER BY id DESC LIMIT $1) AS "
        "last",
        of_last,
    )
    return slowest


@dataclass(frozen=True, slots=True)
class CallTotals:
    """Sums over a set of calls."""

    calls: int
    failed_calls: int
    rate_limited: int
    estimated_tokens: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced_calls: int
    latency_p50_s: float | None
    latency_p95_s: float | None

    @property
    def known_cost_usd(self) -> float | None:
        """The cost; None where the price of none of the calls is known."""
        return None if self.unpriced_calls and not self.cost_usd else self.cost_usd


async def totals(connection: Connection, since: datetime | None = None) -> CallTotals:
    """Sums over the calls begun at or after `since` (all, when None), deleted ones included.

    Of deleted calls only the sums of whole days are left: those of the days after `since` count.
    Percentiles are over calls that are still there.
    """
    row = await connection.fetchrow(
        "WITH kept AS ( SELECT count(*) AS calls, count(*) FILTER (WHERE outcome <> 'ok') AS "
        "failed_calls, count(*) FILTER (WHERE outcome = 'RateLimited') AS rate_limited, "
        "sum(estimated_tokens) AS estimated_tokens, sum(input_tokens) AS input_tokens, "
        "sum(cached_input_tokens) AS cached_input_tokens, sum(output_tokens) AS output_tokens, "
        "sum(cost_usd) AS cost_usd, count(*) FILTER (WHERE NOT price_known) AS unpriced_calls, "
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_s) FILTER (WHERE outcome = 'ok' AND batch_id IS NULL) AS "
        "latency_p50_s, percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_s) FILTER (WHERE "
        "outcome = 'ok' AND batch_id IS NULL) AS latency_p95_s FROM calls WHERE $1::timestamptz IS NULL OR started_at "
        ">= $1), trimmed AS ( SELECT sum(calls) AS calls, sum(calls) FILTER (WHERE outcome <> "
        "'ok') AS failed_calls, sum(calls) FILTER (WHERE outcome = 'RateLimited') AS "
        "rate_limited, sum(estimated_tokens) AS estimated_tokens, sum(input_tokens) AS "
        "input_tokens, sum(cached_input_tokens) AS cached_input_tokens, sum(output_tokens) AS "
        "output_tokens, sum(cost_usd) AS cost_usd, sum(unpriced_calls) AS unpriced_calls, "
        "NULL::float8 AS latency_p50_s, NULL::float8 AS latency_p95_s FROM call_rollups WHERE $1 "
        "IS NULL OR day > ($1 AT TIME ZONE 'UTC')::date) SELECT coalesce(sum(calls), 0)::bigint "
        "AS calls, coalesce(sum(failed_calls), 0)::bigint AS failed_calls, "
        "coalesce(sum(rate_limited), 0)::bigint AS rate_limited, coalesce(sum(estimated_tokens), "
        "0)::bigint AS estimated_tokens, coalesce(sum(input_tokens), 0)::bigint AS input_tokens, "
        "coalesce(sum(cached_input_tokens), 0)::bigint AS cached_input_tokens, "
        "coalesce(sum(output_tokens), 0)::bigint AS output_tokens, coalesce(sum(cost_usd), 0) AS "
        "cost_usd, coalesce(sum(unpriced_calls), 0)::bigint AS unpriced_calls, "
        "max(latency_p50_s) AS latency_p50_s, max(latency_p95_s) AS latency_p95_s FROM (TABLE "
        "kept UNION ALL TABLE trimmed) AS both_kinds",
        since,
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return CallTotals(**dict(row))


async def calls_of(
    connection: Connection, product_id: int, limit: int = 100
) -> list[dict[str, Any]]:
    """The calls that a product took part in, newest first."""
    rows = await connection.fetch(
        "SELECT id, started_at, latency_s, waited_s, provider, model, simulated, step, "
        "step_version, CASE lane WHEN 'live' THEN 'online' ELSE lane END AS lane, outcome, error, request_id, cardinality(product_ids) AS group_size, "
        "input_tokens, cached_input_tokens, output_tokens, cost_usd FROM calls WHERE product_ids "
        "@> ARRAY[$1::bigint] ORDER BY id DESC LIMIT $2",
        product_id,
        limit,
    )
    return [dict(row) for row in rows]
