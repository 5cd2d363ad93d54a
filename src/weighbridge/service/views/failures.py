"""Groups failed products and failed calls by cause and step."""

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
    """Groups of products that are failed, and of calls that failed in the last 24 hours."""

    products: list[FailedProducts]
    calls: list[FailedCalls]


async def failure_groups(database: Database, now: datetime) -> FailureGroups:
    """The groups of failed products and calls, the largest first."""
    async with database.pool.acquire() as connection:
        return FailureGroups(
            await failures.failed_products(connection),
            await failures.failed_calls(connection, now - DAY),
        )
