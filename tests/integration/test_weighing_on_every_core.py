"""Weighing in several processes: they end with the program, and the program goes on without one
that ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import pytest

from weighbridge import telemetry
from weighbridge.embedded_postgres.processes import is_alive
from weighbridge.embedded_postgres.waiting import wait_until
from weighbridge.weighing import on_every_core
from weighbridge.weighing.on_every_core import weighing_beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.anyio

PROGRAM: Final = """
import asyncio, os, time
from weighbridge.weighing import on_every_core
from weighbridge.weighing.on_every_core import weighing_beside
from tests.integration.test_weighing_on_every_core import say_and_stay

async def main():
    async with weighing_beside("work", 2) as weighing:
        await asyncio.gather(weighing.run(say_and_stay), weighing.run(say_and_stay))

if __name__ == "__main__":
    on_every_core.SHARE = 1
    os.cpu_count = lambda: 2
    asyncio.run(main())
"""
ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 120.0


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for each core, however little there is to do, and two cores at least."""
    monkeypatch.setattr(on_every_core, "SHARE", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def said() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(level: str, event: str, message: str, fields: Mapping[str, Any]) -> None:
        heard.append(event)

    telemetry.watch(hear)
    yield heard
    telemetry.unwatch(hear)


def say_and_stay(work: str) -> None:
    """In a process of its own: say which one, and go on for a while."""
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(5)


def double(work: dict[str, int], number: int) -> tuple[int, int]:
    """Twice the number, and in which process. One of the numbers kills it, but not the parent."""
    if number == work.get("fatal") and os.getpid() != work["parent"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == work.get("wrong"):
        raise OSError(f"{number} is wrong")
    return 2 * number, os.getpid()


async def test_each_task_is_done_in_another_process(several: None, said: list[str]) -> None:
    async with weighing_beside({"parent": os.getpid()}, 2) as weighing:
        assert weighing.at_once == 2
        done = [await weighing.run(double, number) for number in range(4)]
    assert [result for result, _ in done] == [0, 2, 4, 6]
    assert os.getpid() not in {pid for _, pid in done}
    assert "weighing_process_ended" not in said


async def test_little_work_is_done_here() -> None:
    async with weighing_beside({"parent": os.getpid()}, 1) as weighing:
        assert await weighing.run(double, 4) == (8, os.getpid())


async def test_an_error_in_another_process_is_raised_here(several: None, said: list[str]) -> None:
    async with weighing_beside({"parent": os.getpid(), "wrong": 3}, 2) as weighing:
        with pytest.raises(OSError, match="3 is wrong"):
            await weighing.run(double, 3)
        assert (await weighing.run(double, 4))[1] != os.getpid()
    assert "weighing_process_ended" not in said


@pytest.mark.parametrize("fatal", [0, 3])
async def test_what_a_process_leaves_when_it_is_killed_is_done_here(
    several: None, said: list[str], fatal: int
) -> None:
    async with weighing_beside({"parent": os.getpid(), "fatal": fatal}, 2) as weighing:
        done = [await weighing.run(double, number) for number in range(6)]
    assert [result for result, _ in done] == [0, 2, 4, 6, 8, 10]
    assert done[fatal][1] == os.getpid()
    assert said.count("weighing_process_ended") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Its signals are others.")
@pytest.mark.parametrize(
    ("number", "to_all"),
    [(signal.SIGKILL, False), (signal.SIGTERM, True), (signal.SIGTERM, False)],
)
def test_no_process_outlives_the_program(number: signal.Signals, to_all: bool) -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, start_new_session=True, cwd=ROOT
    ) as program:
        assert program.stdout is not None
        others = [psutil.Process(int(program.stdout.readline())) for _ in range(2)]
        assert all(map(is_alive, others))
        (os.killpg if to_all else os.kill)(program.pid, number)
        program.wait(PATIENCE_S)
        assert wait_until(lambda: not any(map(is_alive, others)), limit_s=PATIENCE_S)
