"""Processing statistics of the last 24 hours and overall, by step and by model, from the database.

`StatisticsReader` keeps the sums over calls that finished long ago in memory, since they cannot
change any more: neither statistics nor metrics read the whole table each time. All servers on one
database give the same figures.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.limits.retries import final_errors
from weighbridge.store import batches, earlier_answers, products, retention, statistics
from weighbridge.store.calls import OK
from weighbridge.store.statistics import LATENCY_BOUNDS_S, WAITING_BOUNDS_S, CallSum, ErrorGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from weighbridge.clock import Clock
    from weighbridge.domain.batches import BatchesInFlight
    from weighbridge.domain.products import ProcessingStatus
    from weighbridge.store.database import Connection, Database

__all__ = [
    "LATENCY_BOUNDS_S",
    "OK",
    "WAITING_BOUNDS_S",
    "CallFigures",
    "CallSum",
    "StatisticsReader",
]

SETTLED_AFTER_S: Final = 60.0
"""How many seconds after the id of a call was first seen no call with a smaller id can appear any
more.

A call's row is committed within milliseconds of getting its id.
"""
LONG_AGO: Final = timedelta(minutes=15)
"""Calls that began longer ago than this have ended: the first read of a process takes them as
settled.
"""
FRESH_FOR_S: Final = 2.0
"""The shortest time for which a result is reused before the statistics are read again."""
COST_FACTOR: Final = 20.0
"""A result that took t seconds to read is used again for 20 t, so that statistics take at most 5 %
of one connection's time.
"""
DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class CallFigures:
    """Sums over some calls. Latencies are those of calls with a reply; None if there are none.

    `cost_usd` does not contain the `unpriced_calls`, whose price is not known.
    """

    calls: int
    failed_calls: int
    retries: int
    rate_limited: int
    simulated_calls: int
    estimated_tokens: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced_calls: int
    latency_mean_s: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    waited_mean_s: float | None

    @property
    def known_cost_usd(self) -> float | None:
        """The cost of the priced calls; None if it is 0 and there are calls without a price."""
        return None if self.unpriced_calls and not self.cost_usd else self.cost_usd


@dataclass(frozen=True, slots=True)
class PeriodStats:
    """The statistics of one period. `products_per_hour` is over the time between its first and last
    call.
    """

    completed: int
    failed: int
    variants: int  # completed with the answers of another product of their design
    reused: int  # completed with earlier answers to the same text
    products_per_hour: float
    total: CallFigures
    by_step: dict[str, CallFigures]
    by_model: dict[str, CallFigures]
    errors: list[ErrorGroup]

    @property
    def failure_rate(self) -> float:
        """The share of failed products among the finished ones, from 0 to 1."""
        finished = self.completed + self.failed
        return self.failed / finished if finished else 0.0


@dataclass(frozen=True, slots=True)
class ProcessingStats:
    """The answer of `GET /api/products/processing-stats`."""

    as_of: datetime
    counts: dict[ProcessingStatus, int]
    batches: BatchesInFlight
    last_24_hours: PeriodStats
    overall: PeriodStats


class StatisticsReader:
    """Reads the statistics, and keeps in memory what cannot change. One per process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()
        self._settled: dict[tuple[object, ...], CallSum] = {}
        self._settled_id = 0
        self._noted_id = 0
        self._noted_at_s = 0.0
        self._known: ProcessingStats | None = None
        self._known_until_s = 0.0

    async def call_sums(self) -> list[CallSum]:
        """Sums over all calls ever made; only calls of the last minutes are read from the table."""
        async with self._lock, self._database.pool.acquire() as connection:
            return await self._call_sums(connection)

    async def processing_stats(self) -> ProcessingStats:
        """The statistics of both periods.

        They are a few seconds old at most, or older if reading them takes long.
        """
        async with self._lock:
            began_s = self._clock.monotonic_s()
            if self._known is not None and began_s < self._known_until_s:
                return self._known
            async with self._database.pool.acquire() as connection:
                self._known = await self._read(connection)
            ended_s = self._clock.monotonic_s()
            self._known_until_s = ended_s + max(FRESH_FOR_S, (ended_s - began_s) * COST_FACTOR)
            return self._known

    async def _call_sums(self, connection: Connection) -> list[CallSum]:
        """Sums over all calls ever made, as of one moment."""
        # One snapshot: calls must not be trimmed between what is read here of them and of their
        # sums.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await self._call_sums_now(connection)

    async def _call_sums_now(self, connection: Connection) -> list[CallSum]:
        """Sums over all calls ever made; only calls not yet settled are read from the table.

        A call is settled `SETTLED_AFTER_S` after its id was first seen: by then no slower
        transaction can add one with a smaller id.
        """
        now_s = self._clock.monotonic_s()
        if await retention.trimmed_up_to(connection) > self._settled_id:
            # Trimmed before they were settled here: nobody has looked for days. Once more from the
            # start.
            self._settled, self._settled_id, self._noted_id = {}, 0, 0
        newest_id = await statistics.newest_call_id(connection)
        if not self._settled:
            long_ago = self._clock.now() - LONG_AGO
            self._noted_id = await statistics.last_call_before(connection, long_ago)
            self._noted_at_s = now_s - SETTLED_AFTER_S
        if self._noted_id and now_s - self._noted_at_s >= SETTLED_AFTER_S:
            settled = await statistics.sum_calls(
                connection, after_id=self._settled_id, up_to_id=self._noted_id
            )
            self._settled = _merge([*self._settled.values(), *settled])
            self._settled_id, self._noted_id = self._noted_id, 0
        if not self._noted_id:
            self._noted_id, self._noted_at_s = newest_id, now_s
        recent = await statistics.sum_calls(connection, after_id=self._settled_id)
        return list(_merge([*self._settled.values(), *recent]).values())

    async def _read(self, connection: Connection) -> ProcessingStats:
        """The statistics of both periods; each figure is a query of its own, so they may be of
        slightly different moments.
        """
        now = self._clock.now()
        since = now - DAY
        counts = await products.counts(connection)
        day = await statistics.sum_calls(connection, since=since)
        ever = await self._call_sums(connection)  # after the day: it is never less
        completed, failed = await statistics.finished_since(connection, since)
        variants = await statistics.variants_since(connection, since)
        reused = await earlier_answers.reused_since(connection, since)
        first, last = await statistics.first_and_last_call(connection)
        by_value = {status.value: count for status, count in counts.items()}
        return ProcessingStats(
            as_of=now,
            counts=counts,
            batches=await batches.in_flight(connection),
            last_24_hours=_period(
                completed,
                failed,
                variants,
                reused,
                _hours(max(first, since) if first else None, last),
                day,
                await statistics.recent_errors(connection, since),
            ),
            overall=_period(
                by_value["completed"],
                by_value["failed"],
                await statistics.variants_since(connection, None),
                await earlier_answers.reused_since(connection, None),
                _hours(first, last),
                ever,
                await statistics.recent_errors(connection, None),
            ),
        )


