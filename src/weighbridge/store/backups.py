"""Copies every table out of the database as text, and back into one.

All tables are read in one snapshot, by COPY, whose text any version of PostgreSQL reads; no other
program is needed. The schema is not part of it: migrations make that. Jobs and heartbeats are left
out, because they belong to running processes.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from weighbridge.errors import Conflict, InputError
from weighbridge.store import jobs
from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from weighbridge.store.database import Connection, Database

_LIVE: Final = frozenset({"workers"})
"""Tables that a backup leaves out because they are about the processes that run at present."""
_CREATES: Final = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
"""Finds the names of the tables that a migration makes."""
_PORTABLE: Final = (
    "SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'"
)
"""SQL for the settings under which every server writes the same values as the same text."""


def our_tables() -> list[str]:
    """The tables that migrations make, in an order in which each comes after those that it refers
    to.
    """
    return [
        name
        for migration in migrations()
        for name in _CREATES.findall(migration.sql)
        if name not in _LIVE
    ]


async def schema_number(connection: Connection) -> int:
    """The newest migration that was applied."""
    return int(await connection.fetchval("SELECT max(number) FROM schema_migrations"))


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Connection]:
    """A connection on which everything is read as it was at one moment."""
    connection = await database.connect(LONG_STATEMENT_S)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(_PORTABLE)
            yield connection
    finally:
        connection.terminate()


async def columns_of(connection: Connection, table: str) -> list[str]:
    """The columns of a table that are not generated from others."""
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT "
        "attisdropped AND attgenerated = '' ORDER BY attnum",
        table,
    )
    return [row["attname"] for row in rows]


async def copy_out(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    write: Callable[[bytes], Coroutine[Any, Any, None]],
) -> int:
    """Pass the rows of a table to `write`, as text; returns how many."""
    tag = await connection.copy_from_table(
        table, columns=list(columns), output=write, timeout=LONG_STATEMENT_S
    )
    return int(tag.split()[-1])


@asynccontextmanager
async def replacing(
    database: Database, tables: Sequence[str], *, overwrite: bool
) -> AsyncIterator[Connection]:
    """Context manager in whose block the caller fills these tables again: they are emptied before
    it; after it their sequences are set and all jobs deleted. All of this is one transaction.

    Raises:
        Conflict: a process works on the database, or it has data and `overwrite` is not set.
    """
    connection = await database.connect(LONG_STATEMENT_S)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", jobs.DISPATCH_LOCK):
            raise Conflict(_IN_USE)
        async with connection.transaction():
            await connection.execute(_PORTABLE)
            await _refuse_if_used(connection, overwrite=overwrite)
            await connection.execute(f"TRUNCATE {', '.join(tables)}")  # names of ours
            for table in tables:
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield connection
            for table in tables:
                await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
                await _set_sequences(connection, table)
            await connection.execute("DELETE FROM pgqueuer")
    finally:
        connection.terminate()


_IN_USE: Final = (
    "Another process is using this database. Stop `serve`, `run` and every `worker` first; nothing "
    "was changed."
)


async def _refuse_if_used(connection: Connection, *, overwrite: bool) -> None:
    """Raises Conflict while a worker is running, and for a database with products unless
    `overwrite`.
    """
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM workers WHERE seen_at > now() - interval '15 seconds')"
    ):
        raise Conflict(_IN_USE)
    held = await connection.fetchval("SELECT EXISTS (SELECT FROM products)")
    if held and not overwrite:
        raise Conflict(
            "The database has products, which a restore would replace. Add --yes to replace "
            "everything in it; nothing was changed."
        )


async def copy_in(
    connection: Connection, table: str, columns: Sequence[str], source: AsyncIterator[bytes]
) -> int:
    """Read rows into a table; returns how many.

    Raises:
        InputError: a column that this version does not have.
    """
    known = await columns_of(connection, table)
    if unknown := [name for name in columns if name not in known]:
        raise InputError(
            f"The backup has a column {unknown[0]!r} that this version does not have in {table}. Restore it with the version that wrote it."
        )
    tag = await connection.copy_to_table(
        table, source=source, columns=list(columns), timeout=LONG_STATEMENT_S
    )
    return int(tag.split()[-1])


async def _set_sequences(connection: Connection, table: str) -> None:
    """Let the numbers of new rows continue after the largest one in the table."""
    identities = await connection.fetch(
        "SELECT attname, pg_get_serial_sequence($1, attname) AS sequence FROM pg_attribute WHERE "
        "attrelid = $1::text::regclass AND attnum > 0 AND attidentity <> ''",
        table,
    )
    for row in identities:
        await connection.execute(
            f"SELECT setval($1::text::regclass, max({row['attname']})) FROM {table}"  # noqa: S608
            f" HAVING max({row['attname']}) IS NOT NULL",
            row["sequence"],
        )
