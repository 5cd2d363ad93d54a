"""Requests to end are heard at any moment of a start."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from weighbridge.signals import handling, unwinding

if TYPE_CHECKING:
    from collections.abc import Iterator


async def _started(entered: list[object]) -> None:
    """Takes the signal for the end of one of its waits, as some libraries do."""
    try:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        pass
    with handling(entered.append):
        entered.append("working")


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def ctrl_c(request: pytest.FixtureRequest) -> Iterator[None]:
    """What Ctrl-C does at the start; scripts start programs with `&` and Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_a_signal_that_was_swallowed_during_the_start_still_ends_the_program() -> None:
    entered: list[object] = []
    with unwinding(), asyncio.Runner() as runner, pytest.raises(KeyboardInterrupt):
        runner.run(_started(entered))
    assert entered == []


@pytest.mark.usefixtures("ctrl_c")
def test_without_a_signal_the_program_works_until_one_comes() -> None:
    async def work() -> signal.Signals:
        heard: asyncio.Queue[signal.Signals] = asyncio.Queue()
        with handling(heard.put_nowait):
            signal.raise_signal(signal.SIGTERM)
            return await heard.get()

    with unwinding(), asyncio.Runner() as runner:
        assert runner.run(work()) == signal.SIGTERM