def _hours(first: datetime | None, last: datetime | None) -> float:
    """The hours between the first and the last call; 0 without calls, else at least a minute, so
    that the rate of the first calls is not absurdly high.
    """
    if first is None or last is None:
        return 0.0
    return max((last - first).total_seconds(), 60.0) / 3600


def _period(
    completed: int,
    failed: int,
    variants: int,
    reused: int,
    hours: float,
    sums: Sequence[CallSum],
    errors: list[ErrorGroup],
) -> PeriodStats:
    """The statistics of a period; `hours` is the time in which its calls were made."""
    return PeriodStats(
        completed=completed,
        failed=failed,
        variants=variants,
        reused=reused,
        products_per_hour=(completed + failed) / hours if hours else 0.0,
        total=figures(sums),
        by_step=_grouped(sums, lambda row: row.step),
        by_model=_grouped(sums, lambda row: row.model),
        errors=errors,
    )


def _grouped(sums: Iterable[CallSum], key: Callable[[CallSum], str]) -> dict[str, CallFigures]:
    """The figures of the calls with each value of `key`, in order of these values."""
    groups: dict[str, list[CallSum]] = defaultdict(list)
    for row in sums:
        groups[key(row)].append(row)
    return {name: figures(rows) for name, rows in sorted(groups.items())}


