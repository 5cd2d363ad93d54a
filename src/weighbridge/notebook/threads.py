"""Runs a coroutine on a thread with an event loop of its own: a notebook's loop is already
running.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def on_own_thread(make_coroutine: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine on a thread of its own and return its result.

    An interrupt (Ctrl-C, "Interrupt kernel") cancels the coroutine, waits until it has cleaned up,
    and is raised here.
    """
    done: Future[T] = Future()
    cancel: list[Callable[[], object]] = []

    async def run_cancellable() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await make_coroutine()

    def run_loop() -> None:
        try:
            done.set_result(asyncio.run(run_cancellable()))
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            done.set_exception(error)

    thread = threading.Thread(target=run_loop, name="weighbridge")
    thread.start()
    try:
        return done.result()
    except KeyboardInterrupt:
        for cancel_task in cancel:
            cancel_task()
        thread.join()
        raise
