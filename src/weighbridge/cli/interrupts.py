"""Ctrl-C and SIGTERM, while something is running that wants to end in good order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weighbridge.engine.supervisor import Supervisor
    from weighbridge.store.database import Database

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interrupts(handle: Callable[[], object]) -> Iterator[None]:
    """Call `handle` at each of them. On Windows, whose loops know no signals, Ctrl-C ends the program at once."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        for number in _SIGNALS:
            loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


async def drain_or_abandon(
    supervisor: Supervisor, again: Coroutine[Any, Any, object], database: Database
) -> None:
    """Finish the calls in flight; stop at once when `again` comes before that, or nothing can be stored any more."""
    drained = asyncio.ensure_future(supervisor.drain())
    hurries = [asyncio.ensure_future(again), asyncio.ensure_future(database.until_gone())]
    await asyncio.wait({drained, *hurries}, return_when=asyncio.FIRST_COMPLETED)
    for hurry in hurries:
        hurry.cancel()
    if drained.done():
        drained.result()
        return
    drained.cancel()
    await asyncio.gather(drained, return_exceptions=True)
    await supervisor.abandon()
