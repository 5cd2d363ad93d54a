"""Old records are trimmed; the sums over calls stay what they were, and nothing else is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.application import program
from weighbridge.clock import SystemClock
from weighbridge.engine.dispatch.retention_task import RetentionTask
from weighbridge.service.doctor import examine
from weighbridge.service.processing_stats import StatisticsReader, figures
from weighbridge.store import calls, retention, statistics
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weighbridge.service.processing_stats import CallFigures
    from weighbridge.store.calls import CallTotals
    from weighbridge.store.database import Connection, Database

pytestmark = pytest.mark.anyio

KEEP = timedelta(days=90)


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(database_url, tmp_path)
    yield opened
    await opened.close()


async def _add_calls(database: Database, number: int, days_old: float, spread_days: float) -> None:
    """Calls of every outcome, with figures that differ from one to the next."""
    await database.pool.execute(
        "INSERT INTO calls (started_at, latency_s, waited_s, provider, model, simulated, lane, "
        "step, step_version, job_id, product_ids, outcome, error, estimated_tokens, "
        "output_allowance, input_tokens, cached_input_tokens, output_tokens, cost_usd, "
        "price_known) SELECT now() - ($2::float8 + $3::float8 * i / $1) * interval '1 day', 0.3 "
        "+ i % 17, i % 5, 'openai', (ARRAY['gpt-4.1-mini', 'gpt-4.1'])[1 + i % 2], i % 10 = 0, "
        "'live', (ARRAY['classification', 'manufacturing'])[1 + i % 2], '1', i, ARRAY[i], "
        "(ARRAY['ok', 'ok', 'RateLimited', 'ok', 'ProviderUnavailable'])[1 + i % 5], 'said no', "
        "1000 + i, 500, 700 + i, i % 300, 90 + i % 40, 0.001 + i * 1e-6, i % 7 > 0 FROM "
        "generate_series(1, $1::int) AS i",
        number,
        days_old,
        spread_days,
    )


async def _looked_at_hours_ago(database: Database, hours: int) -> None:
    await database.pool.execute(
        "UPDATE retention_state SET looked_at = now() - $1::interval", timedelta(hours=hours)
    )


async def _shown(database: Database) -> tuple[CallTotals, CallFigures, Any, list[tuple[Any, ...]]]:
    """Everything that is shown over all time."""
    async with database.pool.acquire() as connection:
        return (
            await calls.totals(connection),
            figures(await statistics.sum_calls(connection)),
            await statistics.first_and_last_call(connection),
            [
                (e.kind, e.count, e.last_at)
                for e in await statistics.recent_errors(connection, None)
            ],
        )


def _assert_same(one: CallTotals | CallFigures, other: CallTotals | CallFigures) -> None:
    for name in one.__dataclass_fields__:
        # The totals' percentiles are exact ones, over the calls that are still there.
        if not (isinstance(one, calls.CallTotals) and name.startswith("latency")):
            assert getattr(one, name) == pytest.approx(getattr(other, name)), name


async def test_overall_totals_survive_retention(database: Database) -> None:
    await _add_calls(database, 5_000, days_old=80, spread_days=30)
    totals, sums, span, errors = await _shown(database)
    trimmed = await RetentionTask(database, SystemClock(), KEEP.days).trim()
    assert trimmed == pytest.approx(3_333, abs=2)
    assert await database.pool.fetchval("SELECT count(*) FROM calls") == 5_000 - trimmed
    assert not await database.pool.fetchval(
        "SELECT count(*) FROM calls WHERE started_at < now() - $1::interval", KEEP
    )
    totals_now, sums_now, span_now, errors_now = await _shown(database)
    _assert_same(totals_now, totals)
    _assert_same(sums_now, sums)
    assert span_now == span
    assert errors_now == errors


async def test_concurrent_retention_counts_nothing_twice(database: Database) -> None:
    await _add_calls(database, 6_000, days_old=100, spread_days=3)
    before, *_ = await _shown(database)
    taken = await asyncio.gather(
        *(RetentionTask(database, SystemClock(), KEEP.days).trim() for _ in range(3)),
        return_exceptions=True,
    )
    # PostgreSQL may end a deadlock between them: then that one has trimmed nothing more.
    assert all(isinstance(n, int | asyncpg.DeadlockDetectedError) for n in taken), taken
    await RetentionTask(database, SystemClock(), KEEP.days).trim()
    assert await database.pool.fetchval("SELECT count(*) FROM calls") == 0
    after, *_ = await _shown(database)
    _assert_same(after, before)


async def test_totals_since_a_date_include_deleted_days(database: Database) -> None:
    await _add_calls(database, 100, days_old=100, spread_days=0.0)
    await RetentionTask(database, SystemClock(), KEEP.days).trim()
    now = SystemClock().now()
    async with database.pool.acquire() as connection:
        assert (await calls.totals(connection, now - timedelta(days=102))).calls == 100
        assert (await calls.totals(connection, now - timedelta(days=98))).calls == 0
        assert await statistics.sum_calls(connection, since=now - timedelta(days=98)) == []


async def test_a_long_running_server_shows_the_same_totals(database: Database) -> None:
    await _add_calls(database, 300, days_old=100, spread_days=1)
    settled, nobody_looked = (StatisticsReader(database, SystemClock()) for _ in range(2))
    first = figures(await settled.call_sums())
    await _add_calls(database, 200, days_old=95, spread_days=1)  # not yet settled when trimmed
    before = figures(await settled.call_sums())
    assert (first.calls, before.calls) == (300, 500)
    await RetentionTask(database, SystemClock(), KEEP.days).trim()
    for reader in (settled, nobody_looked):
        for _ in range(2):
            _assert_same(figures(await reader.call_sums()), before)


async def test_doctor_does_not_miss_deleted_calls(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(3)
        await running.start()
        await running.until(completed=3)
        await running.stop()
        database = running.app.database
        await running.fetch("UPDATE calls SET started_at = started_at - interval '100 days'")
        assert await RetentionTask(database, SystemClock(), KEEP.days).trim() == 3
        assert await running.value("SELECT count(*) FROM calls") == 0
        assert (await examine(database)).is_sound
        assert await running.value("SELECT count(*) FROM answers") == 9


async def test_leading_dispatcher_runs_retention(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, retention_days=30) as running:
        await _add_calls(running.app.database, 10, days_old=31, spread_days=1)
        await _looked_at_hours_ago(running.app.database, 2)
        await running.add_many(3)
        await running.start()
        await running.until(completed=3)
        await running.until_true("SELECT sum(calls) = 10 FROM call_rollups")
        await running.stop()
        assert await running.value("SELECT count(*) FROM calls") == 3


async def test_only_one_process_runs_retention_per_hour(database: Database) -> None:
    async with database.pool.acquire() as one:
        assert not await retention.claim(one), "a new database has nothing to trim"
        await _looked_at_hours_ago(database, 2)
        assert [await retention.claim(one) for _ in range(2)] == [True, False]


async def test_zero_days_keep_calls_and_rejected_rows_forever(
    database: Database,
) -> None:
    await _add_calls(database, 10, days_old=4_000, spread_days=1)
    await _reject(database, days_old=4_000)
    assert await RetentionTask(database, SystemClock(), 0).trim() == 0
    assert await database.pool.fetchval("SELECT count(*) FROM calls") == 10


async def _reject(database: Database, days_old: int) -> None:
    await database.pool.execute(
        "INSERT INTO rejected_rows (import_id, row_number, field, reason, rejected_at)"
        " VALUES ($1, 2, 'weight', $2, now() - $3::interval)",
        uuid4(),
        f"{days_old} days old",
        timedelta(days=days_old),
    )


async def test_old_rejected_rows_are_deleted(database: Database) -> None:
    for days_old in (200, 91, 89, 0):
        await _reject(database, days_old)
    async with database.pool.acquire() as connection:
        assert await retention.trim_rejected_rows(connection, KEEP, most=1) == 1
        assert await retention.trim_rejected_rows(connection, KEEP) == 1
    rows = await database.pool.fetch("SELECT reason FROM rejected_rows ORDER BY id")
    assert [row["reason"] for row in rows] == ["89 days old", "0 days old"]


async def _scope(connection: Connection, days_old: int, *products: tuple[str, int]) -> UUID:
    """An import of so many days ago, about products of (status, days since they changed)."""
    import_id = uuid4()
    for number, (status, unchanged_days) in enumerate(products):
        await connection.execute(
            "WITH p AS (INSERT INTO products (code, name, description, status, updated_at) "
            "VALUES ($1, 'Bottle', 'A bottle', $2, now() - $3::interval) RETURNING id) INSERT "
            "INTO scopes (import_id, product_id, created_at) SELECT $4, id, now() - $5::interval "
            "FROM p",
            f"{import_id}-{number}",
            status,
            timedelta(days=unchanged_days),
            import_id,
            timedelta(days=days_old),
        )
    return import_id


async def test_the_scope_of_a_run_is_kept_until_a_week_after_its_end(database: Database) -> None:
    async with database.pool.acquire() as connection:
        over = await _scope(connection, 8, ("completed", 8), ("failed", 8))
        unfinished = await _scope(connection, 8, ("completed", 8), ("pending", 8))
        just_over = await _scope(connection, 8, ("completed", 8), ("completed", 0))
        young = await _scope(connection, 6, ("completed", 8))
        assert await retention.finished_scopes(connection) == [over]
        assert [await retention.trim_scope(connection, over, most=1) for _ in range(3)] == [1, 1, 0]
    assert await RetentionTask(database, SystemClock(), KEEP.days).trim() == 0
    left = await database.pool.fetch("SELECT DISTINCT import_id FROM scopes")
    assert {row["import_id"] for row in left} == {unfinished, just_over, young}


async def test_the_log_of_pgqueuer_is_kept_for_a_week(database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)"
        " SELECT now() - i * interval '1 day', i, 'successful', 0, 'group' FROM "
        "generate_series(20, 0, -1) AS i"
    )
    await database.pool.execute(
        "INSERT INTO pgqueuer_statistics (created, count, priority, status, entrypoint)"
        " SELECT now() - i * interval '1 day', 1, 0, 'successful', 'group' FROM "
        "generate_series(20, 0, -1) AS i"
    )
    await RetentionTask(database, SystemClock(), 0).trim()
    for table in ("pgqueuer_log", "pgqueuer_statistics"):
        assert await database.pool.fetchval(f"SELECT count(*) FROM {table}") == 7  # noqa: S608
