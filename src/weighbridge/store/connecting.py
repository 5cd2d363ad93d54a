"""Makes every connection to the database, with our name and time limits; starts an embedded server
again that no longer runs.

An embedded PostgreSQL may be killed (out of memory, by hand). Whichever process notices first
starts it again; while a server is starting, the others wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from weighbridge.embedded_postgres.server import EmbeddedServer

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

CONNECT_TIMEOUT_S: Final = 10.0
APPLICATION: Final = "weighbridge"
"""The name of our connections in pg_stat_activity."""
TCP_SETTINGS: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""Connection settings that let PostgreSQL give up the connection of a host that is cut off, and
with it the locks, within seconds. By default it takes two hours, in which nobody else works.
(PgBouncer must be told to ignore these start-up parameters.)
"""
RECOVERY_LIMIT_S: Final = 600.0
"""How long to wait for a server that is starting."""
RECOVERY_LOOK_S: Final = 0.1
"""The pause between two tries to connect to a server that is starting."""
STARTS: Final = 3
"""How many times one attempt to connect starts the server again before it gives up."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the database is. `server` is set where it is the embedded one."""

    url: str
    server: EmbeddedServer | None = None

    async def connect(self, *_: object, **options: Any) -> asyncpg.Connection[Any]:
        """A new connection. `options` are those of asyncpg.

        Raises:
            OSError, asyncpg.PostgresError: as asyncpg does; ConnectionError: the embedded server
            does not start.
        """
        if self.server is None:
            return await self._connect(options)
        for _attempt in range(STARTS):
            try:
                return await self._connect_when_started(options)
            except (OSError, asyncpg.PostgresConnectionError):
                await self._start_again(self.server)
        return await self._connect_when_started(options)

    async def _connect_when_started(self, options: dict[str, Any]) -> asyncpg.Connection[Any]:
        """A new connection; while the server is starting or recovering, tries again until it is
        done.
        """
        for _look in range(round(RECOVERY_LIMIT_S / RECOVERY_LOOK_S)):
            try:
                return await self._connect(options)
            except asyncpg.CannotConnectNowError:  # it starts, recovers, or is just being stopped
                await asyncio.sleep(RECOVERY_LOOK_S)
        raise ConnectionError(f"PostgreSQL is still starting after {RECOVERY_LIMIT_S:.0f} s")

    async def _connect(self, options: dict[str, Any]) -> asyncpg.Connection[Any]:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            self.url,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={"application_name": APPLICATION} | TCP_SETTINGS,
            **options,
        )
        return connection

    @staticmethod
    async def _start_again(server: EmbeddedServer) -> None:
        """Start the embedded server where it is not running."""
        try:
            await asyncio.to_thread(server.ensure_running)
        except DatabaseUnavailable as error:
            raise ConnectionError(str(error)) from None
