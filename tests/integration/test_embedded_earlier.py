"""Data directories of earlier versions go on, with today's roles and ways in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.support.earlier_server import EarlierServer
from weighbridge.embedded_postgres import processes
from weighbridge.errors import DatabaseUnavailable
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from pathlib import Path


async def use(data_dir: Path) -> tuple[list[str], str, set[str]]:
    """The products, whether we are superuser, and who owns what."""
    database = await open_database(None, data_dir)
    try:
        codes = await database.pool.fetch("SELECT code FROM products")
        await database.pool.execute("UPDATE products SET name = 'Table'")
        await database.pool.execute(
            "ALTER TABLE products ADD COLUMN later integer"
        )  # as a migration might
        superuser = await database.pool.fetchval("SELECT current_setting('is_superuser')")
        owners = await database.pool.fetch(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = "
            "'public'::regnamespace UNION SELECT typowner::regrole::text FROM pg_type WHERE "
            "typnamespace = 'public'::regnamespace UNION SELECT proowner::regrole::text FROM "
            "pg_proc WHERE pronamespace = 'public'::regnamespace UNION SELECT "
            "datdba::regrole::text FROM pg_database WHERE datname = current_database()"
        )
        return [row[0] for row in codes], superuser, {row[0] for row in owners}
    finally:
        await database.close()


@pytest.mark.parametrize("was_killed", [False, True], ids=["stopped", "left running"])
def test_a_directory_of_an_earlier_version_goes_on_under_todays_rules(
    tmp_path: Path, was_killed: bool
) -> None:
    earlier = EarlierServer(tmp_path / "data")
    if not was_killed:
        earlier.stop()
    assert asyncio.run(use(tmp_path / "data")) == (["OLD"], "off", {"weighbridge"})
    assert processes.processes_of(earlier.pgdata) == []


def test_an_earlier_version_at_work_is_not_disturbed(tmp_path: Path) -> None:
    earlier = EarlierServer(tmp_path / "data")

    async def meet() -> None:
        theirs = await earlier.connect()
        with pytest.raises(DatabaseUnavailable, match="An earlier version of Weighbridge is using"):
            await open_database(None, tmp_path / "data")
        assert await theirs.fetchval("SELECT code FROM products") == "OLD"
        await theirs.close()

    asyncio.run(meet())
    earlier.stop()


def test_nobody_is_let_in_any_more_without_a_password(tmp_path: Path) -> None:
    earlier = EarlierServer(tmp_path / "data")
    earlier.stop()

    async def knock() -> None:
        database = await open_database(None, tmp_path / "data")
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await earlier.connect()
        await database.close()

    asyncio.run(knock())
