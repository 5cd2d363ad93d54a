"""Computes the footprints of many products beside the event loop: in a thread, or for thousands of
products in a process for each core.

    event loop ── run ──> thread ── pipe ──> process
                          thread ── pipe ──> process

Each process has a copy of the object that computes (`work`); it is sent plain data and returns
plain data. It writes nothing to the database, so the caller can still roll everything back. If a
process is killed, for lack of memory say, its thread does the work in this process. The processes
end when their pipe closes, and so with this process.
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
"""The number of products for which one more process is started: with fewer, starting it (a second)
takes longer than it saves.
"""

MOST: Final = 8
"""The most processes: the one that writes their results to the database cannot keep up with more.
"""

_GARBAGE_PORTION: Final = 50_000
"""The number of allocations between two collections of garbage. Answers and rows are never part of
a cycle; with Python's usual number, examining them takes a sixth more CPU.
"""


class Weighing(Generic[Work]):
    """Calls functions with `work` as their first argument, in threads or processes. Made by
    `weighing_beside`.
    """

    def __init__(self, work: Work, processes: int) -> None:
        self._work = work
        self.at_once = max(processes, 1)
        """How many functions it runs at the same time."""
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
        """Call `task(work, …)`; returns what it returns, or raises what it raises. With processes,
        the task, its arguments and its result are pickled.
        """
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(self._threads, self._run, task, given, named)
        return cast("Result", done)

    async def close(self) -> None:
        """End the processes and threads; tasks that run or wait are given up."""
        self._closed = True
        for process in self._processes:
            process.end()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _run(self, task: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Run the task on the present thread: in the thread's own process, or here if it has none
        or its process has ended.
        """
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
                    "⚠️ A process that computed footprints has ended; its share of the work is done "
                    "in the main process",
                    error=str(error),
                )
            else:
                if raised is not None:
                    raise raised
                return returned
        return task(self._work, *given, **named)


@asynccontextmanager
async def weighing_beside(work: Work, products: int) -> AsyncIterator[Weighing[Work]]:
    """A `Weighing` with as many processes as help with this number of `products`; `work` is copied
    to each.
    """
    weighing = Weighing(work, min(os.cpu_count() or 1, products // SHARE, MOST))
    try:
        yield weighing
    finally:
        await weighing.close()


class _Process:
    """A process that serves one thread; started when that thread has its first task."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._ended = False
        self._process: Any = None
        self._pipe: Connection[Any, Any] | None = None

    def run(self, *asked: Any) -> tuple[Any, Exception | None]:
        """Run a task in the process: (what it returned, what it raised), one of which is None.

        Raises EOFError or OSError once the process has ended.
        """
        pipe = self._begun()
        pipe.send(asked)
        answer: tuple[Any, Exception | None] = pipe.recv()
        return answer

    def end(self) -> None:
        """Kill the process; nothing depends on what it is doing."""
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
    """The main function of a process: runs the tasks from the pipe until it closes. It ignores
    Ctrl-C of a terminal, because the parent ends it.
    """
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
