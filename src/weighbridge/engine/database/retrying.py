"""Retries statements while the database is unavailable, so that nothing that was paid for is lost.

PostgreSQL may restart, fail over, or run out of connections or disk, for a second or for hours. The
engine retries what it has to read or write until it succeeds, or until the engine is abandoned or
the pool is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg

from weighbridge import telemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.clock import Clock
    from weighbridge.store.database import Pool

T = TypeVar("T")

TRANSIENT_ERRORS: Final = (
    OSError,  # refused, reset, no socket file, timed out
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, terminated by an administrator
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.TransactionRollbackError,  # a deadlock, which another transaction survived
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is about to be promoted
    asyncpg.InternalClientError,  # the connection broke in the middle of a message
)
"""Errors that pass without a change to our program. Any other error of a statement is a bug and is
raised.
"""
RETRY_S: Final = 0.5


class DatabaseRetry:
    """One per process; logs once that the database is unavailable, and once that it is back."""

    def __init__(self, clock: Clock, pool: Pool) -> None:
        self._clock = clock
        self._pool = pool
        self._is_unavailable = False

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which is repeated for as long as the database is unavailable.

        Raises:
            asyncpg.InterfaceError: the pool is closed.
        """
        while True:
            try:
                result = await work()
            except TRANSIENT_ERRORS as error:
                # A ValueError of asyncpg is for an argument of the wrong type.
                if isinstance(error, ValueError) or self._pool.is_closing():
                    raise
                self._log_unavailable(error)
                await self._clock.sleep(RETRY_S)
            else:
                self._log_available()
                return result

    def _log_unavailable(self, error: Exception) -> None:
        """Log the error, but only the first of each outage."""
        if self._is_unavailable or isinstance(error, asyncpg.TransactionRollbackError):
            return
        self._is_unavailable = True
        telemetry.warning(
            "database_away",
            f"⚠️ Database unavailable ({type(error).__name__}); retrying until it is back, nothing is lost",
            error=type(error).__name__,
        )

    def _log_available(self) -> None:
        if self._is_unavailable:
            self._is_unavailable = False
            telemetry.info("database_back", "▶️ Database available again")
