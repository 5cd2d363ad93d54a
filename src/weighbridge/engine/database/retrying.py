"""Waits while the database is away, instead of throwing away what was paid for.

PostgreSQL is restarted, fails over, runs out of connections or disk: for a second or for hours. Whatever
the engine has to read or write then is tried again until it works; only a drain that is cut short ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg

from weighbridge import telemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.clock import Clock

T = TypeVar("T")

TRANSIENT_ERRORS: Final = (
    OSError,  # refused, reset, no socket file, timed out
    asyncpg.InterfaceError,  # the connection or the pool was closed under us
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, terminated by an administrator
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.TransactionRollbackError,  # a deadlock that somebody else won
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is about to be promoted
    asyncpg.InternalClientError,  # the connection broke in the middle of a message
)
"""What passes by itself. Other errors of a statement are mistakes and must be seen."""
RETRY_S: Final = 0.5


class DatabaseRetry:
    """One per process; says once that the database is away, and once that it is back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._is_away = False

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which is begun anew for as long as the database is away."""
        while True:
            try:
                result = await work()
            except TRANSIENT_ERRORS as error:
                if isinstance(error, ValueError):  # an argument that no server would take
                    raise
                self._say_away(error)
                await self._clock.sleep(RETRY_S)
            else:
                self._say_back()
                return result

    def _say_away(self, error: Exception) -> None:
        if self._is_away or isinstance(error, asyncpg.TransactionRollbackError):
            return
        self._is_away = True
        telemetry.warning(
            "database_away",
            f"⚠️ The database does not answer ({type(error).__name__}); waiting until it does, nothing is lost",
            error=type(error).__name__,
        )

    def _say_back(self) -> None:
        if self._is_away:
            self._is_away = False
            telemetry.info("database_back", "▶️ The database answers again")
