"""Connections that were cut without a word: no statement waits for ever, and the program goes on
over new ones.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.application import PATIENCE_S, program, until
from tests.support.stalling_proxy import StallingProxy
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SHORT_S = 2.0
"""Long enough for every statement that is answered, on a machine that is busy with something else.
"""


async def test_statement_on_a_cut_connection_ends_and_the_next_works(
    database_url: str, tmp_path: Path
) -> None:
    async with StallingProxy().opened(database_url) as road:
        database = await open_database(road.url, tmp_path, statement_timeout_s=SHORT_S)
        apart = await database.connect()
        try:
            assert await database.pool.fetchval("SELECT 1") == 1
            road.stall()
            async with asyncio.timeout(PATIENCE_S):
                cut = await asyncio.gather(
                    database.pool.fetchval("SELECT 2"),
                    apart.fetchval("SELECT 2"),
                    return_exceptions=True,
                )
            assert [type(error) for error in cut] == [TimeoutError, TimeoutError]
            road.mend()
            async with asyncio.timeout(PATIENCE_S):
                assert await database.pool.fetchval("SELECT 3") == 3
        finally:
            apart.terminate()
            await database.close()


async def test_long_statements_are_not_cut_short(database_url: str, tmp_path: Path) -> None:
    database = await open_database(database_url, tmp_path, statement_timeout_s=SHORT_S)
    try:
        with pytest.raises(TimeoutError):
            await database.pool.execute("SELECT pg_sleep(60)")
        long = "SELECT 1 FROM pg_sleep($1)"
        assert await database.pool.fetchval(long, SHORT_S + 0.5, timeout=PATIENCE_S) == 1
    finally:
        await database.close()


async def test_program_survives_silent_loss_of_all_connections(
    database_url: str, tmp_path: Path
) -> None:
    async with StallingProxy().opened(database_url) as road:
        hurried = await open_database(road.url, tmp_path, statement_timeout_s=SHORT_S)
        try:
            async with program(database_url, tmp_path, database=lambda _: hurried) as running:
                await running.add_many(50)
                running.wire.hold()
                await running.start()
                await running.wire.until_held(10)
                road.stall()
                running.wire.let_go()
                await until(lambda: running.wire.held == 0, "the replies have come")
                road.mend()
                await running.until(completed=50)
                assert running.simulator.books.completed == 3 * 10
                await running.stop()
                await running.assert_sound()
        finally:
            await hurried.close()
