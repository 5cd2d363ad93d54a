"""The heartbeat: tells the database that this process is alive and which jobs it works on.

It is one statement for all jobs, sent from a thread of its own, so that neither a busy event loop
nor thousands of jobs delay it. At every beat the thread asks the event loop for an answer; a loop
that does not answer for long is blocked: then the beats stop, and other workers take over its jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from weighbridge import __version__, telemetry
from weighbridge.store import workers
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import asyncpg

    from weighbridge.store.database import Database

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=8)
"""A job without a heartbeat for this long is taken over."""
BEATS_IN_TIMEOUT: Final = 4
"""Number of heartbeats in `HEARTBEAT_TIMEOUT`: three in a row may fail before another worker takes
over.
"""
MAX_BLOCKED_S: Final = 30.0
"""An event loop that does not answer for this long counts as blocked: an overloaded machine alone
does not explain it.
"""
JOIN_TIMEOUT_S: Final = 5.0
"""How long stopping the heartbeat waits for its thread to end."""


class Heartbeat:
    """Sends the heartbeats of one process. Its thread is a daemon: it never keeps the process from
    ending.
    """

    def __init__(
        self, database: Database, worker_id: UUID, running: Callable[[], list[int]]
    ) -> None:
        """`running` returns the jobs that this process works on; it may be called from any
        thread.
        """
        self._database = database
        self._worker_id = worker_id
        self._running = running
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # the thread's
        self._wake = asyncio.Event()  # on the thread's loop
        self._connection: asyncpg.Connection[Any] | None = None
        self._is_leaving = False
        self._is_stopping = False
        self._answered_s = 0.0
        self._is_blocked = False
        self.max_blocked_s = MAX_BLOCKED_S
        """After how long without an answer the loop counts as blocked; may be changed only before
        the start.
        """

    def start(self, timeout: timedelta) -> None:
        """Start sending heartbeats, `BEATS_IN_TIMEOUT` in each `timeout`."""
        self._loop = asyncio.new_event_loop()
        self._answered_s = self._loop.time()
        self._thread = threading.Thread(
            target=self._run,
            args=(self._loop, asyncio.get_running_loop(), timeout / BEATS_IN_TIMEOUT),
            name="heartbeat",
            daemon=True,
        )
        self._thread.start()

    def leave(self) -> None:
        """Tell the other workers that this process takes no new jobs. Its jobs in progress still
        get heartbeats.
        """
        self._is_leaving = True
        self._wake_thread()

    async def stop(self) -> None:
        """Stop sending heartbeats: other workers take over what this process still holds."""
        self._is_stopping = True
        self._wake_thread()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, JOIN_TIMEOUT_S)

    def _wake_thread(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the thread has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    # In the thread ------------------------------------------------------------------------------

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        watched: asyncio.AbstractEventLoop,
        interval: timedelta,
    ) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._keep_beating(watched, interval))

    async def _keep_beating(self, watched: asyncio.AbstractEventLoop, interval: timedelta) -> None:
        """Write a heartbeat at each interval, but none while the watched loop is blocked."""
        interval_s = interval.total_seconds()
        try:
            while not self._is_stopping and not watched.is_closed():
                self._ask_for_answer(watched)
                if not self._is_loop_blocked():
                    await self._beat(interval)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(interval_s):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._close_connection()

    def _ask_for_answer(self, watched: asyncio.AbstractEventLoop) -> None:
        """Let the watched loop call `_note_answer` as soon as it can."""
        with contextlib.suppress(RuntimeError):  # closed just now
            watched.call_soon_threadsafe(self._note_answer)

    def _note_answer(self) -> None:
        """Note the time; called by the watched loop."""
        if self._loop is not None:
            self._answered_s = self._loop.time()

    def _is_loop_blocked(self) -> bool:
        """Whether the watched loop has not answered for too long; logs it once."""
        blocked_s = asyncio.get_running_loop().time() - self._answered_s
        was_blocked, self._is_blocked = self._is_blocked, blocked_s > self.max_blocked_s
        if self._is_blocked and not was_blocked:
            telemetry.warning(
                "event_loop_blocked",
                f"⚠️ Event loop blocked for {blocked_s:.0f} s; other workers will take over its jobs",
                blocked_s=blocked_s,
            )
        return self._is_blocked

    async def _beat(self, interval: timedelta) -> None:
        """Write one heartbeat for this process and its jobs. A connection that does not answer
        within two intervals is closed, and replaced at the next beat.
        """
        try:
            async with asyncio.timeout(2 * interval.total_seconds()):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._database.connect()
                await workers.register(
                    self._connection,
                    self._worker_id,
                    is_leaving=self._is_leaving,
                    host=socket.gethostname(),
                    version=__version__,
                )
                await workers.keep_alive(
                    self._connection, self._worker_id, self._running(), interval / 2
                )
        except (*DATABASE_ERRORS, TimeoutError):
            self._close_connection()
        except Exception as error:  # noqa: BLE001 - without beats everything would be taken over
            telemetry.crashed("heartbeat_failed", f"❌ Heartbeat failed: {error!r}")
            self._close_connection()

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
