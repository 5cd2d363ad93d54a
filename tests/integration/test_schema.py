"""Migrations: fresh, repeated, concurrent, and from the future."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from weighbridge.errors import DatabaseUnavailable, SchemaTooNew
from weighbridge.store.database import open_database
from weighbridge.store.schema import migrate, migrations

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
    assert [row["number"] for row in applied] == [number for number, _, _ in migrations()]
    assert jobs is True


async def test_a_migration_that_came_late_is_applied_beside_later_ones(empty_url: str) -> None:
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


async def test_an_unreachable_database_is_a_clear_error_without_the_password(
    tmp_path: Path,
) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        await open_database("postgresql://someone:hunter2@127.0.0.1:9/nowhere", tmp_path)
    assert "WEIGHBRIDGE_DATABASE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)
