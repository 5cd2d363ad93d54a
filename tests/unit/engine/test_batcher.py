"""Requests of many tasks, done in one go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from weighbridge.engine.database.batcher import Batcher

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio


class Doubler:
    """Doubles numbers; remembers what came together; refuses 13; can be held up."""

    def __init__(self) -> None:
        self.parts: list[list[int]] = []
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.parts.append(list(numbers))
        await self.may_go.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [number * 2 for number in numbers]


async def test_items_arriving_during_a_batch_share_the_next() -> None:
    doubler = Doubler()
    doubler.may_go.clear()
    together = Batcher(doubler, most=3)
    first = asyncio.create_task(together(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(together(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    doubler.may_go.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
    assert doubler.parts == [[0], [1, 2, 3], [4, 5]]


async def test_only_the_faulty_item_gets_the_error() -> None:
    together = Batcher(Doubler(), most=10)
    results = await asyncio.gather(*map(together, (1, 13, 3)), return_exceptions=True)
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 6


async def test_an_item_is_processed_even_if_its_caller_left() -> None:
    doubler = Doubler()
    doubler.may_go.clear()
    together = Batcher(doubler, most=10)
    impatient = asyncio.create_task(together(1))
    patient = asyncio.create_task(together(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    impatient.cancel()
    doubler.may_go.set()
    assert await patient == 4
    assert doubler.parts == [[1, 2]]
    assert await together(3) == 6


async def test_many_items_run_as_parallel_batches_and_few_do_not() -> None:
    doubler = Doubler()
    doubler.may_go.clear()
    together = Batcher(doubler, most=3, at_once=2)
    tasks = []
    for number in range(3):
        tasks.append(asyncio.create_task(together(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert doubler.parts == [[0]]  # two are fewer than a part: they wait for the first to come back
    tasks += [asyncio.create_task(together(number)) for number in range(3, 10)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert doubler.parts == [[0], [1, 2, 3]]  # two at once, not three
    doubler.may_go.set()
    assert await asyncio.gather(*tasks) == [number * 2 for number in range(10)]
    assert await together(10) == 20


async def test_an_item_arriving_as_a_batch_ends_is_not_left_waiting() -> None:
    together = Batcher(Doubler(), most=2, at_once=2)

    async def twice(number: int) -> int:
        return await together(await together(number))

    async with asyncio.timeout(5):
        assert await asyncio.gather(*map(twice, range(12))) == [n * 4 for n in range(12)]
