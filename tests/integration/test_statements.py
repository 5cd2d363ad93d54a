"""What a statement reads grows with what it is about, and not with the tables.

PostgreSQL's figures on the table of jobs are nearly always wrong: it is empty at one moment and
holds thousands of jobs at the next. They are taken here when all jobs are gone again, which is as
wrong as can be.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from tests.support.application import program
from weighbridge.engine.dispatch.dispatcher import VACUUMED_AFTER
from weighbridge.store import footprints, jobs, products
from weighbridge.store.database import open_database
from weighbridge.store.workers import keep_alive, look_around

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weighbridge.store.database import Connection

pytestmark = pytest.mark.anyio

JOBS: Final = 1_000
PRODUCTS_A_JOB: Final = 5
WORKER: Final = uuid4()


@pytest.fixture
async def connection(database_url: str, tmp_path: Path) -> AsyncIterator[Connection]:
    """A thousand jobs in a worker's hands, each with five products."""
    database = await open_database(database_url, tmp_path, pool_size=2)
    await database.pool.execute(
        "INSERT INTO pgqueuer (priority, status, entrypoint) SELECT 0, 'queued', 'group' FROM "
        "generate_series(1, 300)"
    )
    await database.pool.execute("DELETE FROM pgqueuer")
    await database.pool.execute("ANALYZE")
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO pgqueuer (id, priority, status, entrypoint, queue_manager_id, "
            "heartbeat) OVERRIDING SYSTEM VALUE SELECT n, 0, 'picked', $1, $2, now() - interval "
            "'1 hour' FROM generate_series(1, $3::int) n",
            jobs.ENTRYPOINT,
            WORKER,
            JOBS,
        )
        await connection.execute(
            "INSERT INTO products (id, code, name, description, status, job_id) OVERRIDING "
            "SYSTEM VALUE SELECT n, 'P-' || n, 'Chair', 'A chair', 'processing', (n - 1) / "
            "$1::int + 1 FROM generate_series(1, $2::int) n",
            PRODUCTS_A_JOB,
            JOBS * PRODUCTS_A_JOB,
        )
        yield connection
    await database.close()


async def rows_read(connection: Connection, table: str) -> int:
    """By this transaction so far."""
    return int(
        await connection.fetchval(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = $1",
            table,
        )
    )


async def test_heartbeat_reads_each_job_twice(connection: Connection) -> None:
    before = await rows_read(connection, "pgqueuer")
    await keep_alive(connection, WORKER, range(1, JOBS + 1), timedelta(seconds=1))
    assert await rows_read(connection, "pgqueuer") - before <= 3 * JOBS
    oldest = await connection.fetchval("SELECT min(heartbeat) = now() FROM pgqueuer")
    assert oldest


async def test_completing_products_does_not_scan_the_others(connection: Connection) -> None:
    before = await rows_read(connection, "products")
    done = {product_id: (product_id - 1) // PRODUCTS_A_JOB + 1 for product_id in range(101, 151)}
    await products.complete(connection, done)
    assert await rows_read(connection, "products") - before <= 3 * len(done)
    completed = await connection.fetch("SELECT id FROM products WHERE status = 'completed'")
    assert {row["id"] for row in completed} == done.keys()


async def test_a_product_that_has_left_its_job_is_not_completed(connection: Connection) -> None:
    await connection.execute("UPDATE products SET status = 'pending', job_id = NULL WHERE id = 1")
    await products.complete(connection, {1: 1, 2: 1})
    assert not await connection.fetchval("SELECT status = 'completed' FROM products WHERE id = 1")
    assert await connection.fetchval("SELECT status = 'completed' FROM products WHERE id = 2")


async def test_unfinished_jobs_are_queued_or_running(connection: Connection) -> None:
    await connection.execute("UPDATE pgqueuer SET status = 'queued' WHERE id <= 10")
    await connection.execute("UPDATE pgqueuer SET status = 'failed' WHERE id > $1", JOBS - 7)
    assert await jobs.count_unfinished(connection) == JOBS - 7
    crew = await look_around(connection, timedelta(seconds=8))
    assert crew.unfinished_jobs == JOBS - 7


@pytest.mark.parametrize("waiting", [0, 3])
async def test_finding_pending_products_does_not_scan_finished_ones(
    connection: Connection, waiting: int
) -> None:
    await connection.execute("UPDATE products SET status = 'pending', job_id = NULL")
    await connection.execute("ANALYZE products")
    last = JOBS * PRODUCTS_A_JOB - waiting
    await connection.execute("UPDATE products SET status = 'completed' WHERE id <= $1", last)
    before = await rows_read(connection, "products")
    assert await products.any_pending(connection) == bool(waiting)
    assert await rows_read(connection, "products") - before <= 1


@pytest.mark.parametrize("recorded", [0, 1])
async def test_looking_for_recorded_figures_does_not_read_the_simulated_ones(
    connection: Connection, recorded: int
) -> None:
    await connection.execute(
        "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, "
        "high_kg_co2e, mass_kg, data_quality, category, subcategory, provider, model, simulated, "
        "cost_usd, detail) SELECT id, revision, 1, 1, 1, 1, 1, 'Chairs', '', CASE WHEN id <= "
        "$1::int THEN 'recorded' ELSE 'simulator' END, 'm', true, 0, '{}' FROM products",
        recorded,
    )
    await connection.execute("ANALYZE footprints")
    before = await rows_read(connection, "footprints")
    assert await footprints.not_asked_for(connection) == (True, bool(recorded))
    assert await rows_read(connection, "footprints") - before <= 2


async def test_a_large_batch_of_jobs_is_analyzed(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(VACUUMED_AFTER * PRODUCTS_A_JOB)
        await running.start()
        await running.until_true(
            # `vacuum_count` leaves out autovacuum, which comes by once a minute.
            "SELECT c.reltuples >= $1::int AND s.vacuum_count > 0 FROM pg_class c JOIN "
            "pg_stat_user_tables s ON s.relid = c.oid WHERE c.relname = 'pgqueuer'",
            VACUUMED_AFTER // 2,
        )
