"""Shares one expensive read among concurrent callers.

A caller only gets the result of a read that began after the call, so callers always see what they
have just changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from weighbridge.tasks import retrieve_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class SharedLook(Generic[T]):
    """Calls `look`, one call at a time; all who ask during one call share the result of the
    next.
    """

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        self._look = look
        self._under_way: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """The result, or the error, of a call of `look` that begins after this one."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._under_way))
            self._next.add_done_callback(retrieve_error)
        # A caller that is cancelled must not cancel the read for the others.
        return await asyncio.shield(self._next)

    async def _look_after(self, before: asyncio.Task[T] | None) -> T:
        """Call `look` once the call before has ended."""
        if before is not None and not before.done():
            await asyncio.wait({before})
        self._under_way, self._next = self._next, None
        return await self._look()
