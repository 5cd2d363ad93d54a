"""Migrations: fresh, repeated, concurrent, and from the future."""

from __future__ import annotations

import asyncio
import re
from importlib import metadata
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.support.application import PATIENCE_S, until
from weighbridge.errors import DatabaseUnavailable, SchemaTooNew
from weighbridge.store.database import open_database
from weighbridge.store.schema import Migration, migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.database import PostgresForTests

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty_url(postgres: PostgresForTests) -> Iterator[str]:
    url = postgres.create_empty_database()
    yield url
    postgres.drop_database(url)


async def _migrate(url: str) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        await migrate(connection)
    finally:
        await connection.close()


async def test_several_processes_may_migrate_the_same_database_at_once(empty_url: str) -> None:
    await asyncio.gather(*(_migrate(empty_url) for _ in range(4)))
    connection: asyncpg.Connection[Any] = await asyncpg.connect(empty_url)
    applied = await connection.fetch("SELECT number FROM schema_migrations ORDER BY number")
    jobs = await connection.fetchval("SELECT to_regclass('pgqueuer') IS NOT NULL")
    await connection.close()
    assert [row["number"] for row in applied] == [migration.number for migration in migrations()]
    assert jobs is True


async def test_a_late_migration_is_applied_after_later_ones(empty_url: str) -> None:
    await _migrate(empty_url)
    connection: asyncpg.Connection[Any] = await asyncpg.connect(empty_url)
    await connection.execute("ALTER TABLE queue_state DROP COLUMN ask_together")
    await connection.execute("DELETE FROM schema_migrations WHERE number = 4")
    await _migrate(empty_url)
    columns = await connection.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'queue_state'"
    )
    await connection.close()
    assert "ask_together" in {row["column_name"] for row in columns}


async def test_a_database_from_a_newer_program_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO schema_migrations (number, name) VALUES (9999, 'future')")
    await connection.close()
    with pytest.raises(SchemaTooNew, match="newer Weighbridge"):
        await open_database(database_url, tmp_path)


async def _open(url: str, data_dir: Path) -> int | None:
    database = await open_database(url, data_dir)
    await database.close()
    return database.newer_schema


async def _note_newer(url: str, number: int, serves: int) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO schema_migrations (number, name, serves) VALUES ($1, 'future', $2)",
        number,
        serves,
    )
    await connection.close()


async def test_a_compatible_newer_schema_is_accepted(database_url: str, tmp_path: Path) -> None:
    newest = migrations()[-1].number
    assert await _open(database_url, tmp_path) is None
    await _note_newer(database_url, newest + 1, serves=1)
    await _note_newer(database_url, newest + 2, serves=newest)
    assert await _open(database_url, tmp_path) == newest + 2
    await _note_newer(database_url, newest + 3, serves=newest + 1)
    with pytest.raises(SchemaTooNew):
        await open_database(database_url, tmp_path)


async def test_each_recorded_migration_names_the_versions_it_serves(
    database_url: str,
) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE schema_migrations DROP COLUMN serves")
    await migrate(connection)
    rows = await connection.fetch("SELECT number, serves FROM schema_migrations")
    await connection.close()
    assert {r["number"]: r["serves"] for r in rows} == {m.number: m.serves for m in migrations()}


TAKES_AWAY = re.compile(
    r"\bDROP\b|\bRENAME\b|\bSET NOT NULL\b|\bALTER COLUMN\b|\bADD (CONSTRAINT|CHECK|UNIQUE)\b"
    r"|ADD COLUMN (?!.*\bDEFAULT\b).*NOT NULL",
    re.IGNORECASE,
)


@pytest.mark.parametrize("migration", migrations()[1:], ids=lambda m: m.name)
def test_a_migration_keeps_the_previous_version_working(
    migration: Migration,
) -> None:
    """Expand now, contract one version later: then it serves programs from the schema on that does
    without.
    """
    assert "-- Serves programs from schema " in migration.sql
    assert 1 <= migration.serves < migration.number
    if migration.serves < migration.number - 1:
        assert not TAKES_AWAY.search(migration.sql), "older programs may need it"


async def test_a_waiting_migration_does_not_block_the_table(
    empty_url: str,
) -> None:
    await _migrate(empty_url)
    reader: asyncpg.Connection[Any] = await asyncpg.connect(empty_url)
    worker: asyncpg.Connection[Any] = await asyncpg.connect(empty_url)
    await worker.execute("ALTER TABLE queue_state DROP COLUMN ask_together")
    await worker.execute("DELETE FROM schema_migrations WHERE number = 4")
    long_export = reader.transaction()
    await long_export.start()
    await reader.fetch("SELECT * FROM queue_state")
    migration = asyncio.create_task(_migrate(empty_url))
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'queue_state'::regclass"
    await until(lambda: _is_true(worker, f"SELECT ({waits}) > 0"), "the migration waits")
    async with asyncio.timeout(PATIENCE_S):
        await worker.fetch("SELECT * FROM queue_state")
    assert not migration.done()
    await long_export.rollback()
    await migration
    assert await _is_true(worker, "SELECT count(ask_together) = 0 FROM queue_state")
    await reader.close()
    await worker.close()


async def _is_true(connection: asyncpg.Connection[Any], sql: str) -> bool:
    return bool(await connection.fetchval(sql))


async def test_tables_of_a_newer_pgqueuer_are_left_alone(database_url: str) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    await connection.execute("UPDATE pgqueuer_version SET version = '99.0.0'")
    await connection.execute("ALTER TABLE pgqueuer ADD COLUMN from_the_future text")
    await migrate(connection)
    assert await connection.fetchval("SELECT version FROM pgqueuer_version") == "99.0.0"
    assert await connection.fetchval("SELECT count(from_the_future) = 0 FROM pgqueuer")
    await connection.execute("UPDATE pgqueuer_version SET version = '1.0'")
    await migrate(connection)
    assert await connection.fetchval("SELECT version FROM pgqueuer_version") == metadata.version(
        "pgqueuer"
    )
    await connection.close()


async def test_an_unreachable_database_is_a_clear_error_without_the_password(
    tmp_path: Path,
) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        await open_database("postgresql://someone:hunter2@127.0.0.1:9/nowhere", tmp_path)
    assert "WEIGHBRIDGE_DATABASE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)
