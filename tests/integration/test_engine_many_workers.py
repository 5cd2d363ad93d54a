"""Several workers on one database: they share the work, and finish what the dead and the frozen
leave.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.application import program, until
from weighbridge.engine.database.heartbeat import HEARTBEAT_TIMEOUT
from weighbridge.engine.dispatch.dispatcher import STUCK_CHECK_S
from weighbridge.service.queue import start_queue, stop_queue

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=1)
NOT_SO_SOON = timedelta(seconds=20)
"""Where several live: a busy machine holds a process back for seconds, and its groups would be
taken over.
"""
NEVER = timedelta(hours=1)
"""Beats are half of it apart: this worker sends no heartbeat, as if it were frozen."""


async def test_two_workers_share_the_work_without_repeating_a_question(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        program(database_url, tmp_path) as one,
        program(database_url, tmp_path, simulator=one.simulator) as two,
    ):
        one.engine.supervisor.most_jobs_at_once = two.engine.supervisor.most_jobs_at_once = 40
        await one.add_many(400)
        one.wire.hold()
        two.wire.hold()
        await one.start()
        await two.work()
        await one.wire.until_held(40)
        await two.wire.until_held(40)
        one.wire.let_go()
        two.wire.let_go()
        await one.until(completed=400)
        assert one.simulator.books.completed == 3 * 80
        await one.stop()
        await two.stop()
        await one.assert_sound()


async def test_small_queue_is_shared_and_a_dead_workers_part_taken_over(
    database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(
            program(database_url, tmp_path, heartbeat_timeout=NOT_SO_SOON)
        )
        workers = [first] + [
            await stack.enter_async_context(
                program(
                    database_url, tmp_path, simulator=first.simulator, heartbeat_timeout=NOT_SO_SOON
                )
            )
            for _ in range(3)
        ]
        await stop_queue(first.app.database)
        await first.add_many(500)
        for worker in workers:
            worker.wire.hold()
            await worker.work()
        await first.until_true("SELECT count(*) = 4 FROM workers")
        await start_queue(first.app.database)
        await until(lambda: sum(w.wire.held for w in workers) == 100, "every group is begun")
        taken = [worker.wire.held for worker in workers]
        assert max(taken) <= 30, taken
        dead = workers.pop()
        await dead.die()
        await first.take_for_dead(dead)
        for worker in workers:
            worker.wire.let_go()
        await first.until(completed=500)
        assert first.simulator.books.completed == 3 * 100 + taken[-1]
        for worker in workers:
            await worker.stop()
        await first.assert_sound(paid_twice=5 * taken[-1])
        assert await first.value("SELECT count(*) FROM workers") == 1  # the dead cannot leave


async def test_takeover_does_not_repeat_answered_steps(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, heartbeat_timeout=SOON) as dead:
        await dead.add_many(25)
        # The first answer of every group is stored, the second is on its way.
        dead.wire.instead = lambda request: (
            dead.wire.hold() if b'"bill_of_materials"' in request.content else None
        )
        await dead.start()
        await dead.wire.until_held(1)
        # Held are second questions only, or first ones that came after the first second question.
        await until(lambda: dead.wire.held == 5, "every group waits for a reply")
        await dead.die()
    async with program(
        database_url, tmp_path, simulator=dead.simulator, heartbeat_timeout=SOON
    ) as successor:
        await successor.start()
        await successor.until(completed=25)
        assert successor.simulator.books.completed == 3 * 5 + 5
        assert successor.simulator.books.calls_by_schema["manufacturing"] == 5
        await successor.stop()
        await successor.assert_sound(paid_twice=25)


async def test_worker_waking_up_after_takeover_does_no_harm(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, heartbeat_timeout=NEVER) as frozen:
        await frozen.add_many(10)
        frozen.wire.hold()
        await frozen.start()
        await frozen.wire.until_held(2)
        async with program(
            database_url, tmp_path, simulator=frozen.simulator, heartbeat_timeout=SOON
        ) as awake:
            await awake.work()
            await awake.until(completed=10)
            before = await awake.fetch("SELECT * FROM footprints ORDER BY product_id")
            frozen.wire.let_go()
            await frozen.until_true(
                # the late replies were paid for: they are on record
                "SELECT count(*) = 3 * 2 + 2 FROM calls"
            )
            assert await awake.fetch("SELECT * FROM footprints ORDER BY product_id") == before
            assert await awake.value("SELECT count(*) FROM answers") == 30
            await frozen.stop()
            await awake.stop()
            await awake.assert_sound(paid_twice=10)


async def test_worker_resumes_its_groups_after_a_short_freeze(
    database_url: str, tmp_path: Path
) -> None:
    """A machine that was suspended: when it wakes up its own groups are the first that look
    abandoned.
    """
    async with program(database_url, tmp_path, heartbeat_timeout=SOON) as sleeper:
        await sleeper.add_many(10)
        sleeper.wire.hold()
        await sleeper.start()
        await sleeper.wire.until_held(2)
        for _ in range(200):
            await sleeper.fetch("UPDATE pgqueuer SET heartbeat = now() - interval '1 hour'")
            await asyncio.sleep(0.005)
        sleeper.wire.let_go()
        await sleeper.until(completed=10)
        assert sleeper.simulator.books.completed == 3 * 2
        await sleeper.stop()
        await sleeper.assert_sound()


async def test_late_worker_leaves_a_taken_over_job_alone(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, heartbeat_timeout=NEVER) as frozen:
        await frozen.add_many(5)
        frozen.wire.hold()
        await frozen.start()
        await frozen.wire.until_held(1)
        async with program(
            database_url, tmp_path, simulator=frozen.simulator, heartbeat_timeout=SOON
        ) as awake:
            awake.wire.hold()
            await awake.work()
            await awake.wire.until_held(1)
            frozen.wire.let_go()
            await frozen.until_true("SELECT count(*) = 1 FROM calls")
            await frozen.stop()  # its job has ended for it, and PgQueuer was told
            assert await awake.value("SELECT count(*) FROM pgqueuer WHERE status = 'picked'") == 1
            assert (
                await awake.value("SELECT count(*) FROM products WHERE status = 'processing'") == 5
            )
            awake.wire.let_go()
            await awake.until(completed=5)
            assert awake.simulator.books.received == 1 + 3
            await awake.stop()
            await awake.assert_sound(paid_twice=5)


async def test_another_process_takes_over_as_dispatcher(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as first, program(database_url, tmp_path) as second:
        await first.start()
        await first.add({"code": "ONE"})
        await first.until(completed=1)
        await second.work()
        await first.die()
        await second.add({"code": "TWO"})
        await second.until(completed=2)


async def test_products_without_a_live_job_are_released_within_a_heartbeat(
    database_url: str, tmp_path: Path
) -> None:
    # What is looked for so often is found in time, unless this machine is busy with something else.
    assert HEARTBEAT_TIMEOUT.total_seconds() > STUCK_CHECK_S
    async with program(database_url, tmp_path) as running:
        await running.start()
        await running.add(
            {"code": "GONE", "status": "processing", "job_id": 4_711},
            {"code": "HELD", "status": "processing", "job_id": 4_712},
        )
        await running.fetch(
            "INSERT INTO pgqueuer (id, priority, status, entrypoint, heartbeat)"
            " OVERRIDING SYSTEM VALUE VALUES (4712, 0, 'failed', 'group', now())"
        )
        await running.until(completed=2)
        await running.until_true("SELECT count(*) = 0 FROM pgqueuer")
        await running.stop()
        await running.assert_sound()


async def test_job_lost_on_its_way_to_a_worker_is_picked_up_again(
    database_url: str, tmp_path: Path
) -> None:
    """The connection broke after the commit: the job is the worker's own, and the worker does not
    know.
    """
    async with program(database_url, tmp_path, heartbeat_timeout=SOON) as running:
        await running.work()
        await running.fetch(
            "WITH given AS (INSERT INTO pgqueuer (priority, status, entrypoint, "
            "queue_manager_id, heartbeat) VALUES (0, 'picked', 'group', $1, now()) RETURNING id) "
            "INSERT INTO products (code, name, description, status, job_id) SELECT 'P-1', "
            "'Bottle', 'A steel bottle', 'processing', id FROM given",
            running.engine.supervisor.worker_id,
        )
        await running.until(completed=1)
        await running.stop()
        await running.assert_sound()
