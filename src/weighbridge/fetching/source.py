"""The pictures of a catalogue by address: fetched in turn, and decoded.

A slow or dead shop costs its own pictures alone: each host has few places of the pool, waiting for
one takes nothing of a picture's time, and a host that never answers is soon not asked any more.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from yarl import URL

from weighbridge.errors import PictureUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from weighbridge.clock import Clock
    from weighbridge.fetching.decoding import DecodedPicture, PictureDecoder
    from weighbridge.fetching.pictures import PictureFetcher
    from weighbridge.planning.image_tokens import PictureBounds

TRIES: Final = 2
PAUSE_S: Final = 1.0
"""Before another try."""
DEAD_AFTER: Final = 5
"""Pictures in a row that did not come from a host."""
DEAD_FOR_S: Final = 60.0
"""Then one more picture is asked for."""
MOST_HOSTS: Final = 10_000
"""Remembered as dead or ailing."""


class SourceClosed(Exception):
    """This process fetches no more pictures."""


class PicturesByAddress:
    """One per process. Safe for any number of tasks at a time."""

    def __init__(self, fetcher: PictureFetcher, decoder: PictureDecoder, clock: Clock) -> None:
        self._fetcher = fetcher
        self._decoder = decoder
        self._clock = clock
        self._places = asyncio.Semaphore(fetcher.limits.connections)
        self._host_places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._hosts = _AilingHosts()
        self._tasks: set[asyncio.Task[DecodedPicture]] = set()
        self._is_closed = False

    async def picture(self, address: str, bounds: PictureBounds) -> DecodedPicture:
        """The picture at this address, as the model is shown it.

        Raises PictureRefused, PictureUnreachable or, once this is closed, SourceClosed.
        """
        if self._is_closed:
            raise SourceClosed
        task = asyncio.create_task(self._picture(address, bounds))
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._tasks.discard(task)
        if task.cancelled():
            raise SourceClosed
        return task.result()

    async def aclose(self) -> None:
        """Close connections and processes; whoever waits for a picture waits no longer."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await self._fetcher.aclose()
        self._decoder.close()

    async def _picture(self, address: str, bounds: PictureBounds) -> DecodedPicture:
        host = _host(address)
        async with self._turn(host):
            data = await self._fetched(address, host)
            return await self._decoder.decode(data, bounds)

    @asynccontextmanager
    async def _turn(self, host: str) -> AsyncIterator[None]:
        of_host = self._host_places.setdefault(
            host, asyncio.Semaphore(self._fetcher.limits.connections_per_host)
        )
        async with of_host, self._places:
            yield

    async def _fetched(self, address: str, host: str) -> bytes:
        for tries_left in reversed(range(TRIES)):
            self._hosts.require_alive(host, self._clock.monotonic_s())
            try:
                data = await self._fetcher.fetch(address)
            except PictureUnreachable as error:
                if error.is_final:  # the host answers
                    self._hosts.answered(host)
                    raise
                self._hosts.failed(host, self._clock.monotonic_s())
                if not tries_left:
                    raise
                await self._clock.sleep(PAUSE_S)
            else:
                self._hosts.answered(host)
                return data
        raise AssertionError("the last try returns or raises")


class _AilingHosts:
    """Hosts whose last pictures did not come: how many in a row, and when the last one failed."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, float]] = {}

    def require_alive(self, host: str, now_s: float) -> None:
        failures, last_s = self._failures.get(host, (0, 0.0))
        if failures >= DEAD_AFTER and now_s - last_s < DEAD_FOR_S:
            raise PictureUnreachable(
                f"{host} did not answer {failures} times in a row, so it is not asked for now",
                is_final=True,
            )

    def failed(self, host: str, now_s: float) -> None:
        if len(self._failures) >= MOST_HOSTS:
            self._failures.clear()
        self._failures[host] = (self._failures.get(host, (0, 0.0))[0] + 1, now_s)

    def answered(self, host: str) -> None:
        self._failures.pop(host, None)


def _host(address: str) -> str:
    """The host of an address; nothing for one that is none, which is refused in its turn."""
    try:
        return URL(address).host or ""
    except ValueError:
        return ""
