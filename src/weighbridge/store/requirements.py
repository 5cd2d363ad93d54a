"""What a database of the user's own must offer, checked before anything is written to it.

Locks, notifications and settings belong to a session. A pooler that hands each transaction to
another session loses them: the lock of the dispatcher stays behind, and nobody is told of new work.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg

from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from weighbridge.store.connecting import Connection

OLDEST: Final = 16
"""The oldest major version of PostgreSQL that is accepted.

The test suite runs on the version of the wheel (18).
"""
ANSWER_LIMIT_S: Final = 5.0
"""How many seconds the check whether the database keeps sessions may take."""
ROUNDS: Final = 3
"""How many transactions the check whether the database keeps sessions runs."""
_LOST: Final = (
    "The database at WEIGHBRIDGE_DATABASE_URL does not keep sessions ({reason}). A pooler between "
    "this program and PostgreSQL, such as PgBouncer in transaction mode, would lose locks and "
    "notifications. Use an address that leads to PostgreSQL directly, or a pooler in session mode "
    "(PgBouncer: pool_mode = session)."
)


def check_version(connection: Connection) -> None:
    """Refuse a server that is too old.

    Raises:
        DatabaseUnavailable: names its version and what is needed.
    """
    version = connection.get_server_version()
    if version.major < OLDEST:
        raise DatabaseUnavailable(
            "The database at WEIGHBRIDGE_DATABASE_URL is PostgreSQL "
            f"{version.major}.{version.minor}, and Weighbridge needs {OLDEST} or newer. Upgrade "
            "it, or leave the variable out to use the embedded server."
        )


async def check_sessions(connection: Connection, other: Connection) -> None:
    """Refuse a pooler that gives transactions of one connection to different sessions, or loses
    notifications; tried with these two connections.

    Raises:
        DatabaseUnavailable: says what was seen, and what to use instead.
    """
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            reason = await _why_mixed_up(connection, other) or await _why_unheard(connection, other)
    except TimeoutError:
        reason = "one connection waits until another has ended its transaction"
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        reason = "a prepared statement was lost, or belonged to another session"
    except asyncpg.PostgresConnectionError as error:
        if "pooling mode" not in str(error):
            raise
        reason = str(error)
    if reason:
        raise DatabaseUnavailable(_LOST.format(reason=reason))


async def _why_mixed_up(connection: Connection, other: Connection) -> str | None:
    """How the sessions of the two connections are mixed up; None where they are not. While the
    other one is in a transaction, it may get the session that was ours.
    """
    ours = await _session_of(connection)
    for _ in range(ROUNDS):
        async with other.transaction():
            theirs = await _session_of(other)
            if theirs == ours or await _session_of(connection) != ours:
                return "two transactions of one connection ran in different sessions"
    return None


async def _session_of(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT pg_backend_pid()"))


async def _why_unheard(connection: Connection, other: Connection) -> str | None:
    """Why notifications, which announce new work, cannot be relied on; None where one arrives."""
    heard = asyncio.Event()

    def hear(*_: object) -> None:
        heard.set()

    channel = "weighbridge_session_check"
    await connection.add_listener(channel, hear)
    try:
        await other.execute(f"NOTIFY {channel}")
        async with asyncio.timeout(ANSWER_LIMIT_S / 2):
            await heard.wait()
    except TimeoutError:
        return "a notification was not delivered"
    finally:
        await connection.remove_listener(channel, hear)
    return None
