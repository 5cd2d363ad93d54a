"""PostgreSQL, embedded in the data directory or the user's own: opened, migrated, pooled."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from weighbridge.clock import SystemClock
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.errors import DatabaseUnavailable
from weighbridge.store.connecting import CONNECT_TIMEOUT_S, TCP_SETTINGS, DatabaseAddress
from weighbridge.store.requirements import check_sessions, check_version
from weighbridge.store.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weighbridge.store.connecting import Connection as Connection

    Pool = asyncpg.Pool[Any]

POOL_SIZE = 16
"""The most connections of a process in its pool."""
GONE_AFTER_S = 30.0
"""How long the database must not have answered before it counts as gone: longer than a restart of
PostgreSQL takes, and shorter than service managers wait before they kill a process (90 s).
"""
GONE_LOOK_S = 1.0
"""The pause between two tries to reach the database."""
STATEMENT_TIMEOUT_S = 60.0
"""How long a statement may take where nothing else is said. PostgreSQL notices that a client is cut
off, but a client does not notice that its server is: without a limit it waits a quarter of an hour,
or for ever behind a proxy that has stopped.
"""
LONG_STATEMENT_S = 3_600.0
"""How long a statement may take whose work grows with the catalogue."""
DATABASE_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut while a statement was put together
)
"""What a statement may raise when the server is away, restarting, or out of disk."""
_REACH_ERRORS = (*DATABASE_ERRORS, TimeoutError, ValueError)
"""What opening the database may raise when it cannot be reached."""


@dataclass(slots=True)
class Database:
    """An open, migrated database.

    Close it when done; the embedded server stops when no process uses it any more.
    """

    pool: Pool
    url: str
    server: EmbeddedServer | None = None
    """The embedded server, of which this process is a user; None for a database of the user."""
    statement_timeout_s: float = STATEMENT_TIMEOUT_S
    newer_schema: int | None = None
    """The number of the database's schema, where a newer program has migrated it and this one may
    still work with it; None otherwise.
    """

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One unit of work: committed at the end, rolled back on any exception."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection

    async def connect(
        self, statement_timeout_s: float = LONG_STATEMENT_S
    ) -> asyncpg.Connection[Any]:
        """A connection outside the pool, for listening or for holding a lock for long."""
        address = DatabaseAddress(self.url, self.server)
        connection = await address.connect(
            command_timeout=min(statement_timeout_s, self.statement_timeout_s)
        )
        await prepare(connection)
        return connection

    async def until_gone(self) -> None:
        """Wait until the database has not answered for `GONE_AFTER_S`: a process that wants to stop
        then no longer waits for it.
        """
        clock = SystemClock()
        answered_s = clock.monotonic_s()
        while clock.monotonic_s() - answered_s < GONE_AFTER_S:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    connection = await self.connect()
                    await connection.close()
                answered_s = clock.monotonic_s()
            await asyncio.sleep(GONE_LOOK_S)

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Database]:
        """The same database with a pool of its own, for another event loop: a connection belongs to
        the loop that made it.
        """
        address = DatabaseAddress(self.url, self.server)
        pool = await _open_pool(address, POOL_SIZE, self.statement_timeout_s)
        try:
            yield Database(pool, self.url, self.server, self.statement_timeout_s)
        finally:
            await _close_pool(pool)

    async def close(self) -> None:
        """Give every connection back; does not wait for statements that never end."""
        try:
            await _close_pool(self.pool)
        finally:
            if self.server is not None:
                await asyncio.to_thread(self.server.leave)


async def open_database(
    url: str | None,
    data_dir: Path,
    *,
    pool_size: int = POOL_SIZE,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Database:
    """Open the user's database at `url`, or else the embedded one in `data_dir`, and migrate it.

    Raises:
        DatabaseUnavailable: cannot be started, reached, or written. SchemaTooNew: a newer
        Weighbridge wrote it, and this one cannot work with its schema.
    """
    if url is None:
        server = EmbeddedServer(data_dir)
        address = DatabaseAddress(await asyncio.to_thread(server.join), server)
    else:
        address = DatabaseAddress(url)
    try:
        pool, newer_schema = await _checked_and_migrated(address, pool_size, statement_timeout_s)
    except BaseException as error:
        if address.server is not None:
            await asyncio.to_thread(address.server.leave)
        if isinstance(error, _REACH_ERRORS):
            raise _unusable(error, address) from error
        raise
    return Database(pool, address.url, address.server, statement_timeout_s, newer_schema)


async def _checked_and_migrated(
    address: DatabaseAddress, pool_size: int, statement_timeout_s: float
) -> tuple[Pool, int | None]:
    """The pool, and the number of a newer schema (see `migrate`). Nothing is written before we know
    that the database can do what is needed.
    """
    async with AsyncExitStack() as on_failure:
        connection = await address.connect()
        on_failure.callback(connection.terminate)
        pool = await _open_pool(address, pool_size, statement_timeout_s)
        on_failure.callback(pool.terminate)
        if address.server is None:
            check_version(connection)
            async with pool.acquire() as other:
                await check_sessions(connection, other)
        newer_schema = await migrate(connection)
        await connection.close()
        on_failure.pop_all()
    return pool, newer_schema


async def _open_pool(address: DatabaseAddress, size: int, statement_timeout_s: float) -> Pool:
    """A pool whose connections are made and prepared as all of Weighbridge uses them."""
    return await asyncpg.create_pool(
        min_size=1,
        max_size=size,
        init=prepare,
        reset=_leave_as_it_is,
        command_timeout=statement_timeout_s,
        connect=address.connect,
    )


async def _close_pool(pool: Pool) -> None:
    """Give every connection back; statements that do not end within 10 s are cut off."""
    try:
        await asyncio.wait_for(pool.close(), timeout=10)
    except TimeoutError:
        pool.terminate()


async def _leave_as_it_is(_: Connection) -> None:
    """Do nothing when a connection returns to the pool. Nobody sets, listens or locks for longer
    than a transaction through the pool; undoing that, as asyncpg does by default, would cost every
    use a round trip.
    """


async def prepare(connection: Connection) -> None:
    """Make JSON columns plain Python values on this connection."""
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        schema="pg_catalog",
        format="binary",
    )


def _unusable(error: BaseException, address: DatabaseAddress) -> DatabaseUnavailable:
    """The error that says why the database cannot be used, and what to do."""
    said = _without_secret(error, address.url)
    if address.server is not None:
        return DatabaseUnavailable(
            f"The embedded PostgreSQL in {address.server.data_dir} cannot be used: {said}. Check "
            f"free disk space, and read {address.server.pgdata / 'log'}."
        )
    if "startup parameter" in said:  # PgBouncer's word
        return DatabaseUnavailable(
            f"The pooler at WEIGHBRIDGE_DATABASE_URL refuses the connection: {said}. Put this "
            f"into its configuration: ignore_startup_parameters = {', '.join(TCP_SETTINGS)}"
        )
    return DatabaseUnavailable(
        f"PostgreSQL cannot be used: {said}. Check WEIGHBRIDGE_DATABASE_URL, that the server is up "
        "and reachable, and that the user may create tables; without WEIGHBRIDGE_DATABASE_URL an "
        "embedded server is used."
    )


def _without_secret(error: BaseException, url: str) -> str:
    """The message, without the password that a driver may quote from the URL."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    credentials = url.partition("://")[2].rpartition("@")[0]
    password = credentials.partition(":")[2]
    return text.replace(password, "***") if password else text


async def plan_every_statement(connection: Connection) -> None:
    """Let PostgreSQL plan each statement of this transaction by the size that its tables then have.

    Otherwise PostgreSQL may reuse a plan from when a table was empty, and read the whole table
    again for each row, although this transaction has put 100,000 rows into it.
    """
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
