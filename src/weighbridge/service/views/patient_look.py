"""A costly read for pages, which rather show what was seen a moment ago than wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.clock import Clock

T = TypeVar("T")

PATIENCE_S: Final = 0.1
"""Longest time that a page waits for a new look, if there is an earlier one."""
OLDEST_S: Final = 60.0
"""An earlier look is shown for no longer than this."""


class PatientLook(Generic[T]):
    """Calls `look`, one at a time. Where that takes long, the earlier look answers, and the new one
    answers those who ask after it.
    """

    def __init__(self, look: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._known: tuple[T, float] | None = None
        self._under_way: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """What a look sees now, or saw less than `OLDEST_S` ago."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._look_now())
            self._under_way.add_done_callback(_heed)
        under_way = self._under_way
        if self._known and self._clock.monotonic_s() - self._known[1] < OLDEST_S:
            await asyncio.wait({under_way}, timeout=PATIENCE_S)
            if not under_way.done():
                return self._known[0]
        # Whoever goes away must not take the look from the others.
        return await asyncio.shield(under_way)

    async def _look_now(self) -> T:
        began_s = self._clock.monotonic_s()
        seen = await self._look()
        self._known = seen, began_s
        return seen


def _heed(task: asyncio.Task[T]) -> None:
    """Everybody who asked may have gone; asyncio would then call an error forgotten."""
    if not task.cancelled():
        task.exception()
