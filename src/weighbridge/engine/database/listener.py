"""Listens to the announcements (NOTIFY) of other processes, over one connection for the whole
process, which is replaced when it breaks.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from weighbridge.engine.database.retrying import TRANSIENT_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

    OnPayload = Callable[[str], None]

RETRY_S: Final = 1.0
CHECK_S: Final = 10.0
"""After so long without announcements from the database, the connection is tested."""


class Listener:
    """Passes announcements to callbacks.

    `on_return` is called whenever a connection was made: announcements may have been missed before.
    """

    def __init__(self, database: Database, clock: Clock, on_return: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._on_return = on_return
        self._callbacks: defaultdict[str, list[OnPayload]] = defaultdict(list)
        self._changed = asyncio.Event()

    def add(self, channel: str, callback: OnPayload) -> None:
        """Call `callback` with the payload of every announcement on `channel` from now on."""
        self._callbacks[channel].append(callback)
        self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except TRANSIENT_ERRORS:
                await self._clock.sleep(RETRY_S)

    async def _listen(self) -> None:
        """Listen on one connection until it closes, also to channels that are added meanwhile."""
        connection = await self._database.connect()
        connection.add_termination_listener(self._wake)
        listening: set[str] = set()
        try:
            while not connection.is_closed():
                self._changed.clear()
                for channel in self._callbacks.keys() - listening:
                    await connection.add_listener(channel, self._pass_on)
                    listening.add(channel)
                self._on_return()
                await self._wait_for_change(connection)
        finally:
            connection.terminate()

    async def _wait_for_change(self, connection: asyncpg.Connection[Any]) -> None:
        """Wait until a channel is added or the connection closes, and test it now and then."""
        while not self._changed.is_set():
            try:
                async with self._clock.timeout(CHECK_S):
                    await self._changed.wait()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=CHECK_S)

    def _wake(self, *_: object) -> None:
        self._changed.set()

    def _pass_on(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        """Give the payload to all callbacks of the channel."""
        for callback in self._callbacks[channel]:
            callback(str(payload))
