"""The pictures of a catalogue by address: fetched in turn, and decoded.

A slow or dead shop costs its own pictures alone: each host has few places of the pool, hosts that
are slow or new share half of it, waiting for a place takes nothing of a picture's time, and a host
that never answers, or takes too long again and again, is soon not asked any more.
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
PAUSE_S: Final = 1.0
"""Before another try."""
DEAD_AFTER: Final = 5
"""Pictures in a row that did not come from a host."""
DEAD_FOR_S: Final = 60.0
"""Then one more picture is asked for."""
SLOW_S: Final = 10.0
"""A picture that takes longer makes its host a slow one, until another comes sooner."""
PATIENCE_S: Final = 2_400.0
"""What slow pictures of a host may take together: ten minutes of its four places."""
RESTS_FOR_S: Final = 600.0
"""So long a host that took more is not asked."""
MOST_HOSTS: Final = 10_000
"""Remembered, of each kind."""


class SourceClosed(Exception):
    """This process fetches no more pictures."""


class PicturesByAddress:
    """One per process. Safe for any number of tasks at a time."""

    def __init__(self, fetcher: PictureFetcher, decoder: PictureDecoder, clock: Clock) -> None:
        self._fetcher = fetcher
        self._decoder = decoder
        self._clock = clock
        self._places = asyncio.Semaphore(fetcher.limits.connections)
        self._doubtful_places = asyncio.Semaphore(fetcher.limits.connections // 2)
        self._host_places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._hosts = _Hosts()
        self._tasks: set[asyncio.Task[DecodedPicture]] = set()
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for a picture."""
        return bool(self._tasks)

    async def picture(self, address: str, bounds: PictureBounds) -> DecodedPicture:
        """The picture at this address, as the model is shown it.

        Raises PictureRefused, PictureUnreachable or, once this is closed or has let go,
        SourceClosed.
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
        """Whoever waits for a picture waits no longer."""
        for task in self._tasks:
            task.cancel()

    async def aclose(self) -> None:
        """Let go, and close connections and processes."""
        self._is_closed = True
        self.let_go()
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
        async with of_host:
            places = nullcontext() if self._hosts.is_quick(host) else self._doubtful_places
            async with places, self._places:
                yield

    async def _fetched(self, address: str, host: str) -> bytes:
        for tries_left in reversed(range(TRIES)):
            began_s = self._clock.monotonic_s()
            self._hosts.require_alive(host, began_s)
            try:
                data = await self._fetcher.fetch(address)
            except PictureUnreachable as error:
                if error.is_final:  # the host answers
                    self._hosts.answered(host, began_s, self._clock.monotonic_s())
                    raise
                self._hosts.failed(host, began_s, self._clock.monotonic_s())
                if not tries_left:
                    raise
                await self._clock.sleep(PAUSE_S)
            else:
                self._hosts.answered(host, began_s, self._clock.monotonic_s())
                return data
        raise AssertionError("the last try returns or raises")


class _Ailment(NamedTuple):
    """What is wrong with a host, since it last answered quickly."""

    failures: int = 0  # in a row
    slow_s: float = 0.0  # taken by pictures that were slow or did not come
    last_s: float = 0.0


class _Hosts:
    """Those whose last picture came quickly, and those whose last pictures did not."""

    def __init__(self) -> None:
        self._ailing: dict[str, _Ailment] = {}
        self._quick: dict[str, None] = {}

    def is_quick(self, host: str) -> bool:
        return host in self._quick

    def require_alive(self, host: str, now_s: float) -> None:
        failures, slow_s, last_s = self._ailing.get(host, _Ailment())
        if failures >= DEAD_AFTER and now_s - last_s < DEAD_FOR_S:
            raise PictureUnreachable(
                f"{host} did not answer {failures} times in a row, so it is not asked for now",
                is_final=True,
            )
        if slow_s >= PATIENCE_S and now_s - last_s < RESTS_FOR_S:
            raise PictureUnreachable(
                f"{host} is too slow: its last pictures took {slow_s / 60:.0f} minutes together, "
                "so it is not asked for now",
                is_final=True,
            )

    def failed(self, host: str, began_s: float, now_s: float) -> None:
        failures, slow_s, _ = self._ailing.get(host, _Ailment())
        self._note(host, _Ailment(failures + 1, slow_s + now_s - began_s, now_s))

    def answered(self, host: str, began_s: float, now_s: float) -> None:
        took_s = now_s - began_s
        if took_s > SLOW_S:
            slow_s = self._ailing.get(host, _Ailment()).slow_s
            self._note(host, _Ailment(0, slow_s + took_s, now_s))
            return
        self._ailing.pop(host, None)
        if len(self._quick) >= MOST_HOSTS:
            self._quick.clear()
        self._quick[host] = None

    def _note(self, host: str, ailment: _Ailment) -> None:
        if len(self._ailing) >= MOST_HOSTS:
            self._ailing.clear()
        self._ailing[host] = ailment
        self._quick.pop(host, None)


def _host(address: str) -> str:
    """The host of an address; nothing for one that is none, which is refused in its turn."""
    try:
        return URL(address).host or ""
    except ValueError:
        return ""
