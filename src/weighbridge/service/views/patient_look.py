"""Shares a slow read among pages, which get an earlier result if the new one takes too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.clock import Clock

T = TypeVar("T")

PATIENCE_S: Final = 0.1
"""How long a caller waits for a new result, if there is an earlier one."""
OLDEST_S: Final = 60.0
"""The oldest earlier result that is still given."""


class PatientLook(Generic[T]):
    """Calls `look`, one call at a time, and gives its result to all who ask.

    If that takes longer than PATIENCE_S, they get the earlier result.
    Later callers get the new one.
    """

    def __init__(self, look: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._known: tuple[T, float] | None = None
        self._under_way: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """A new result of `look`, or an earlier one of less than OLDEST_S ago."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._look_now())
            self._under_way.add_done_callback(_retrieve_error)
        under_way = self._under_way
        if self._known and self._clock.monotonic_s() - self._known[1] < OLDEST_S:
            await asyncio.wait({under_way}, timeout=PATIENCE_S)
            if not under_way.done():
                return self._known[0]
        # A caller that is cancelled must not cancel the read for the others.
        return await asyncio.shield(under_way)

    async def _look_now(self) -> T:
        """Call `look`, and keep the result with the time at which it began."""
        began_s = self._clock.monotonic_s()
        seen = await self._look()
        self._known = seen, began_s
        return seen


def _retrieve_error(task: asyncio.Task[T]) -> None:
    """Retrieve the task's error, since asyncio logs errors that nobody retrieves.

    All callers may have been cancelled.
    """
    if not task.cancelled():
        task.exception()
