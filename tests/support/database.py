"""The real PostgreSQL for tests: the embedded server, one database per test cloned from a
template.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import asyncpg

from weighbridge.embedded_postgres.cluster import ROLE, as_superuser, prepare
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.embedded_postgres.server_user import make_data_folder, server_account
from weighbridge.store.schema import migrate

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = "weighbridge_template"


class PostgresForTests:
    """Owns a throw-away server. fsync is off: these databases need not survive the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = EmbeddedServer(folder)
        self._give_tests_what_they_need()
        self._admin_url = self._server.join()
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
        asyncio.run(self._execute(f"ALTER ROLE {ROLE} SET synchronous_commit = on"))

    def close(self) -> None:
        """Leave the server, which stops."""
        self._server.leave()

    def _give_tests_what_they_need(self) -> None:
        """A database for every test, and no waiting for the disk: the product's role may not ask
        for either.
        """
        make_data_folder(self.folder)
        account = server_account(self.folder, self._server.pgdata)
        prepare(self._server.pgdata, account)
        as_superuser(
            self._server.pgdata,
            account,
            f"ALTER ROLE {ROLE} CREATEDB;\n\nGRANT pg_signal_backend TO {ROLE};\n\nALTER ROLE "
            f"{ROLE} SET synchronous_commit = off;\n\n"
            f"GRANT SET ON PARAMETER session_replication_role TO {ROLE};\n\n"
            "ALTER SYSTEM SET fsync = off;\n\n",
        )

    async def _prepare(self) -> None:
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
