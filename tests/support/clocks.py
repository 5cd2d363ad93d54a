"""A clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from typing_extensions import override

from weighbridge.clock import Clock

BEGINNING = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


class SteppedClock(Clock):
    """Time passes by `advance` only."""

    def __init__(self) -> None:
        self._passed_s = 0.0
        self._set_by_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock, by so much; time itself goes on as ever."""
        self._set_by_s += seconds

    @override
    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._passed_s + self._set_by_s)

    @override
    def monotonic_s(self) -> float:
        return 1_000.0 + self._passed_s

    @override
    def of_database(self, epoch_s: float) -> float:
        return epoch_s

    @override
    async def sleep(self, delay_s: float) -> None:
        self.advance(delay_s)
        await asyncio.sleep(0)

    @override
    def timeout(self, delay_s: float) -> asyncio.Timeout:
        return asyncio.timeout(None)
