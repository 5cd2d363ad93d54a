"""The only module that reads the time.

Everything else takes `now` as an argument or asks a Clock.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

from typing_extensions import override


class Clock(Protocol):
    """A source of the time, and a way to wait by it."""

    def now(self) -> datetime:
        """The current time in UTC, timezone-aware."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        ...

    def of_database(self, epoch_s: float) -> float:
        """Convert a time of the database (epoch seconds) into seconds of this clock; the result is
        the same in every process.
        """
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds of this clock."""
        ...

    def timeout(self, delay_s: float) -> asyncio.Timeout:
        """As `asyncio.timeout`, in seconds of this clock."""
        ...


class SystemClock(Clock):
    """The machine's own time."""

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def monotonic_s(self) -> float:
        return time.monotonic()

    @override
    def of_database(self, epoch_s: float) -> float:
        return epoch_s

    @override
    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    @override
    def timeout(self, delay_s: float) -> asyncio.Timeout:
        return asyncio.timeout(delay_s)


class ScaledClock(Clock):
    """A clock for simulations that runs `factor` times as fast as the machine's: with 60, a minute
    of a provider's limit passes in a second.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self._started_at = datetime.now(UTC)
        self._origin_s = time.monotonic()

    @override
    def now(self) -> datetime:
        return self._started_at + (datetime.now(UTC) - self._started_at) * self.factor

    @override
    def monotonic_s(self) -> float:
        return self._origin_s + (time.monotonic() - self._origin_s) * self.factor

    @override
    def of_database(self, epoch_s: float) -> float:
        return epoch_s * self.factor

    @override
    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s / self.factor)

    @override
    def timeout(self, delay_s: float) -> asyncio.Timeout:
        return asyncio.timeout(delay_s / self.factor)
