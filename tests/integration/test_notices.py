"""The operator is told, once, whatever happens to the processes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import program, until
from tests.support.webhook_receiver import SECRET, Receiver, webhook_receiver
from weighbridge.clock import SystemClock
from weighbridge.domain.notices import Channel
from weighbridge.service.budgets import set_budgets
from weighbridge.service.upkeep.notices import newest_notices, send_test
from weighbridge.store import notices
from weighbridge.wiring import carriers_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def told(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"webhook_url": receiver.url, "webhook_secret": SECRET, **more}


async def test_two_processes_tell_the_end_of_work_once(database_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(webhook_receiver())
        one, other = [
            await stack.enter_async_context(program(database_url, tmp_path, **told(receiver)))
            for _ in range(2)
        ]
        await one.add_many(20)
        await one.start()
        await other.work()
        await one.until(completed=20)
        await until(lambda: bool(receiver.events), "the end is told")
        await one.stop()
        await other.stop()
        assert receiver.kinds == ["queue.finished"]
        assert receiver.events[0]["data"]["products"]["completed"] == 20
        assert receiver.events[0]["data"]["simulated"] is True


async def test_a_restart_tells_nothing_again_and_new_work_once_more(
    database_url: str, tmp_path: Path
) -> None:
    async with webhook_receiver() as receiver:
        for done, new in ((5, 5), (5, 0), (10, 5)):
            async with program(database_url, tmp_path, **told(receiver)) as running:
                await running.add(*({"code": f"{done}-{n}"} for n in range(new)))
                await running.start()
                await running.until(completed=done)
                await running.stop()
        assert receiver.kinds == ["queue.finished"] * 2


async def test_a_cap_that_is_reached_is_told_and_the_end_after_it_was_raised(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        webhook_receiver() as receiver,
        program(database_url, tmp_path, **told(receiver, budget_per_day=0.01)) as running,
    ):
        await running.add_many(100)
        await running.start()
        await until(lambda: receiver.kinds == ["queue.budget_reached"], "the cap is told")
        assert receiver.events[0]["data"]["reason"].startswith("The budget of $0.01 for a day")
        await set_budgets(running.app.database, {"day": 10})
        await running.until(completed=100)
        await running.stop()
        assert receiver.kinds == ["queue.budget_reached", "queue.finished"]


async def test_what_was_not_delivered_is_tried_again_with_the_same_id(
    database_url: str, tmp_path: Path
) -> None:
    async with webhook_receiver() as receiver:
        receiver.statuses = [500, 503]
        async with program(database_url, tmp_path, **told(receiver)) as running:
            await running.add_many(2)
            await running.start()
            await running.until(completed=2)
            await until(lambda: len(receiver.ids) == 1, "the first try")
            await running.until_true("SELECT last_error IS NOT NULL FROM notices")
            assert await running.value("SELECT last_error FROM notices") == "127.0.0.1 answers 500"
            await running.stop()
        async with program(database_url, tmp_path, **told(receiver)) as running:
            await running.work()
            for tries in (2, 3):
                await running.fetch("UPDATE notices SET next_at = now()")
                await running.until_true("SELECT attempts = $1 FROM notices", tries)
            await running.until_true("SELECT delivered_at IS NOT NULL FROM notices")
            (sent,) = await newest_notices(running.app.database)
            assert (sent.state, sent.attempts) == ("delivered", 3)
        assert len(set(receiver.ids)) == 1
        assert receiver.kinds == ["queue.finished"]


async def test_a_process_that_dies_in_a_delivery_leaves_it_to_another(
    database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(webhook_receiver())
        one, other = [
            await stack.enter_async_context(program(database_url, tmp_path, **told(receiver)))
            for _ in range(2)
        ]
        await one.add_many(2)
        held = asyncio.Event()
        receiver.held = held
        await one.start()
        await until(lambda: len(receiver.ids) == 1, "the first process sends")
        await one.die()
        held.set()
        assert await other.value("SELECT delivered_at IS NULL FROM notices")
        await other.fetch("UPDATE notices SET next_at = now()")  # its lease is over
        await other.work()
        await other.until_true("SELECT delivered_at IS NOT NULL FROM notices")
        assert len(receiver.ids) == 2
        assert len(set(receiver.ids)) == 1
        await other.stop()


async def test_a_test_goes_every_way_and_says_what_arrived(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        webhook_receiver() as receiver,
        program(database_url, tmp_path, **told(receiver, notify_command="false")) as running,
    ):
        carriers = carriers_of(running.app.settings, SystemClock())
        outcome = await send_test(running.app.database, carriers, SystemClock())
        assert outcome == {
            Channel.WEBHOOK: None,
            Channel.COMMAND: "false ended with exit code 1",
        }
        assert receiver.kinds == ["test"]
        assert await running.value("SELECT count(*) FROM notices") == 0


async def test_work_that_changes_hands_is_never_taken_for_the_end(
    database_url: str, tmp_path: Path
) -> None:
    """A product that goes back to wait, or is begun, while somebody looks, waits all the same."""
    async with program(database_url, tmp_path) as running:
        await running.add_many(1)
        database = running.app.database
        looked = asyncio.Event()

        async def move() -> None:
            while not looked.is_set():
                for status in ("processing", "pending"):
                    await database.pool.execute("UPDATE products SET status = $1", status)

        moving = asyncio.create_task(move())
        async with database.transaction() as connection:
            seen = [(await notices.look(connection, None, None)).idle for _ in range(300)]
        looked.set()
        await moving
        assert not any(seen)
