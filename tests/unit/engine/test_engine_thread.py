"""A loop on a thread of its own: work goes over and comes back, and its end is never a secret."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from weighbridge import telemetry
from weighbridge.engine.engine_thread import EngineEnded, LoopThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def turns_as_they_were() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """Events that were told."""
    heard: list[str] = []

    def hear(_level: str, event: str, _message: str, _fields: Mapping[str, Any]) -> None:
        heard.append(event)

    telemetry.watch(hear)
    yield heard
    telemetry.unwatch(hear)


async def _thread_name() -> str:
    return threading.current_thread().name


async def _fail() -> None:
    raise LookupError("nothing there")


async def _break() -> None:
    raise SystemExit(3)


async def test_work_runs_on_the_thread_and_returns_its_result_or_error() -> None:
    async with LoopThread("other") as thread:
        assert await thread.run(_thread_name()) == "other"
        with pytest.raises(LookupError, match="nothing there"):
            await thread.run(_fail())
        assert await thread.run(_thread_name()) == "other"


async def test_a_busy_thread_does_not_block_the_caller() -> None:
    busy, go_on = threading.Event(), threading.Event()

    async def block() -> None:
        busy.set()
        go_on.wait(10)

    async with LoopThread("other") as thread:
        blocked = asyncio.create_task(thread.run(block()))
        assert await asyncio.to_thread(busy.wait, 10)
        assert not blocked.done()
        go_on.set()
        await blocked


async def test_cancelling_the_caller_cancels_the_work() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def wait_for_ever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with LoopThread("other") as thread:
        waiting = asyncio.create_task(thread.run(wait_for_ever()))
        assert await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        assert await asyncio.to_thread(cancelled.wait, 10)


async def test_contexts_are_opened_and_closed_on_the_thread() -> None:
    where: list[str] = []

    @asynccontextmanager
    async def place() -> AsyncIterator[int]:
        where.append(await _thread_name())
        yield 7
        where.append(await _thread_name())

    async with LoopThread("other") as thread, thread.entered(place()) as value:
        assert value == 7
    assert where == ["other", "other"]


async def test_a_crashed_thread_is_reported_and_wakes_waiters(
    told: list[str],
) -> None:
    async with LoopThread("other") as thread:
        waiting = asyncio.create_task(thread.run(asyncio.Event().wait()))
        with pytest.raises(EngineEnded):
            await thread.run(_break())
        await asyncio.wait_for(thread.ended(), 10)
        with pytest.raises(EngineEnded):
            await waiting
        with pytest.raises(EngineEnded):
            await thread.run(_thread_name())
    assert told == ["engine_crashed"]


async def test_a_failing_event_loop_raises_in_the_caller() -> None:
    def no_loop() -> asyncio.AbstractEventLoop:
        raise OSError("too many open files")

    with pytest.raises(OSError, match="too many"):
        async with LoopThread("other", no_loop):
            pass
