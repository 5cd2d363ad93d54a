"""A database of the user's own is refused at start, if it cannot do what is needed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.support.pgbouncer import install_pgbouncer, pgbouncer
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.errors import DatabaseUnavailable
from weighbridge.store import requirements
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio
IGNORED = (
    "ignore_startup_parameters = tcp_keepalives_idle, tcp_keepalives_interval, "
    "tcp_keepalives_count, tcp_user_timeout"
)


@pytest.fixture(scope="module")
def program() -> str:
    """PgBouncer, where there is one."""
    path = install_pgbouncer()
    if path is None:
        pytest.skip("PgBouncer is not installed, and only root can install it")
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server whose directory its own user reaches, so that a PgBouncer of that user does too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        data_dir = Path(name) / "data"
        server = EmbeddedServer(data_dir)
        server.join()
        data_dir.chmod(0o755)
        yield server
        server.leave()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("size", [1, 2, 20])
async def test_a_pooler_that_loses_sessions_is_refused_before_anything_is_written(
    program: str, server: EmbeddedServer, mode: str, size: int, tmp_path: Path
) -> None:
    options = (f"pool_mode = {mode}", f"default_pool_size = {size}", IGNORED)
    with (
        pgbouncer(program, server, *options) as url,
        pytest.raises(DatabaseUnavailable, match="pool_mode = session"),
    ):
        await open_database(url, tmp_path)
    connection = await asyncpg.connect(server.join())
    assert await connection.fetchval("SELECT to_regclass('products')") is None
    assert (
        await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    )
    await connection.close()


async def test_a_pooler_that_does_not_know_our_settings_is_refused_with_the_line_to_add(
    program: str, server: EmbeddedServer, tmp_path: Path
) -> None:
    with (
        pgbouncer(program, server, "pool_mode = session") as url,
        pytest.raises(DatabaseUnavailable, match="ignore_startup_parameters = tcp_keepalives_idle"),
    ):
        await open_database(url, tmp_path)


async def test_a_server_that_is_too_old_is_refused_with_both_versions(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "OLDEST", 99)
    with pytest.raises(DatabaseUnavailable, match=r"PostgreSQL 18\.\d+, and Weighbridge needs 99"):
        await open_database(database_url, tmp_path)


async def test_connections_say_whose_they_are(database_url: str, tmp_path: Path) -> None:
    database = await open_database(database_url, tmp_path)
    name = "SELECT current_setting('application_name')"
    assert await database.pool.fetchval(name) == "weighbridge"
    connection = await database.connect()
    assert await connection.fetchval(name) == "weighbridge"
    await connection.close()
    await database.close()


async def test_a_pooler_in_session_mode_is_fine(
    program: str, server: EmbeddedServer, tmp_path: Path
) -> None:
    with pgbouncer(program, server, "pool_mode = session", IGNORED) as url:
        database = await open_database(url, tmp_path)
        assert await database.pool.fetchval("SELECT count(*) FROM products") == 0
        await database.close()
