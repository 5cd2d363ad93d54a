"""Weighing of many products at once, beside the event loop: in a thread, and where there are
thousands, in a process for each core.

    event loop ── run ──> thread ── pipe ──> process
                          thread ── pipe ──> process

A process has its own copy of whatever weighs; plain data goes there and back. It writes nothing:
all that it returns can still be rolled back. Where one is killed, for want of memory say, its
thread does the work in this process. They end when their pipe does, and so with this process.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, cast

from weighbridge import telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from multiprocessing.connection import Connection

Work = TypeVar("Work")
Result = TypeVar("Result")
Given = ParamSpec("Given")

SHARE: Final = 2_500
"""Products for each process; with fewer, starting it (a second) takes longer than it saves."""

MOST: Final = 8
"""Processes: beyond that, the one that writes has no time for more."""

_GARBAGE_PORTION: Final = 50_000
"""Objects between two collections. Answers and rows are never part of a cycle: looked at as often
as is usual, they cost a sixth more CPU."""


class Weighing(Generic[Work]):
    """Runs functions of one `work`. Made by `weighing_beside`."""

    def __init__(self, work: Work, processes: int) -> None:
        self._work = work
        self.at_once = max(processes, 1)
        """How many it runs at the same time."""
        self._processes = [_Process(work) for _ in range(processes)] if processes > 1 else []
        self._unused = list(self._processes)
        self._threads = ThreadPoolExecutor(self.at_once, "weighing")
        self._own = threading.local()
        self._closed = False

    async def run(
        self,
        task: Callable[Concatenate[Work, Given], Result],
        *given: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """What `task` returns or raises. Where there are processes, both it and what it is given
        and returns are pickled."""
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(self._threads, self._run, task, given, named)
        return cast("Result", done)

    async def close(self) -> None:
        """What is being run is given up, and what is not begun."""
        self._closed = True
        for process in self._processes:
            process.end()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _run(self, task: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """In a thread, which has a process of its own until that ends."""
        if not hasattr(self._own, "process"):
            self._own.process = self._unused.pop() if self._unused else None
        if self._own.process is not None:
            try:
                returned, raised = self._own.process.run(task, given, named)
            except (EOFError, OSError) as error:
                self._own.process = None
                if self._closed:
                    raise
                telemetry.warning(
                    "weighing_process_ended",
                    "⚠️ A process that weighed products has ended; the program does its part of the work",
                    error=str(error),
                )
            else:
                if raised is not None:
                    raise raised
                return returned
        return task(self._work, *given, **named)


@asynccontextmanager
async def weighing_beside(work: Work, products: int) -> AsyncIterator[Weighing[Work]]:
    """Whatever weighs so many products. `work` is copied to each process."""
    weighing = Weighing(work, min(os.cpu_count() or 1, products // SHARE, MOST))
    try:
        yield weighing
    finally:
        await weighing.close()


class _Process:
    """A process that is begun when there is something to do, and what it is asked by one thread."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._ended = False
        self._process: Any = None
        self._pipe: Connection[Any, Any] | None = None

    def run(self, *asked: Any) -> tuple[Any, Exception | None]:
        """What the task returns there, and what it raises.

        Raises EOFError or OSError once the process has ended.
        """
        pipe = self._begun()
        pipe.send(asked)
        answer: tuple[Any, Exception | None] = pipe.recv()
        return answer

    def end(self) -> None:
        """Kill it: nothing depends on what it is doing."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()
                self._process.join()

    def _begun(self) -> Connection[Any, Any]:
        if self._pipe is None:
            with self._lock:
                if self._ended:
                    raise EOFError
                context = get_context("spawn")
                self._pipe, theirs = context.Pipe()
                self._process = context.Process(target=_weigh_for, args=(theirs,), daemon=True)
                self._process.start()
                theirs.close()  # or the pipe would not end with the process
            self._pipe.send(self._work)
        return self._pipe


def _weigh_for(pipe: Connection[Any, Any]) -> None:
    """The life of such a process. A terminal's Ctrl-C is for the parent, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work = pipe.recv()
        gc.freeze()
        gc.set_threshold(_GARBAGE_PORTION, 4, 500)
        while True:
            task, given, named = pipe.recv()
            answer: tuple[Any, Exception | None]
            try:
                answer = task(work, *given, **named), None
            except Exception as error:  # noqa: BLE001 - it is raised in the parent
                answer = None, error
            pipe.send(answer)
    except (EOFError, OSError):
        return  # the parent has ended
