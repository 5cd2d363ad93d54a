"""The database goes away in mid-run: the same program goes on when it is back, and nothing paid is
lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.application import AMPLE, RunningProgram, program, until
from tests.support.crash import Bomb, ForgetfulDatabase, bomb, restart_postgres, stop_postgres
from tests.support.database import PostgresForTests
from weighbridge.clock import ScaledClock
from weighbridge.domain.products import ProcessingStatus

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

PRODUCTS, CALLS = 7, 6
"""Two groups, three questions each."""
FAST = ScaledClock(20)


async def _commits_of_an_undisturbed_run(postgres: PostgresForTests, folder: Path) -> int:
    url = await asyncio.to_thread(postgres.create_database)
    async with bomb(url) as counter, program(url, folder) as running:
        await counter.arm(1_000)
        await running.add_many(PRODUCTS)
        await running.start()
        await running.until(completed=PRODUCTS)
        await running.stop()
        return int(await running.value("SELECT last_value FROM commits"))


async def test_connection_loss_in_any_commit_loses_nothing_and_pays_nothing_twice(
    postgres: PostgresForTests, tmp_path: Path
) -> None:
    """The n-th commit fails and takes every connection with it, for n = 1, 2, 3, …; the program
    goes on.
    """
    commits = await _commits_of_an_undisturbed_run(postgres, tmp_path)
    assert commits >= CALLS
    exploded = 0
    for at_commit in range(1, commits + 1):
        url = await asyncio.to_thread(postgres.create_database)
        async with bomb(url) as explosion, program(url, tmp_path, clock=FAST) as running:
            await running.add_many(PRODUCTS)
            await explosion.arm(at_commit)
            await running.work()
            await running.until(completed=PRODUCTS)
            exploded += await explosion.has_exploded()
            # A commit after the last product may be the n-th one, and would break what looks from
            # here on.
            await explosion.disarm()
            assert running.simulator.books.completed == CALLS, f"commit {at_commit}"
            await running.until_true("SELECT count(*) = $1 FROM calls", CALLS)
            await running.stop()
            await running.assert_sound(paid_twice=0)
    assert exploded >= CALLS


async def test_next_process_resumes_after_a_death_in_any_commit(
    postgres: PostgresForTests, tmp_path: Path
) -> None:
    """The n-th commit fails and the program dies with it; another one finishes, and pays the calls
    in flight twice.
    """
    commits = await _commits_of_an_undisturbed_run(postgres, tmp_path)
    for at_commit in range(1, commits + 1):
        url = await asyncio.to_thread(postgres.create_database)
        async with bomb(url) as explosion, program(url, tmp_path) as dying:
            await dying.add_many(PRODUCTS)
            await explosion.arm(at_commit)
            await dying.work()
            await until(partial(_is_over, explosion, dying), f"commit {at_commit}")
            await dying.die()
            await explosion.disarm()
            async with program(url, tmp_path, simulator=dying.simulator, clock=FAST) as successor:
                await successor.take_for_dead(dying)
                await successor.start()
                await successor.until(completed=PRODUCTS)
                await successor.until_true("SELECT count(*) = 0 FROM pgqueuer")
                # What was stored was not asked again: only calls that were in flight were paid
                # twice.
                asked = successor.simulator.books.completed
                assert asked <= CALLS + 2, f"commit {at_commit}: {asked} calls"
                await successor.stop()
                await successor.assert_sound(paid_twice=PRODUCTS)


async def _is_over(explosion: Bomb, dying: RunningProgram) -> bool:
    """It died, or made fewer commits this time."""
    if await explosion.has_exploded():
        return True
    return (await dying.counts())[ProcessingStatus.COMPLETED] == PRODUCTS


async def test_unconfirmed_commit_is_not_repeated(database_url: str, tmp_path: Path) -> None:
    made: list[ForgetfulDatabase] = []

    def forgetful(database: object) -> ForgetfulDatabase:
        made.append(ForgetfulDatabase(pool=database.pool, url=database.url))  # type: ignore[attr-defined]
        return made[0]

    async with program(database_url, tmp_path, clock=FAST, database=forgetful) as running:
        await running.fetch(
            "INSERT INTO products (code, name, description) SELECT 'P-' || n, 'Bottle', 'Steel "
            "bottle ' || n FROM generate_series(1, 20) AS n"
        )
        await running.work()
        await running.until(completed=20)
        await running.stop()
        # The last commit is seen before it is forgotten: not before the stop is it counted.
        assert made[0].forgotten >= 3
        assert running.simulator.books.completed == 12
        assert await running.value("SELECT count(*) FROM calls") == 12
        await running.assert_sound()


async def test_postgresql_restarts_lose_nothing_and_pay_nothing_twice(
    tmp_path: Path,
) -> None:
    server = await asyncio.to_thread(PostgresForTests, tmp_path)
    url = await asyncio.to_thread(server.create_database)
    await asyncio.to_thread(server.commit_durably)
    config = replace(AMPLE, latency_s=0.1)
    async with program(url, tmp_path, config) as running:
        await running.add_many(150)
        await running.start()
        books = running.simulator.books
        for mode, after_calls in (("fast", 15), ("immediate", 45)):
            await until(lambda calls=after_calls: books.completed >= calls, "some calls")  # type: ignore[misc]
            await asyncio.to_thread(restart_postgres, tmp_path, mode=mode)
        await running.until(completed=150)
        assert books.completed == 3 * 30
        await running.stop()
        await running.assert_sound()
    await asyncio.to_thread(stop_postgres, tmp_path)
