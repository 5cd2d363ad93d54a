"""A pause is logged by the process that makes it, once, whoever reads it first."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import program
from weighbridge import telemetry
from weighbridge.clock import SystemClock
from weighbridge.engine.quota.circuit_breaker import QueueBreaker
from weighbridge.limits.circuit_breaker import FAILURES_BEFORE_PAUSE
from weighbridge.store import holds, queue_state
from weighbridge.store.holds import Hold, HoldKind
from weighbridge.store.stopping import stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from weighbridge.store.database import Database
    from weighbridge.store.queue_state import QueueState

pytestmark = pytest.mark.anyio

WHY_STOPPED = "The key was refused."
REASON = "The first 5 calls failed in the same way."


@pytest.fixture
def said() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(level: str, event: str, message: str, fields: Mapping[str, Any]) -> None:
        heard.append(event)

    telemetry.watch(hear)
    yield heard
    telemetry.unwatch(hear)


async def _paused(database: Database) -> QueueState:
    async with database.transaction() as connection:
        await queue_state.update(connection, running=True, paused_reason=REASON)
        return await queue_state.load(connection)


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_hold_that_is_read_before_it_is_said_is_said_by_who_put_it(
    database_url: str, tmp_path: Path, said: list[str], is_ours: bool
) -> None:
    async with program(database_url, tmp_path) as running:
        database = running.app.database
        breaker = QueueBreaker(database, SystemClock(), random.Random(1))
        hold = Hold(HoldKind.ALIKE, REASON, breaker.limiter_now_s() + 60)
        if is_ours:
            breaker.about_to_hold(REASON)
        breaker.believe(await _paused(database), hold, 0.0)
        for _ in range(3):
            await breaker.publish()
        assert said.count("queue_paused") == is_ours
        breaker.hold = None
        await breaker.publish()
        assert said.count("queue_resumed") == 1


async def _fails(database: Database) -> None:
    breaker = QueueBreaker(database, SystemClock(), random.Random(1))
    for _ in range(FAILURES_BEFORE_PAUSE):
        await breaker.unreachable("It does not answer.")


async def _answers_again(database: Database) -> None:
    breaker = QueueBreaker(database, SystemClock(), random.Random(1))
    breaker.believe(await _paused(database), None, 0.0)
    async with database.transaction() as connection:
        await stop(connection)
        await queue_state.update(connection, paused_reason=WHY_STOPPED)
    await breaker.publish()


async def _is_held(database: Database) -> None:
    async with database.transaction() as connection:
        await holds.put(connection, "openai", Hold(HoldKind.DAY, REASON, 60.0))


async def _is_no_longer_held(database: Database) -> None:
    await _is_held(database)
    async with database.transaction() as connection:
        await holds.lift(connection, "openai")


@pytest.mark.parametrize("late", [_fails, _answers_again, _is_held, _is_no_longer_held])
async def test_a_call_that_ends_after_the_queue_was_stopped_leaves_the_reason_alone(
    database_url: str,
    tmp_path: Path,
    said: list[str],
    late: Callable[[Database], Awaitable[None]],
) -> None:
    async with program(database_url, tmp_path) as running:
        database = running.app.database
        async with database.transaction() as connection:
            await queue_state.update(connection, running=True)
            await stop(connection, WHY_STOPPED)
        await late(database)
        assert await running.value("SELECT paused_reason FROM queue_state") == WHY_STOPPED
        assert not {"queue_paused", "queue_resumed"} & {*said}
