"""Shares one expensive read among concurrent callers.

A look answers those who asked before it began, and nobody else: what one has just changed one
always sees.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class SharedLook(Generic[T]):
    """Calls `look` for whoever asks; one at a time, and the next one for all who asked
    meanwhile.
    """

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        self._look = look
        self._under_way: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """What a look that begins after this call has seen, or its error."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._under_way))
            self._next.add_done_callback(_heed)
        # Whoever goes away must not take the look from the others.
        return await asyncio.shield(self._next)

    async def _look_after(self, before: asyncio.Task[T] | None) -> T:
        if before is not None and not before.done():
            await asyncio.wait({before})
        self._under_way, self._next = self._next, None
        return await self._look()


def _heed(task: asyncio.Task[T]) -> None:
    """Everybody who asked may have gone; asyncio would then call an error forgotten."""
    if not task.cancelled():
        task.exception()
