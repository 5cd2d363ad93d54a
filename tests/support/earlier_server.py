"""A data directory as earlier versions made and left it: everybody is let in as the superuser, who
owns everything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from weighbridge.embedded_postgres.address import ShortName
from weighbridge.embedded_postgres.files import make_folder
from weighbridge.embedded_postgres.programs import run_in
from weighbridge.embedded_postgres.server_user import make_data_folder, server_account
from weighbridge.store.schema import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.embedded_postgres.account import OsAccount


class EarlierServer:
    """It runs, with one product in its database, until it is stopped or forgotten."""

    def __init__(self, data_dir: Path) -> None:
        self.pgdata = data_dir / "postgres"
        make_data_folder(data_dir)
        self._account: OsAccount | None = server_account(data_dir, self.pgdata)
        make_folder(self.pgdata, self._account)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres")
        self._run("pg_ctl", "-w", "-o", '-h "" -k .', "-l", "log", "start")
        asyncio.run(self._fill())

    def stop(self) -> None:
        """As its last user did."""
        self._run("pg_ctl", "-w", "stop")

    async def connect(self) -> asyncpg.Connection:
        """As anybody could."""
        name = ShortName(self.pgdata)
        return await asyncpg.connect(f"postgresql://postgres@/postgres?host={name.path}")

    async def _fill(self) -> None:
        connection = await self.connect()
        await migrate(connection)
        await connection.execute(
            "INSERT INTO products (code, name, description) VALUES ('OLD', 'Chair', 'A wooden "
            "chair')"
        )
        await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        done = run_in(self.pgdata, self._account, program, *arguments)
        assert done.returncode == 0, done.stdout
