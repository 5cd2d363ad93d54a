"""Many ask, few look, and nobody sees anything older than the question."""

from __future__ import annotations

import asyncio

import pytest

from weighbridge.service.shared_look import SharedLook

pytestmark = pytest.mark.anyio


class Gauge:
    """Something to look at: each look notes the figure at once and tells it when it is let go."""

    def __init__(self) -> None:
        self.figure = 0
        self.looks = 0
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.is_broken = False

    async def look(self) -> int:
        self.looks += 1
        seen = self.figure
        self.begun.set()
        await self.may_end.wait()
        if self.is_broken:
            raise OSError("no connection")
        return seen


async def test_callers_during_a_look_share_the_next() -> None:
    gauge = Gauge()
    shared = SharedLook(gauge.look)
    first = asyncio.create_task(shared())
    await gauge.begun.wait()
    crowd = [asyncio.create_task(shared()) for _ in range(200)]
    gauge.may_end.set()
    assert await first == 0
    assert await asyncio.gather(*crowd) == [0] * 200
    assert gauge.looks == 2


async def test_a_look_started_earlier_does_not_serve_a_later_caller() -> None:
    gauge = Gauge()
    shared = SharedLook(gauge.look)
    early = asyncio.create_task(shared())
    await gauge.begun.wait()
    gauge.figure = 1
    late = asyncio.create_task(shared())
    gauge.may_end.set()
    assert (await early, await late) == (0, 1)


async def test_looks_never_overlap() -> None:
    running, most = 0, 0

    async def look() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    shared = SharedLook(look)

    async def client() -> None:
        for _ in range(20):
            await shared()

    await asyncio.gather(*(client() for _ in range(10)))
    assert most == 1


async def test_a_cancelled_caller_does_not_cancel_the_look_for_others() -> None:
    gauge = Gauge()
    shared = SharedLook(gauge.look)
    impatient = asyncio.create_task(shared())
    patient = asyncio.create_task(shared())
    await gauge.begun.wait()
    impatient.cancel()
    await asyncio.wait({impatient})
    gauge.may_end.set()
    assert impatient.cancelled()
    assert await patient == 0


async def test_an_error_reaches_only_the_callers_who_shared_the_look() -> None:
    gauge = Gauge()
    gauge.is_broken = True
    gauge.may_end.set()
    shared = SharedLook(gauge.look)
    both = await asyncio.gather(shared(), shared(), return_exceptions=True)
    assert [type(result) for result in both] == [OSError, OSError]
    gauge.is_broken = False
    assert await shared() == 0
