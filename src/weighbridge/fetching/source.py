"""Fetches and decodes the pictures that a catalogue names by address.

A slow or dead shop delays its own pictures only: each host may use few connections, hosts that are
slow or new share half of all connections, waiting for a connection does not count as a picture's
time, and a host that never answers, or is too slow again and again, is not asked for a while.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple
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
"""How many times a picture is asked for, at most."""
PAUSE_S: Final = 1.0
"""How long to wait before a picture is asked for again."""
DEAD_AFTER: Final = 5
"""Number of requests in a row without an answer after which a host counts as dead."""
DEAD_FOR_S: Final = 60.0
"""How long a dead host is not asked; then it is asked for one more picture."""
SLOW_S: Final = 10.0
"""If a picture takes longer than this, its host counts as slow, until a picture from there takes
less.
"""
MOST_SLOW_S: Final = 2_400.0
"""How long the slow pictures of a host may take together: ten minutes on its four connections."""
TOO_SLOW_FOR_S: Final = 600.0
"""How long a host is not asked after its slow pictures took longer than `MOST_SLOW_S` together."""
MOST_HOSTS: Final = 10_000
"""How many hosts that answered quickly are remembered, and how many slow or failing ones."""


class SourceClosed(Exception):
    """This process fetches no more pictures, because it is about to end."""


class PicturesByAddress:
    """Gives pictures by their address. One per process; safe for any number of tasks at a time."""

    def __init__(self, fetcher: PictureFetcher, decoder: PictureDecoder, clock: Clock) -> None:
        self._fetcher = fetcher
        self._decoder = decoder
        self._clock = clock
        self._connections = asyncio.Semaphore(fetcher.limits.connections)
        self._doubtful_connections = asyncio.Semaphore(fetcher.limits.connections // 2)
        self._host_connections: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._hosts = _Hosts()
        self._tasks: set[asyncio.Task[DecodedPicture]] = set()
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a task waits for a picture."""
        return bool(self._tasks)

    async def picture(self, address: str, bounds: PictureBounds) -> DecodedPicture:
        """The picture at this address, as the model is shown it.

        Raises PictureRefused or PictureUnreachable, or SourceClosed after `let_go` or `aclose`.
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

    def let_go(self) -> None:
        """End every wait for a picture: `picture` raises SourceClosed in each task that waits."""
        for task in self._tasks:
            task.cancel()

    async def aclose(self) -> None:
        """End every wait for a picture, and close connections and processes."""
        self._is_closed = True
        self.let_go()
        await self._fetcher.aclose()
        self._decoder.close()

    async def _picture(self, address: str, bounds: PictureBounds) -> DecodedPicture:
        host = _host(address)
        async with self._connection_permit(host):
            data = await self._fetch_with_retry(address, host)
            return await self._decoder.decode(data, bounds)

    @asynccontextmanager
    async def _connection_permit(self, host: str) -> AsyncIterator[None]:
        """Context manager that waits until a connection to the host may be used, and holds it."""
        host_permits = self._host_connections.setdefault(
            host, asyncio.Semaphore(self._fetcher.limits.connections_per_host)
        )
        async with host_permits:
            doubtful = nullcontext() if self._hosts.is_quick(host) else self._doubtful_connections
            async with doubtful, self._connections:
                yield

    async def _fetch_with_retry(self, address: str, host: str) -> bytes:
        """The bytes at this address, after up to TRIES tries; notes how the host does.

        Raises PictureUnreachable if the host is dead or too slow, or the last try fails.
        """
        for tries_left in reversed(range(TRIES)):
            began_s = self._clock.monotonic_s()
            self._hosts.require_alive(host, began_s)
            try:
                data = await self._fetcher.fetch(address)
            except PictureUnreachable as error:
                if error.is_final:  # the host answers
                    self._hosts.note_answer(host, began_s, self._clock.monotonic_s())
                    raise
                self._hosts.note_failure(host, began_s, self._clock.monotonic_s())
                if not tries_left:
                    raise
                await self._clock.sleep(PAUSE_S)
            else:
                self._hosts.note_answer(host, began_s, self._clock.monotonic_s())
                return data
        raise AssertionError("the last try returns or raises")


class _Trouble(NamedTuple):
    """What went wrong with a host since it last answered quickly; `last_s` is when, by the
    clock.
    """

    failures: int = 0  # in a row
    slow_s: float = 0.0  # taken by pictures that were slow or did not come
    last_s: float = 0.0


class _Hosts:
    """Remembers which hosts answered their last picture quickly, and the trouble with the
    others.
    """

    def __init__(self) -> None:
        self._troubles: dict[str, _Trouble] = {}
        self._quick: dict[str, None] = {}

    def is_quick(self, host: str) -> bool:
        return host in self._quick

    def require_alive(self, host: str, now_s: float) -> None:
        """Raises PictureUnreachable if the host is dead or too slow to be asked now."""
        failures, slow_s, last_s = self._troubles.get(host, _Trouble())
        if failures >= DEAD_AFTER and now_s - last_s < DEAD_FOR_S:
            raise PictureUnreachable(
                f"{host} did not answer {failures} times in a row; its pictures are skipped for "
                f"{DEAD_FOR_S:.0f} s",
                is_final=True,
            )
        if slow_s >= MOST_SLOW_S and now_s - last_s < TOO_SLOW_FOR_S:
            raise PictureUnreachable(
                f"{host} is too slow: its last pictures took {slow_s / 60:.0f} minutes in total; its "
                f"pictures are skipped for {TOO_SLOW_FOR_S / 60:.0f} minutes",
                is_final=True,
            )

    def note_failure(self, host: str, began_s: float, now_s: float) -> None:
        """Note that nothing came from the host, from `began_s` until `now_s`."""
        failures, slow_s, _ = self._troubles.get(host, _Trouble())
        self._note_trouble(host, _Trouble(failures + 1, slow_s + now_s - began_s, now_s))

    def note_answer(self, host: str, began_s: float, now_s: float) -> None:
        """Note that the host answered, at `now_s`, a request of `began_s`: quickly or slowly."""
        took_s = now_s - began_s
        if took_s > SLOW_S:
            slow_s = self._troubles.get(host, _Trouble()).slow_s
            self._note_trouble(host, _Trouble(0, slow_s + took_s, now_s))
            return
        self._troubles.pop(host, None)
        if len(self._quick) >= MOST_HOSTS:
            self._quick.clear()
        self._quick[host] = None

    def _note_trouble(self, host: str, trouble: _Trouble) -> None:
        if len(self._troubles) >= MOST_HOSTS:
            self._troubles.clear()
        self._troubles[host] = trouble
        self._quick.pop(host, None)


def _host(address: str) -> str:
    """The host of an address; "" for one that is not valid, which `fetch` will refuse."""
    try:
        return URL(address).host or ""
    except ValueError:
        return ""
