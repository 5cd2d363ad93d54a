"""Opens the configured database, and stores the queue's first settings in a new one. Every command
starts here.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.errors import DatabaseUnavailable, StoreError
from weighbridge.store import queue_state
from weighbridge.store.database import DATABASE_ERRORS, Database, open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from weighbridge.settings import Settings

__all__ = ["DATABASE_AWAY", "Database", "check_database", "opened_database"]

DATABASE_AWAY: Final = (*DATABASE_ERRORS, TimeoutError, StoreError)
"""The errors that any service may raise while the database cannot be reached."""


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Context manager for the database: starts or reaches PostgreSQL, migrates it, and closes it.

    A new database gets the queue's configuration from the settings.

    Raises:
        DatabaseUnavailable, SchemaTooNew: as their names say.
    """
    url = settings.database_url.get_secret_value() if settings.database_url else None
    database = await open_database(url, settings.data_dir)
    if database.newer_schema is not None:
        telemetry.warning(
            "schema_is_newer",
            f"⚠️ A newer Weighbridge has migrated the database (schema {database.newer_schema}). "
            "This version can still use the database; upgrade this installation too",
            schema=database.newer_schema,
        )
    try:
        async with database.transaction() as connection:
            await queue_state.seed(
                connection,
                {
                    "batch_size": settings.batch_size,
                    "batch_delay_ms": settings.batch_delay_ms,
                    "max_concurrent_requests": settings.max_concurrent_requests,
                    "pacing": settings.pacing,
                    "ask_together": settings.ask_together,
                    "requests_per_minute": settings.requests_per_minute,
                    "tokens_per_minute": settings.tokens_per_minute,
                },
            )
        yield database
    finally:
        await database.close()


async def check_database(database: Database, within_s: float) -> None:
    """Run the cheapest query there is, to see whether the database answers.

    Raises:
        DatabaseUnavailable: it did not answer within `within_s`.
    """
    try:
        async with asyncio.timeout(within_s):
            await database.pool.fetchval("SELECT 1")
    except (*DATABASE_ERRORS, TimeoutError) as error:
        raise DatabaseUnavailable(
            "The database is not responding. Try again in a moment."
        ) from error
