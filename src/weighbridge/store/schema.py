"""Brings the database to this program's schema: numbered SQL files, each applied once, in order.

Safe when several processes start together (an advisory lock) and refuses a database that a newer
program wrote. PgQueuer's tables are installed and upgraded by PgQueuer.
"""

from __future__ import annotations

from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from weighbridge.errors import SchemaTooNew

if TYPE_CHECKING:
    import asyncpg

MIGRATION_LOCK = 0x57656967_6D696772  # "Weigmigr"


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration this program knows, in order."""
    folder = resources.files("weighbridge.store") / "migrations"
    found = []
    for file in folder.iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql"):
            found.append((int(number), name, file.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(connection: asyncpg.Connection[Any]) -> None:
    """Apply what is missing.

    Raises:
        SchemaTooNew: the database knows a migration that this program does not.
    """
    known = migrations()
    await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            " number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await connection.fetch("SELECT number FROM schema_migrations")
        applied = {row["number"] for row in rows}
        newest = max(applied, default=0)
        if newest > known[-1][0]:
            raise SchemaTooNew(
                f"The database has schema {newest}, this program knows up to {known[-1][0]}: a newer Weighbridge "
                "wrote it. Upgrade this installation (pip install --upgrade weighbridge), or use another database."
            )
        for number, name, sql in known:
            if number not in applied:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute(
                        "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", number, name
                    )
        await _install_pgqueuer(connection)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)


async def _install_pgqueuer(connection: asyncpg.Connection[Any]) -> None:
    """PgQueuer's own tables; its schema is inspected only when its version has changed."""
    version = metadata.version("pgqueuer")
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS pgqueuer_version (only_row boolean PRIMARY KEY DEFAULT true, version text NOT NULL)"
    )
    if await connection.fetchval("SELECT version FROM pgqueuer_version") == version:
        return
    queries = Queries(AsyncpgDriver(connection))
    if await queries.schema_is_installed():
        await queries.upgrade()
    else:
        await queries.install()
    await connection.execute(
        "INSERT INTO pgqueuer_version (version) VALUES ($1)"
        " ON CONFLICT (only_row) DO UPDATE SET version = excluded.version",
        version,
    )
