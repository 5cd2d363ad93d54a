"""A look that takes long is answered by the one before it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.clocks import SteppedClock
from weighbridge.service.views.patient_look import OLDEST_S, PatientLook

pytestmark = pytest.mark.anyio


class Source:
    """Counts the looks; each waits until it is let through."""

    def __init__(self) -> None:
        self.looks = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> int:
        self.looks += 1
        seen = self.looks
        await self.open.wait()
        return seen


async def test_a_slow_look_is_answered_by_the_earlier_one_and_then_by_itself() -> None:
    source = Source()
    look = PatientLook(source, SteppedClock())
    assert await look() == 1
    assert await look() == 2
    source.open.clear()
    assert [await look(), await look()] == [2, 2]
    assert source.looks == 3  # one at a time
    source.open.set()
    assert await look() == 3


async def test_what_was_seen_long_ago_is_not_shown() -> None:
    source, clock = Source(), SteppedClock()
    look = PatientLook(source, clock)
    assert await look() == 1
    clock.advance(OLDEST_S)
    source.open.clear()
    asking = asyncio.create_task(look())
    await asyncio.sleep(0)
    source.open.set()
    assert await asking == 2


async def test_an_error_reaches_those_who_wait_and_the_next_look_is_tried() -> None:
    tries = 0

    async def once_away() -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError("away")
        return tries

    look = PatientLook(once_away, SteppedClock())
    with pytest.raises(ConnectionError):
        await look()
    assert await look() == 2


async def test_who_must_not_wait_gets_nothing_until_there_is_something() -> None:
    source = Source()
    look = PatientLook(source, SteppedClock())
    source.open.clear()
    assert [await look.soon(0), await look.soon(0)] == [None, None]
    assert source.looks == 1  # one at a time
    source.open.set()
    assert await look.soon() == 1


@pytest.mark.parametrize(("took_s", "fresh_s"), [(0.0, 10.0), (0.5, 10.0), (3.0, 60.0)])
async def test_a_result_is_fresh_the_longer_the_longer_it_took(
    took_s: float, fresh_s: float
) -> None:
    clock = SteppedClock()
    looks = 0

    async def slow() -> int:
        nonlocal looks
        looks += 1
        clock.advance(took_s)
        return looks

    look = PatientLook(slow, clock, fresh_for_s=10.0, cost_factor=20.0)
    assert await look() == 1
    clock.advance(fresh_s - 0.01)
    assert await look() == 1
    clock.advance(0.01)
    assert await look() == 2
