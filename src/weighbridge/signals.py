"""Ctrl-C, SIGTERM and a closed terminal: all of them ask for an end in good order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG_UP: Final = getattr(signal, "SIGHUP", None)  # Windows has none


def signals_to_end() -> tuple[signal.Signals, ...]:
    """Those that ask for an end. Under nohup a closed terminal does not."""
    asked = (signal.SIGINT, signal.SIGTERM)
    if HANG_UP is None or signal.getsignal(HANG_UP) is signal.SIG_IGN:
        return asked
    return (*asked, HANG_UP)


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Inside the block every one of them does what Ctrl-C does: the program unwinds and closes what
    it has opened.
    """
    numbers = [number for number in signals_to_end() if number != signal.SIGINT]
    before = {number: signal.signal(number, _like_ctrl_c) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _like_ctrl_c(_number: int, _frame: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with & in a script
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def handling(handle: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Inside the block, call `handle` on the running event loop for each signal that asks the
    program to end; afterwards the earlier handlers are back.

    Raises:
        CancelledError: one came before the block and was lost: it cancels this task, and a wait
            that ends in the same moment drops that (`asyncio.wait_for` does before Python 3.12).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    loop = asyncio.get_running_loop()
    came: list[signal.Signals] = []

    def hear(number: signal.Signals) -> None:
        # A closing terminal sends it to everybody, and the shell once more: nobody is in a hurry
        # for that.
        if number != HANG_UP or not came:
            came.append(number)
            handle(number)

    before = {number: signal.getsignal(number) for number in signals_to_end()}
    for number in before:
        try:
            loop.add_signal_handler(number, hear, number)
        except NotImplementedError:  # the loops of Windows
            signal.signal(
                number, lambda got, _: loop.call_soon_threadsafe(hear, signal.Signals(got))
            )
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
