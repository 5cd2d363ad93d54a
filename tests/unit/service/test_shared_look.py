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


async def test_all_who_ask_during_a_look_share_the_next_one() -> None:
    gauge = Gauge()
    shared = SharedLook(gauge.look)
    first = asyncio.create_task(shared())
    await gauge.begun.wait()
    crowd = [asyncio.create_task(shared()) for _ in range(200)]
    gauge.may_end.set()
    assert await first == 0
    assert await asyncio.gather(*crowd) == [0] * 200
    assert gauge.looks == 2


async def test_a_look_that_began_before_the_question_does_not_answer_it() -> None:
    gauge = Gauge()
    shared = SharedLook(gauge.look)
    early = asyncio.create_task(shared())
    await gauge.begun.wait()
    gauge.figure = 1
    late = asyncio.create_task(shared())
    gauge.may_end.set()
    assert (await early, await late) == (0, 1)


async def test_looks_do_not_overlap_while_questions_keep_coming() -> None:
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


async def test_who_goes_away_does_not_take_the_look_from_the_others() -> None:
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


async def test_an_error_goes_to_all_who_shared_the_look_and_to_nobody_after() -> None:
    gauge = Gauge()
    gauge.is_broken = True
    gauge.may_end.set()
    shared = SharedLook(gauge.look)
    both = await asyncio.gather(shared(), shared(), return_exceptions=True)
    assert [type(result) for result in both] == [OSError, OSError]
    gauge.is_broken = False
    assert await shared() == 0
