"""Handles Ctrl-C, SIGTERM and a closed terminal: each asks the program to end in good order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG_UP: Final = getattr(signal, "SIGHUP", None)  # Windows has none


def signals_to_end() -> tuple[signal.Signals, ...]:
    """The signals that ask the program to end: SIGINT, SIGTERM and, except under nohup, SIGHUP of a
    closed terminal.
    """
    asked = (signal.SIGINT, signal.SIGTERM)
    if HANG_UP is None or signal.getsignal(HANG_UP) is signal.SIG_IGN:
        return asked
    return (*asked, HANG_UP)


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Inside the block each of these signals raises KeyboardInterrupt, as Ctrl-C does, so that the
    program closes what it has opened.
    """
    numbers = [number for number in signals_to_end() if number != signal.SIGINT]
    before = {number: signal.signal(number, _like_ctrl_c) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _like_ctrl_c(_number: int, _frame: object) -> None:
    """Signal handler that does what Ctrl-C does, even where Ctrl-C is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with & in a script
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def handling(handle: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Inside the block, call `handle` on the running event loop for each signal that asks the
    program to end; afterwards restore the earlier handlers.

    Raises:
        CancelledError: a signal came before the block. It has cancelled this task, but a wait that
            ended at the same moment has dropped that (`asyncio.wait_for` may before Python 3.12).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []

    def handle_once_if_hang_up(number: signal.Signals) -> None:
        # A closing terminal sends SIGHUP, and the shell sends it again. The second is no request to
        # hurry, and is ignored.
        if number != HANG_UP or not handled:
            handled.append(number)
            handle(number)

    before = {number: signal.getsignal(number) for number in signals_to_end()}
    for number in before:
        try:
            loop.add_signal_handler(number, handle_once_if_hang_up, number)
        except NotImplementedError:  # the loops of Windows
            signal.signal(
                number,
                lambda got, _: loop.call_soon_threadsafe(
                    handle_once_if_hang_up, signal.Signals(got)
                ),
            )
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
