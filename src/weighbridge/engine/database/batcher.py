"""Processes in one batch what many tasks ask for at the same moment.

While one batch is being processed, further items are collected for the next. So a single item is
processed at once, and a hundred items share one transaction. Used for what each call reads and
writes in the database.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Passes items in batches to `do`, which takes up to `most` and returns a result for each, in
    their order.

    When `most` items are waiting, another batch starts beside those in progress, up to `at_once`:
    one can be assembled while the database works on another.

    When `do` fails for several items, each is retried alone, so that only the one at fault gets the
    error. An item is processed even if nobody waits for its result any more.
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
        is_full = len(self._waiting) >= self._most and len(self._tasks) < self._at_once
        if is_full or not self._tasks:
            task = asyncio.create_task(self._process())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await result

    async def _process(self) -> None:
        """Run batch after batch until nothing waits."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do_batch(batch)
        except asyncio.CancelledError:
            for _, result in self._waiting:
                result.cancel()
            self._waiting = []
            raise
        finally:  # at once: the next item must see that no batch is in progress
            self._tasks.discard(asyncio.current_task())

    async def _do_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        """Run one batch and hand each caller its result.

        If it fails, each item is run alone: one cannot make the others fail.
        """
        try:
            results = await self._do([item for item, _ in batch])
        except asyncio.CancelledError:
            for _, result in batch:
                result.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - passed on to the caller
            if len(batch) > 1:
                for one in batch:
                    await self._do_batch([one])
                return
            if not batch[0][1].done():
                batch[0][1].set_exception(error)
        else:
            for (_, result), value in zip(batch, results, strict=True):
                if not result.done():
                    result.set_result(value)
