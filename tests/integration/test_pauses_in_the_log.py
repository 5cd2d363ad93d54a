"""A pause is logged by the process that makes it, once, whoever reads it first."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import program
from weighbridge import telemetry
from weighbridge.clock import SystemClock
from weighbridge.engine.quota.circuit_breaker import QueueBreaker
from weighbridge.store import queue_state
from weighbridge.store.holds import Hold, HoldKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from weighbridge.store.database import Database
    from weighbridge.store.queue_state import QueueState

pytestmark = pytest.mark.anyio

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
        await queue_state.update(connection, paused_reason=REASON)
        return replace(await queue_state.load(connection), running=True)


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
