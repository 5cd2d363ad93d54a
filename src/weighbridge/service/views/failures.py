"""Why things failed, by cause and by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from weighbridge.store import failures

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.service.opening import Database
    from weighbridge.store.failures import FailedCalls, FailedProducts

DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class FailureGroups:
    """Products that failed, and calls that failed in the last 24 hours."""

    products: list[FailedProducts]
    calls: list[FailedCalls]


async def failure_groups(database: Database, now: datetime) -> FailureGroups:
    """Both, the most frequent first."""
    async with database.pool.acquire() as connection:
        return FailureGroups(
            await failures.failed_products(connection),
            await failures.failed_calls(connection, now - DAY),
        )
