"""The engine on the real PostgreSQL, with the real SDK, against the simulator: all goes well, or
nearly.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.application import AMPLE, PATIENCE_S, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_all_products_complete_with_three_calls_per_group(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE) as running:
        await running.add_many(23)
        await running.start()
        await running.until(completed=23)
        assert running.simulator.books.completed == 3 * 5
        assert await running.value("SELECT count(*) FROM answers") == 3 * 23
        assert await running.value("SELECT count(*) FROM calls WHERE outcome = 'ok'") == 3 * 5
        await running.stop()
        await running.assert_sound()


async def test_batches_follow_each_other_after_the_delay(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, AMPLE, pacing="batch", batch_size=5) as running:
        await running.add_many(10)
        await running.start()
        await running.until_true("SELECT count(*) = 5 FROM products WHERE status = 'completed'")
        await running.until_true("SELECT next_batch_at IS NOT NULL FROM queue_state")
        await running.fetch("UPDATE queue_state SET next_batch_at = now()")
        await running.until(completed=10)
        assert await running.value("SELECT current_batch FROM queue_state") == 2


async def test_products_added_during_a_run_are_processed(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, AMPLE) as running:
        await running.start()
        await running.add({"code": "FIRST"})
        await running.until(completed=1)
        await running.add({"code": "SECOND"})
        await running.until(completed=2)


async def test_drain_finishes_calls_in_flight_and_releases_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE) as running:
        await running.add_many(40)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(8)
        draining = asyncio.create_task(running.stop())
        await running.until_true("SELECT true")
        running.wire.let_go()
        await draining
        assert await running.value("SELECT count(*) FROM products WHERE status = 'processing'") == 0
        assert await running.value("SELECT count(*) FROM pgqueuer") == 0
        assert await running.value("SELECT count(*) FROM answers") == 40
        received = running.simulator.books.received
        await running.assert_sound()
    async with program(database_url, tmp_path, simulator=running.simulator) as again:
        await again.start()
        await again.until(completed=40)
        assert again.simulator.books.received == received + 2 * 8
        await again.assert_sound()


async def test_second_interrupt_repays_only_calls_in_flight(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE) as running:
        await running.add_many(10)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(2)
        async with asyncio.timeout(PATIENCE_S):  # the replies would be waited for for ever
            await running.close()
        running.wire.let_go()
    async with program(database_url, tmp_path, simulator=running.simulator) as again:
        await again.take_for_dead(running)
        await again.start()
        await again.until(completed=10)
        await again.assert_sound(paid_twice=10)


async def test_first_reply_clears_the_pause_reason_of_a_dead_process(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE) as running:
        await running.fetch("UPDATE queue_state SET paused_reason = 'the provider is away'")
        await running.add_many(5)
        await running.start()
        await running.until(completed=5)
        await running.until_true("SELECT paused_reason IS NULL FROM queue_state")
