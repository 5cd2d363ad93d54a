"""Shows, sets and removes the caps on what may be spent; every process keeps to them from its next
call on.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.budgets import CATALOGUE, PERIODS, Budget
from weighbridge.errors import InputError
from weighbridge.store import budgets, queue_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

__all__ = ["MOST_USD", "PERIODS", "Budget"]

MOST_USD: Final = 1e9
"""The largest budget that can be set, in USD."""


class InvalidBudget(InputError):
    """A cap is no amount of money, or is for a period that has no cap. Nothing was changed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


async def read_budgets(database: Database, clock: Clock) -> list[Budget]:
    """The caps in force, each with what is spent or reserved of it."""
    async with database.transaction() as connection:
        return await budgets.lock(connection, clock.now())


async def set_budgets(database: Database, caps: Mapping[str, Any]) -> None:
    """Set the caps of these periods; None removes a cap. All are changed or none.

    Raises:
        InvalidBudget: one of them cannot be used; names the period.
    """
    checked = {period: _valid_cap(period, cap) for period, cap in caps.items()}
    async with database.transaction() as connection:
        for period, cap_usd in checked.items():
            if cap_usd is None:
                await budgets.remove(connection, period)
            else:
                await budgets.put(connection, period, cap_usd)
        await queue_state.announce(connection)


async def remove_catalogue_budgets(database: Database) -> int:
    """Remove the caps that interrupted runs left behind; returns how many were removed."""
    async with database.transaction() as connection:
        removed = await budgets.remove_catalogues(connection)
        await queue_state.announce(connection)
    return removed


@asynccontextmanager
async def capped(database: Database, file: Path, cap_usd: float | None) -> AsyncIterator[None]:
    """Context manager that caps what all runs of the catalogue in `file` may cost together.

    None: no cap. If the block ends without an exception, what was spent is remembered and the cap
    ends. Otherwise it stays in force, because calls in flight may still cost something.
    """
    if cap_usd is None:
        yield
        return
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    name = f"{CATALOGUE}{sha256[:12]}"
    async with database.transaction() as connection:
        await budgets.put(connection, name, cap_usd)
    yield
    async with database.transaction() as connection:
        await budgets.end(connection, name)


def _valid_cap(period: str, cap: object) -> float | None:
    """The cap of a period in USD; None for no cap.

    Raises:
        InvalidBudget: there is no such period, or the cap is no amount in range.
    """
    if period not in PERIODS:
        raise InvalidBudget(
            period[:60], f"There is no budget for {period[:60]!r}; choose {_PERIODS}."
        )
    if cap is None:
        return None
    is_number = isinstance(cap, int | float) and not isinstance(cap, bool)
    if not is_number or not math.isfinite(cap) or not 0 <= cap <= MOST_USD:  # type: ignore[arg-type,operator]
        raise InvalidBudget(
            period,
            f"The budget of a {period} must be an amount in USD from 0 to {MOST_USD:,.0f}, or null for no budget.",
        )
    return float(cap)  # type: ignore[arg-type]


_PERIODS: Final = " and ".join(PERIODS)
