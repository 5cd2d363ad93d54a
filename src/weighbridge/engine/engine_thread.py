"""Runs the engine on a thread with an event loop of its own, beside the API in one process.

A burst of calls keeps the engine's loop busy for seconds; on a loop of its own it delays no API
request. The API controls the engine through `EngineThread`, which runs everything on that other
loop; nothing else of the engine may be used from the API's thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from weighbridge import telemetry
from weighbridge.errors import WeighbridgeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from weighbridge.engine.supervisor import Supervisor

T = TypeVar("T")

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a thread may keep Python's interpreter while another waits for it. A request of the API
needs it again after every answer of the database, and with Python's default each time may take 5 ms
during a burst of calls.
"""


class EngineEnded(WeighbridgeError):
    """The engine's thread has ended because of an error, which is in the log."""


class LoopThread:
    """An event loop in a thread of its own. It must be entered on the event loop that will
    use it.
    """

    def __init__(
        self, name: str, make_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    ) -> None:
        self._make_loop = make_loop
        self._thread = threading.Thread(target=self._run_loop, name=name, daemon=True)
        self._opened: concurrent.futures.Future[asyncio.AbstractEventLoop] = (
            concurrent.futures.Future()
        )
        self._leave = asyncio.Event()

    async def __aenter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._home = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._home.create_future()
        self._thread.start()
        try:
            self._loop = await asyncio.wrap_future(self._opened)
        except BaseException:
            await self._join()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # closed: it has ended by itself
            self._loop.call_soon_threadsafe(self._leave.set)
        await self._join()

    async def _join(self) -> None:
        await self.ended()
        self._thread.join()

    async def ended(self) -> None:
        """Wait until the thread has ended: because this object was left, or by an error, which is
        logged.
        """
        await asyncio.shield(self._ended)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the thread's loop and return its result. Cancelling this cancels `work`.

        Raises:
            EngineEnded: the thread ended before `work` did.
        """
        try:
            result = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        except RuntimeError as error:
            work.close()
            raise EngineEnded(
                "The engine has stopped because of an error. See the log, then restart the server."
            ) from error
        either: set[asyncio.Future[Any]] = {result, self._ended}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            result.cancel()  # no effect once it is done
        raised = None if result.cancelled() else result.exception()
        if result.cancelled() or not isinstance(raised, Exception | None):  # SystemExit, say
            raise EngineEnded(
                "The engine has stopped because of an error. See the log, then restart the server."
            ) from raised
        return result.result()

    @asynccontextmanager
    async def entered(self, manager: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        """A context manager that enters and leaves `manager` on the thread's loop."""
        value = await self.run(_enter(manager))
        try:
            yield value
        finally:
            with contextlib.suppress(EngineEnded):
                await self.run(_leave(manager))

    def _run_loop(self) -> None:
        """Run the thread's event loop, and tell the loop that uses it when it has ended."""
        try:
            with asyncio.Runner(loop_factory=self._make_loop) as runner:
                runner.run(self._wait_until_left())
        except BaseException as error:  # noqa: BLE001 - the thread ends here; a task that waits for it gets the error
            telemetry.crashed("engine_crashed", f"❌ Engine thread crashed: {error!r}")
            if not self._opened.done():
                self._opened.set_exception(error)
        finally:
            self._home.call_soon_threadsafe(self._ended.set_result, None)

    async def _wait_until_left(self) -> None:
        self._opened.set_result(asyncio.get_running_loop())
        await self._leave.wait()


async def _enter(manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _leave(manager: AbstractAsyncContextManager[Any]) -> None:
    await manager.__aexit__(None, None, None)


class EngineThread:
    """Controls, from another thread, a supervisor that runs on `thread`."""

    def __init__(self, thread: LoopThread, supervisor: Supervisor) -> None:
        self._thread = thread
        self._supervisor = supervisor
        self._draining: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """Calls in flight in this process."""
        return self._supervisor.in_flight

    @property
    def worker_id(self) -> UUID:
        """The id under which this process holds its jobs."""
        return self._supervisor.worker_id

    async def start(self) -> None:
        """Start working; returns at once."""
        await self._thread.run(self._supervisor.start())

    async def drain(self) -> None:
        """Stop after the calls in flight have finished and are stored; no new call begins."""
        await self._thread.run(self._drain())

    async def abandon(self) -> None:
        """Stop now; the replies to calls in flight are lost. Cancels a drain in progress."""
        await self._thread.run(self._abandon())

    async def ended(self) -> None:
        """Wait until the engine's thread has ended, as it does by itself only after an error."""
        await self._thread.ended()

    async def _drain(self) -> None:
        self._draining = asyncio.current_task()
        await self._supervisor.drain()

    async def _abandon(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.wait({self._draining})
        await self._supervisor.abandon()
