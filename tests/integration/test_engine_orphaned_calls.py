"""A worker dies with calls in flight and replies are stored at the provider: they are fetched, not
bought again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import httpx2
import pytest
import structlog

from tests.support.application import AMPLE, program, until
from weighbridge.clock import SystemClock
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import Fault, FaultPlan, Keeping
from weighbridge.steps import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.simulator.config import SimulatorConfig

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=1)
NEVER = timedelta(hours=1)
EMPTY_LIST = {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}

storing = partial(program, heartbeat_timeout=SOON, store_at_provider=True)


async def _die_in_flight(
    running: RunningProgram, products: int, groups: int, schema: str = "bill_of_materials"
) -> None:
    """Every group waits for the reply to this question, which is paid for, when the worker is
    killed.
    """
    await running.add_many(products)
    running.wire.instead = lambda request: (
        running.wire.hold() if f'"{schema}"'.encode() in request.content else None
    )
    await running.start()
    await until(lambda: running.wire.held == groups, "every group waits for a reply")
    await running.die()


def _lists(*answers: httpx2.Response) -> Callable[[httpx2.Request], httpx2.Response | None]:
    """These are the answers to the first look-ups; later ones and everything else reach the
    simulator.
    """
    waiting = list(answers)
    return lambda request: waiting.pop(0) if request.method == "GET" and waiting else None


async def test_replies_to_a_killed_workers_calls_are_fetched_not_paid_again(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 25, 5)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        assert await successor.value("SELECT count(*) FROM open_calls") == 5
        await successor.start()
        await successor.until(completed=25)
        books = successor.simulator.books
        assert (books.completed, books.fetched, books.lookups) == (3 * 5, 5, 5)
        assert await successor.value("SELECT count(*) FROM calls WHERE outcome = 'ok'") == 3 * 5
        assert await successor.value("SELECT sum(input_tokens) FROM calls") == books.prompt_tokens
        assert await successor.value("SELECT sum(output_tokens) FROM calls") == books.output_tokens
        assert await successor.value("SELECT count(*) FROM open_calls") == 0
        await successor.stop()
        await successor.assert_sound(paid_twice=0)


@pytest.mark.parametrize("schema", ["classification", "manufacturing"])
async def test_reply_to_any_question_is_fetched(
    database_url: str, tmp_path: Path, schema: str
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 10, 2, schema)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        await successor.start()
        await successor.until(completed=10)
        assert successor.simulator.books.completed == 3 * 2
        await successor.stop()
        await successor.assert_sound(paid_twice=0)


async def test_reply_to_all_questions_at_once_is_fetched_too(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path, ask_together=True) as dead:
        await _die_in_flight(dead, 10, 2, TOGETHER)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        await successor.start()
        await successor.until(completed=10)
        assert successor.simulator.books.completed == 2
        await successor.stop()
        await successor.assert_sound(paid_twice=0)


async def test_waits_for_a_call_still_running_at_the_provider(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 5, 1)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        successor.wire.instead = _lists(httpx2.Response(200, json=EMPTY_LIST))
        await successor.start()
        await successor.until(completed=5)
        assert successor.simulator.books.completed == 3
        await successor.assert_sound(paid_twice=0)


async def test_look_up_waits_out_a_provider_outage(database_url: str, tmp_path: Path) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 5, 1)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        await successor.fetch("UPDATE open_calls SET started_at = started_at - interval '1 hour'")
        successor.wire.instead = _lists(
            httpx2.Response(503), httpx2.Response(429), httpx2.Response(500)
        )
        await successor.start()
        await successor.until(completed=5)
        assert successor.simulator.books.completed == 3
        await successor.assert_sound(paid_twice=0)


async def test_second_takeover_fetches_what_the_first_could_not(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 10, 2)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as first_heir:
        first_heir.wire.hold()
        await first_heir.start()
        await first_heir.wire.until_held(2)
        await first_heir.die()
    async with storing(database_url, tmp_path, simulator=dead.simulator) as second_successor:
        await second_successor.start()
        await second_successor.until(completed=10)
        assert second_successor.simulator.books.completed == 3 * 2
        await second_successor.stop()
        await second_successor.assert_sound(paid_twice=0)


async def test_fetched_reply_serves_products_in_any_group(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 10, 2)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        await successor.fetch("DELETE FROM pgqueuer")
        await successor.fetch("UPDATE products SET status = 'pending', job_id = NULL")
        await successor.fetch("UPDATE products SET alone = true WHERE code IN ('P-002', 'P-007')")
        await successor.start()
        await successor.until(completed=10)
        assert successor.simulator.books.calls_by_schema["bill_of_materials"] == 2
        assert (
            await successor.value(
                "SELECT count(*) FROM calls WHERE step = 'bill_of_materials' AND outcome = 'ok'"
            )
            == 2
        )
        await successor.stop()
        await successor.assert_sound(paid_twice=0)


async def test_refused_part_of_a_fetched_reply_is_retried_not_refetched(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await dead.add({"code": "BAD", "name": "POISON", "description": "POISON"})
        await _die_in_flight(dead, 4, 1, "classification")
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        await successor.start()
        await successor.until(completed=4, failed=1)
        assert successor.simulator.books.fetched == 1
        assert successor.simulator.books.calls_by_schema["classification"] == 1 + 3
        await successor.stop()
        await successor.assert_sound(paid_twice=0)


async def test_only_the_changed_product_is_asked_again(database_url: str, tmp_path: Path) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 5, 1, "classification")
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        await successor.fetch(
            "UPDATE products SET description = 'Now an oak stool', revision = revision + 1,"
            " status = 'pending', job_id = NULL WHERE code = 'P-003'"
        )
        await successor.start()
        await successor.until(completed=5)
        assert successor.simulator.books.calls_by_schema["classification"] == 2
        await successor.stop()
        await successor.assert_sound(paid_twice=0)


async def test_frozen_worker_and_its_successor_record_a_reply_once(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path, heartbeat_timeout=NEVER) as frozen:
        await frozen.add_many(10)
        frozen.wire.hold()
        await frozen.start()
        await frozen.wire.until_held(2)
        async with storing(database_url, tmp_path, simulator=frozen.simulator) as awake:
            await awake.work()
            await awake.until(completed=10)
            frozen.wire.let_go()
            await until(lambda: frozen.engine.supervisor.in_flight == 0, "the late replies arrive")
            await frozen.stop()
            assert await awake.value("SELECT count(*) FROM calls") == 3 * 2
            await awake.stop()
            await awake.assert_sound(paid_twice=0)


async def test_late_reply_is_recorded_by_the_worker_that_holds_it(
    database_url: str, tmp_path: Path
) -> None:
    simulator = create_app(_keeping(Keeping.NOTHING), SystemClock())
    async with storing(
        database_url, tmp_path, simulator=simulator, heartbeat_timeout=NEVER
    ) as frozen:
        await frozen.add_many(5)
        frozen.wire.hold()
        await frozen.start()
        await frozen.wire.until_held(1)
        await frozen.fetch("UPDATE open_calls SET started_at = started_at - interval '1 hour'")
        async with storing(database_url, tmp_path, simulator=simulator) as awake:
            await awake.work()
            await awake.until(completed=5)
            frozen.wire.let_go()
            await awake.until_true("SELECT count(*) = 3 + 1 FROM calls")
            await frozen.stop()
            await awake.stop()
            await awake.assert_sound(paid_twice=5)


@pytest.mark.parametrize("keeping", [Keeping.NOTHING, Keeping.UNKNOWN])
async def test_without_stored_replies_the_question_is_asked_again(
    database_url: str, tmp_path: Path, keeping: Keeping
) -> None:
    simulator = create_app(_keeping(keeping), SystemClock())
    async with storing(database_url, tmp_path, simulator=simulator) as dead:
        await _die_in_flight(dead, 10, 2)
    with structlog.testing.capture_logs() as said:
        async with storing(database_url, tmp_path, simulator=simulator) as successor:
            await successor.fetch(
                "UPDATE open_calls SET started_at = started_at - interval '1 hour'"
            )
            await successor.start()
            await successor.until(completed=10)
            assert simulator.books.completed == 3 * 2 + 2
            await successor.stop()
            await successor.assert_sound(paid_twice=10)
    warnings = [line for line in said if line["event"] == "replies_not_kept"]
    assert len(warnings) == (1 if keeping is Keeping.UNKNOWN else 0)


async def test_stop_interrupts_a_look_up_and_start_resumes_it(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as dead:
        await _die_in_flight(dead, 5, 1)
    async with storing(database_url, tmp_path, simulator=dead.simulator) as successor:
        asked: list[httpx2.Request] = []

        def nothing_yet(request: httpx2.Request) -> httpx2.Response | None:
            asked.append(request)
            return httpx2.Response(200, json=EMPTY_LIST)

        successor.wire.instead = nothing_yet
        await successor.start()
        await until(lambda: bool(asked), "it looks for the reply")
        await successor.stop()
        assert await successor.value("SELECT count(*) FROM products WHERE status = 'pending'") == 5
    async with storing(database_url, tmp_path, simulator=dead.simulator) as again:
        await again.start()
        await again.until(completed=5)
        assert again.simulator.books.completed == 3
        await again.stop()
        await again.assert_sound(paid_twice=0)


async def test_without_the_option_nothing_is_stored(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(1)
        assert await running.value("SELECT count(*) FROM open_calls") == 0
        running.wire.let_go()
        await running.until(completed=5)
        assert (running.simulator.books.stored, running.simulator.books.lookups) == (0, 0)


def _keeping(keeping: Keeping) -> SimulatorConfig:
    return replace(AMPLE, keeping=keeping)


async def test_reply_lost_with_its_connection_is_fetched_by_the_same_worker(
    database_url: str, tmp_path: Path
) -> None:
    simulator = create_app(_dropping(Keeping.FINISHED), SystemClock())
    async with storing(database_url, tmp_path, simulator=simulator) as running:
        await running.add_many(50)
        await running.start()
        await running.until(completed=50)
        await running.stop()
        books = simulator.books
        assert books.faults["drop"] > 0
        assert books.fetched == books.faults["drop"]
        assert books.completed == 3 * 10
        assert await running.value("SELECT count(*) FROM calls") == 3 * 10
        assert await running.value("SELECT count(*) FROM open_calls") == 0
        await running.assert_sound()


@pytest.mark.parametrize("keeping", [Keeping.UNKNOWN, None])
async def test_reply_lost_and_not_stored_is_asked_again(
    database_url: str, tmp_path: Path, keeping: Keeping | None
) -> None:
    simulator = create_app(_dropping(keeping or Keeping.FINISHED), SystemClock())
    async with program(
        database_url, tmp_path, simulator=simulator, store_at_provider=keeping is not None
    ) as running:
        await running.add_many(25)
        await running.start()
        await running.until(completed=25)
        await running.stop()
        assert simulator.books.fetched == 0
        assert simulator.books.completed == 3 * 5 + simulator.books.faults["drop"] > 3 * 5
        assert await running.value("SELECT count(*) FROM open_calls") == 0
        await running.assert_sound()


async def test_call_that_never_connected_is_not_looked_up(
    database_url: str, tmp_path: Path
) -> None:
    async with storing(database_url, tmp_path) as running:
        refusals = 3

        def refuse(_: httpx2.Request) -> httpx2.Response | None:
            nonlocal refusals
            refusals -= 1
            if refusals >= 0:
                raise httpx2.ConnectError("connection refused")
            return None

        running.wire.instead = refuse
        await running.add_many(5)
        await running.start()
        await running.until(completed=5)
        assert (running.simulator.books.completed, running.simulator.books.lookups) == (3, 0)


def _dropping(keeping: Keeping) -> SimulatorConfig:
    return replace(AMPLE, keeping=keeping, faults=FaultPlan({Fault.DROP: 0.3}))
