"""Every connection is made here: with our name and time limits, and to an embedded server that
lives.

An embedded PostgreSQL may be killed (out of memory, by hand). Whoever notices first, in whichever
process, starts it again; a server that is starting is waited for.
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
"""How our connections are called in pg_stat_activity."""
TCP_SETTINGS: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A host whose cable is pulled keeps its locks until PostgreSQL gives its connection up: by default
after
two hours, in which nobody else works. (PgBouncer must be told to ignore these start-up parameters.)
"""
RECOVERY_LIMIT_S: Final = 600.0
RECOVERY_LOOK_S: Final = 0.1
STARTS: Final = 3
"""How often one attempt to connect starts the server again, before it says that this does not help.
"""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the database is. `server` is the embedded one, if it is that."""

    url: str
    server: EmbeddedServer | None = None

    async def connect(self, *_: object, **options: Any) -> asyncpg.Connection[Any]:
        """A connection. `options` are asyncpg's.

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
        try:
            await asyncio.to_thread(server.ensure_running)
        except DatabaseUnavailable as error:
            raise ConnectionError(str(error)) from None
