"""Listens to what other processes announce, over one connection for the whole process, remade when
lost.
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

    Hear = Callable[[str], None]

RETRY_S: Final = 1.0
CHECK_S: Final = 10.0
"""A connection that died silently is noticed after this long."""


class Listener:
    """`on_return` is called whenever the connection is (re)made: announcements may have been
    missed.
    """

    def __init__(self, database: Database, clock: Clock, on_return: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._on_return = on_return
        self._hearers: defaultdict[str, list[Hear]] = defaultdict(list)
        self._changed = asyncio.Event()

    def add(self, channel: str, hear: Hear) -> None:
        """Call `hear` with the payload of every announcement on `channel` from now on."""
        self._hearers[channel].append(hear)
        self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except TRANSIENT_ERRORS:
                await self._clock.sleep(RETRY_S)

    async def _listen(self) -> None:
        """Listen on one connection until it closes; channels that are added meanwhile too."""
        connection = await self._database.connect()
        connection.add_termination_listener(self._wake)
        heard: set[str] = set()
        try:
            while not connection.is_closed():
                self._changed.clear()
                for channel in self._hearers.keys() - heard:
                    await connection.add_listener(channel, self._pass_on)
                    heard.add(channel)
                self._on_return()
                await self._until_changed(connection)
        finally:
            connection.terminate()

    async def _until_changed(self, connection: asyncpg.Connection[Any]) -> None:
        while not self._changed.is_set():
            try:
                async with self._clock.timeout(CHECK_S):
                    await self._changed.wait()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=CHECK_S)

    def _wake(self, *_: object) -> None:
        self._changed.set()

    def _pass_on(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        for hear in self._hearers[channel]:
            hear(str(payload))
