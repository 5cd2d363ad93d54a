"""Tells the database that this process lives: one statement for all of its jobs, from a thread of its own.

Neither a busy event loop nor thousands of jobs delay it. The thread asks the loop for an answer at every beat;
a loop that has given none for long hangs, and its jobs are left to the others.
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
"""A job without a sign of life for this long is taken over."""
BEATS_IN_TIMEOUT: Final = 4
"""Three in a row may fail before anybody takes over."""
LONGEST_SILENCE_S: Final = 30.0
"""A loop that takes longer for one turn than an overloaded machine explains: it hangs."""
LONGEST_GOODBYE_S: Final = 5.0


class Heartbeat:
    """One per process. The thread is a daemon: it never keeps a process from ending."""

    def __init__(
        self, database: Database, worker_id: UUID, running: Callable[[], list[int]]
    ) -> None:
        """`running` says, in any thread, on which jobs this process works."""
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
        self._is_silent = False
        self.longest_silence_s = LONGEST_SILENCE_S
        """Change this before the start only."""

    def start(self, timeout: timedelta) -> None:
        """Begin to beat, so often that `timeout` does not pass between two beats."""
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
        """No share of the work is left to this process any more; what it has begun lives on."""
        self._is_leaving = True
        self._poke()

    async def stop(self) -> None:
        """Beat no more: whatever this process still holds is taken over in a while."""
        self._is_stopping = True
        self._poke()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, LONGEST_GOODBYE_S)

    def _poke(self) -> None:
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
            runner.run(self._beat_for_ever(watched, interval))

    async def _beat_for_ever(self, watched: asyncio.AbstractEventLoop, interval: timedelta) -> None:
        interval_s = interval.total_seconds()
        try:
            while not self._is_stopping and not watched.is_closed():
                self._ask(watched)
                if not self._hangs():
                    await self._beat(interval)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(interval_s):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._hang_up()

    def _ask(self, watched: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # closed just now
            watched.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        """Called by the loop that is watched, as soon as it gets to it."""
        if self._loop is not None:
            self._answered_s = self._loop.time()

    def _hangs(self) -> bool:
        silent_s = asyncio.get_running_loop().time() - self._answered_s
        was_silent, self._is_silent = self._is_silent, silent_s > self.longest_silence_s
        if self._is_silent and not was_silent:
            telemetry.warning(
                "worker_hangs",
                f"⚠️ This process has not got round to anything for {silent_s:.0f} s: others take its groups over",
                silent_s=silent_s,
            )
        return self._is_silent

    async def _beat(self, interval: timedelta) -> None:
        """A connection that does not answer within two intervals is given up for a new one."""
        try:
            async with asyncio.timeout(2 * interval.total_seconds()):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._database.connect()
                await workers.be_there(
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
            self._hang_up()
        except Exception as error:  # noqa: BLE001 - without beats everything would be taken over
            telemetry.crashed("heartbeat_failed", f"❌ No sign of life was given: {error!r}")
            self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
