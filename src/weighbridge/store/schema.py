"""Brings the database to this program's schema: numbered SQL files, each applied once, in order.

Safe when several processes start together (an advisory lock), and while others work: no migration
makes them wait for long. A database that a newer program has migrated is accepted if the newer
migrations say that they serve this one (decision 0017). PgQueuer's tables are installed and
upgraded by PgQueuer, never to an older version.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import partial
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from weighbridge.errors import DatabaseUnavailable, SchemaTooNew

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MIGRATION_LOCK = 0x57656967_6D696772  # "Weigmigr"
LOCK_WAIT: Final = "1s"
"""How long a migration waits for a table. All statements queued behind it wait as long, and an
export can hold the table for an hour. After this time it lets the others pass and tries again.
"""
LOCK_TRIES: Final = 120
"""How many times a migration is tried that has to wait for a table."""
LOCK_PAUSE_S: Final = 1.0
_SERVES: Final = re.compile(r"^-- Serves programs from schema (\d+) on\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered SQL file.

    `serves` is the lowest schema whose programs still work after it; its own number where none do.
    """

    number: int
    name: str
    sql: str

    @property
    def serves(self) -> int:
        """The schema that a line of the file names; the own number where it has no such line."""
        said = _SERVES.search(self.sql)
        return int(said[1]) if said else self.number


def migrations() -> list[Migration]:
    """Every migration this program knows, in order."""
    folder = resources.files("weighbridge.store") / "migrations"
    found = []
    for file in folder.iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql"):
            found.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.number)


async def migrate(connection: asyncpg.Connection[Any]) -> int | None:
    """Apply what is missing; returns the number of a newer schema that this program may work with,
    or None.

    Raises:
        SchemaTooNew: the database knows a migration that does not serve this program.
        DatabaseUnavailable: another session has held a table for minutes.
    """
    known = migrations()
    await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    try:
        applied = await _applied(connection)
        newest = _newer_schema(applied, known[-1].number)
        await connection.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
        for migration in known:
            if migration.number not in applied:
                await _retry_while_locked(partial(_apply, connection, migration))
            elif applied[migration.number] is None:
                await _store_serves(connection, migration)
        await _retry_while_locked(partial(_install_pgqueuer, connection))
    finally:
        await connection.execute("RESET lock_timeout")
        await connection.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)
    return newest


async def _applied(connection: asyncpg.Connection[Any]) -> dict[int, int | None]:
    """Number → `serves` of the applied migrations; None where a program applied it that did not
    know `serves`.
    """
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ( number integer PRIMARY KEY, name text NOT "
        "NULL, applied_at timestamptz NOT NULL DEFAULT now());ALTER TABLE schema_migrations ADD "
        "COLUMN IF NOT EXISTS serves integer"
    )
    rows = await connection.fetch("SELECT number, serves FROM schema_migrations")
    return {row["number"]: row["serves"] for row in rows}


def _newer_schema(applied: dict[int, int | None], newest_known: int) -> int | None:
    """The number of the database's schema where a newer program has migrated it; None otherwise.

    Raises SchemaTooNew where this program cannot work with that schema.
    """
    newer = {number: serves for number, serves in applied.items() if number > newest_known}
    if not newer:
        return None
    if any(serves is None or serves > newest_known for serves in newer.values()):
        raise SchemaTooNew(
            f"The database has schema {max(newer)}, this program knows up to {newest_known}: a "
            "newer Weighbridge wrote it. Upgrade this installation (pip install --upgrade "
            "weighbridge), or use another database."
        )
    return max(newer)


async def _apply(connection: asyncpg.Connection[Any], migration: Migration) -> None:
    """Run one migration and note it, both or neither."""
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (number, name, serves) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.serves,
        )


async def _store_serves(connection: asyncpg.Connection[Any], migration: Migration) -> None:
    """Store `serves` of a migration that an older program has applied."""
    await connection.execute(
        "UPDATE schema_migrations SET serves = $2 WHERE number = $1",
        migration.number,
        migration.serves,
    )


async def _retry_while_locked(attempt: Callable[[], Awaitable[None]]) -> None:
    """Run `attempt` again while somebody holds the tables that it changes.

    Between two tries everything that is queued behind us goes on. Raises DatabaseUnavailable after
    `LOCK_TRIES`.
    """
    for _ in range(LOCK_TRIES):
        try:
            return await attempt()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(LOCK_PAUSE_S)
    raise DatabaseUnavailable(
        "The database could not be migrated: another session has locked a table for minutes. Look "
        "for long transactions in pg_stat_activity, end them, and start again."
    )


async def _install_pgqueuer(connection: asyncpg.Connection[Any]) -> None:
    """Install or upgrade PgQueuer's own tables, where our PgQueuer is newer than the one that did "
    "it last. An older PgQueuer is not let near them: it would remove what a newer program on the "
    "same database needs.
    """
    version = metadata.version("pgqueuer")
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS pgqueuer_version (only_row boolean PRIMARY KEY DEFAULT true, "
        "version text NOT NULL)"
    )
    installed = await connection.fetchval("SELECT version FROM pgqueuer_version")
    if installed is not None and _release(installed) >= _release(version):
        return
    queries = Queries(AsyncpgDriver(connection))
    if await queries.schema_is_installed():
        await queries.upgrade()
    else:
        await queries.install()
    await connection.execute(
        "INSERT INTO pgqueuer_version (version) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET "
        "version = excluded.version",
        version,
    )


def _release(version: str) -> list[int]:
    """The first three numbers of a version, for comparison."""
    return [int(part) for part in re.findall(r"\d+", version)[:3]]
