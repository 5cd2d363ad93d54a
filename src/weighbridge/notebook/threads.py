"""Runs a coroutine on a thread and an event loop of its own: notebooks have a loop that runs."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def on_own_thread(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run what `make` returns and wait for it.

    An interrupt (Ctrl-C, "Interrupt kernel") cancels it, waits until it has cleaned up, and is
    raised here.
    """
    done: Future[T] = Future()
    cancel: list[Callable[[], object]] = []

    async def main() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await make()

    def work() -> None:
        try:
            done.set_result(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            done.set_exception(error)

    thread = threading.Thread(target=work, name="weighbridge")
    thread.start()
    try:
        return done.result()
    except KeyboardInterrupt:
        for ask in cancel:
            ask()
        thread.join()
        raise