def figures(sums: Sequence[CallSum]) -> CallFigures:
    """The figures of all these calls together."""
    answered = [row for row in sums if row.outcome == OK]
    calls = sum(row.calls for row in sums)
    replies = sum(row.calls for row in answered)
    final = final_errors()
    histogram = [0] * (len(LATENCY_BOUNDS_S) + 1)
    for row in answered:
        histogram[row.latency_bucket] += row.calls
    return CallFigures(
        calls=calls,
        failed_calls=calls - replies,
        retries=sum(row.calls for row in sums if row.outcome != OK and row.outcome not in final),
        rate_limited=sum(row.calls for row in sums if row.outcome == "RateLimited"),
        simulated_calls=sum(row.calls for row in sums if row.simulated),
        estimated_tokens=sum(row.estimated_tokens for row in sums),
        input_tokens=sum(row.input_tokens for row in sums),
        cached_input_tokens=sum(row.cached_input_tokens for row in sums),
        output_tokens=sum(row.output_tokens for row in sums),
        cost_usd=sum(row.cost_usd for row in sums),
        unpriced_calls=sum(row.unpriced_calls for row in sums),
        latency_mean_s=sum(row.latency_s for row in answered) / replies if replies else None,
        latency_p50_s=quantile(histogram, 0.50),
        latency_p95_s=quantile(histogram, 0.95),
        waited_mean_s=sum(row.waited_s for row in sums) / calls if calls else None,
    )


def quantile(histogram: Sequence[int], share: float) -> float | None:
    """The latency in seconds that this share of the calls did not exceed; None without calls.

    `histogram` counts the calls by the buckets of LATENCY_BOUNDS_S. The latency is interpolated
    within its bucket; beyond the last bound it is the last bound.
    """
    total = sum(histogram)
    if total == 0:
        return None
    wanted = share * total
    below = 0
    for bucket, count in enumerate(histogram[:-1]):
        if count and below + count >= wanted:
            low = LATENCY_BOUNDS_S[bucket - 1] if bucket else 0.0
            return low + (LATENCY_BOUNDS_S[bucket] - low) * (wanted - below) / count
        below += count
    return LATENCY_BOUNDS_S[-1]


def _merge(sums: Iterable[CallSum]) -> dict[tuple[object, ...], CallSum]:
    """The sums added up by kind of call: step, model, outcome and so on, which are the key."""
    merged: dict[tuple[object, ...], CallSum] = {}
    for row in sums:
        key = (
            row.step,
            row.model,
            row.outcome,
            row.simulated,
            row.latency_bucket,
            row.waiting_bucket,
        )
        known = merged.get(key)
        merged[key] = row if known is None else _add(known, row)
    return merged


def _add(one: CallSum, other: CallSum) -> CallSum:
    """Two sums over calls of the same kind added up."""
    return replace(
        one,
        calls=one.calls + other.calls,
        latency_s=one.latency_s + other.latency_s,
        waited_s=one.waited_s + other.waited_s,
        estimated_tokens=one.estimated_tokens + other.estimated_tokens,
        input_tokens=one.input_tokens + other.input_tokens,
        cached_input_tokens=one.cached_input_tokens + other.cached_input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
        unpriced_calls=one.unpriced_calls + other.unpriced_calls,
    )
