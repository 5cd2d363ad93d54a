"""Shares a slow read among pages, and keeps nobody waiting who can do with an earlier result."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from weighbridge.tasks import retrieve_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.clock import Clock

T = TypeVar("T")

PATIENCE_S: Final = 0.1
"""How long a caller waits for a new result, if there is an earlier one."""
OLDEST_S: Final = 60.0
"""How long an earlier result is still given after it was due to be read again."""
COST_FACTOR: Final = 20.0
"""A result that took t seconds to read is fresh for at least 20 t: reading takes at most 5 % of one
connection's time.
"""


class PatientLook(Generic[T]):
    """Calls `look`, one call at a time, and gives its result to all who ask while it is fresh.

    It is fresh for `fresh_for_s` seconds, or for `cost_factor` times as long as reading it took.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[T]],
        clock: Clock,
        *,
        fresh_for_s: float = 0.0,
        cost_factor: float = COST_FACTOR,
    ) -> None:
        self._look = look
        self._clock = clock
        self._fresh_for_s = fresh_for_s
        self._cost_factor = cost_factor
        self._known: T | None = None
        self._due_s = 0.0
        self._under_way: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """The result that `soon` gives; if it gives none, the new result, as soon as there is
        one.
        """
        known = await self.soon()
        if known is not None:
            return known
        # A caller that is cancelled must not cancel the read for the others.
        return await asyncio.shield(self._start())

    async def soon(self, patience_s: float = PATIENCE_S) -> T | None:
        """The fresh result, or the new one if it is read within `patience_s`.

        Otherwise the earlier one, unless it was due to be read again OLDEST_S ago; else None.
        """
        now_s = self._clock.monotonic_s()
        if self._known is not None and now_s < self._due_s:
            return self._known
        under_way = self._start()
        await asyncio.wait({under_way}, timeout=patience_s)
        if under_way.done():
            return under_way.result()
        return self._known if now_s < self._due_s + OLDEST_S else None

    def _start(self) -> asyncio.Task[T]:
        """The read under way; a new one is started if there is none."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._look_now())
            self._under_way.add_done_callback(retrieve_error)
        return self._under_way

    async def _look_now(self) -> T:
        """Call `look`, and keep the result until it is due to be read again."""
        began_s = self._clock.monotonic_s()
        seen = await self._look()
        ended_s = self._clock.monotonic_s()
        rest_s = max(self._fresh_for_s, (ended_s - began_s) * self._cost_factor)
        self._known, self._due_s = seen, ended_s + rest_s
        return seen
