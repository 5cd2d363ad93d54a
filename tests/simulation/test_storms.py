"""Storms over the whole program: those that broke something once, and new ones; `make simulate`
runs as many as one likes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.simulation import known_seeds
from tests.simulation.storms import storm
from tests.simulation.watching import HeldBack
from tests.simulation.weather import GUSTS, UNANSWERED, UNUSABLE, Event, Weather
from tests.support.crash import stop_postgres
from tests.support.database import PostgresForTests
from tests.support.seeds import new_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio

NEW = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresForTests]:
    """A PostgreSQL that may be restarted."""
    folder = tmp_path_factory.mktemp("stormy")
    yield PostgresForTests(folder)
    stop_postgres(folder)


@pytest.fixture
def url(server: PostgresForTests) -> Iterator[str]:
    """A fresh database on it."""
    created = server.create_database()
    yield created
    server.drop_database(created)


@pytest.mark.parametrize("seed", known_seeds.STORMS)
async def test_guarantees_hold_in_storms_that_once_broke_them(
    server: PostgresForTests, url: str, seed: int
) -> None:
    await storm(server, url, seed)


@pytest.mark.parametrize("number", range(NEW))
async def test_guarantees_hold_in_new_random_storms(
    server: PostgresForTests, url: str, number: int
) -> None:
    await storm(server, url, new_seed(number))


async def _held_back_during(hold: Callable[[], None]) -> tuple[float, float]:
    """(how long all of it took, how much of that was the machine's doing), in seconds."""
    held_back = HeldBack()
    began_s = time.monotonic()  # noqa: TID251 - the machine's own time
    watch = asyncio.create_task(held_back.watch())
    await asyncio.sleep(0.05)
    hold()
    await asyncio.sleep(0.05)
    watch.cancel()
    return time.monotonic() - began_s, held_back.longest_s  # noqa: TID251


async def test_storm_tells_machine_delays_from_our_own() -> None:
    def work() -> None:
        end_s = time.thread_time() + 0.2
        while time.thread_time() < end_s:
            pass

    took_s, held_back_s = await _held_back_during(work)
    assert held_back_s <= took_s - 0.19
    took_s, held_back_s = await _held_back_during(lambda: time.sleep(0.2))
    assert held_back_s >= 0.18


def test_two_hundred_storms_cover_every_fault_and_event() -> None:
    weathers = [Weather.drawn(seed) for seed in range(200)]
    events = Counter(moment.event for weather in weathers for moment in weather.moments)
    assert events.keys() == set(Event)
    assert min(events.values()) >= 20
    faults = Counter(
        fault for weather in weathers for fault, share in weather.faults.items() if share
    )
    assert faults.keys() >= {*UNANSWERED, *UNUSABLE}
    assert min(faults.values()) >= 20
    assert {fault for gust in GUSTS.values() for fault in gust} >= {*UNANSWERED, *UNUSABLE}
    assert sum(weather.poisoned > 0 for weather in weathers) >= 20
    assert {weather.pacing for weather in weathers} == {"batch", "continuous"}
    assert {weather.ask_together for weather in weathers} == {False, True}
