"""The real PostgreSQL for tests: the embedded server, one database per test cloned from a template."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import asyncpg

from weighbridge.store.database import start_embedded
from weighbridge.store.schema import migrate

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = "weighbridge_template"


class PostgresForTests:
    """Owns a throw-away server. fsync is off: these databases need not survive the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._admin_url = start_embedded(folder)
        self._numbers = itertools.count(1)
        asyncio.run(self._prepare())

    def create_database(self, template: str = TEMPLATE) -> str:
        """A clone of the template; returns its URL."""
        name = f"test_{next(self._numbers)}"
        asyncio.run(self._execute(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.url_of(name)

    def create_empty_database(self) -> str:
        """A database without any of our tables; returns its URL."""
        return self.create_database("template1")

    def drop_database(self, url: str) -> None:
        """Remove it, whoever is still connected."""
        name = url.partition("?")[0].rpartition("/")[2]
        asyncio.run(self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    def url_of(self, name: str) -> str:
        """The address of a database on this server."""
        path, question, query = self._admin_url.partition("?")
        return f"{path.rpartition('/')[0]}/{name}{question}{query}"

    def commit_durably(self) -> None:
        """From now on a commit survives a crash of the server, as it does by default."""
        asyncio.run(self._execute("ALTER SYSTEM SET synchronous_commit = on"))
        asyncio.run(self._execute("SELECT pg_reload_conf()"))

    def close(self) -> None:
        """The embedded server stops by itself when the process ends."""

    async def _prepare(self) -> None:
        await self._execute("ALTER SYSTEM SET fsync = off")
        await self._execute("ALTER SYSTEM SET synchronous_commit = off")
        await self._execute("SELECT pg_reload_conf()")
        await self._execute(f"CREATE DATABASE {TEMPLATE}")
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self.url_of(TEMPLATE))
        try:
            await migrate(connection)
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
