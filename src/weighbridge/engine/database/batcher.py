"""Does in one go what many tasks ask for at the same moment.

While one go is under way the next requests gather, and then go together: alone a request waits for nobody, and
in a crowd a hundred share one transaction. Used for what each call reads and writes in the database.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """`do` takes up to `most` items and returns one result for each, in their order.

    When that many wait, another go begins beside those under way, up to `at_once`: one can be put together
    while the database works on another.

    When `do` fails for several items each is tried alone, so that only the one at fault gets the error.
    An item is done even if nobody waits for its result any more.
    """

    def __init__(
        self, do: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int, at_once: int = 1
    ) -> None:
        self._do = do
        self._most = most
        self._at_once = at_once
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, item: T) -> R:
        """The result for this item, or the error that it caused."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        is_crowd = len(self._waiting) >= self._most and len(self._tasks) < self._at_once
        if is_crowd or not self._tasks:
            task = asyncio.create_task(self._work_off())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await result

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                part, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do_part(part)
        except asyncio.CancelledError:
            for _, result in self._waiting:
                result.cancel()
            self._waiting = []
            raise
        finally:  # at once: whoever comes next must see that nobody works any more
            self._tasks.discard(asyncio.current_task())

    async def _do_part(self, part: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._do([item for item, _ in part])
        except asyncio.CancelledError:
            for _, result in part:
                result.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - passed on to whoever asked
            if len(part) > 1:
                for one in part:
                    await self._do_part([one])
                return
            if not part[0][1].done():
                part[0][1].set_exception(error)
        else:
            for (_, result), value in zip(part, results, strict=True):
                if not result.done():
                    result.set_result(value)
