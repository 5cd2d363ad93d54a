"""Refusals, outages and dead accounts: waited out, or the queue stops and says why.

No product fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.simulation.trials import outage
from tests.support.application import AMPLE, RunningProgram, program, until
from weighbridge.clock import ScaledClock
from weighbridge.service.queue import start_queue, stop_queue
from weighbridge.simulator.config import Fault, FaultPlan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", [Fault.RATE, Fault.ERROR500, Fault.DROP, Fault.HTML])
async def test_calls_without_a_reply_are_retried_and_fail_no_product(
    database_url: str, tmp_path: Path, fault: Fault
) -> None:
    config = replace(AMPLE, faults=FaultPlan({fault: 0.3}), seed=5)
    async with program(database_url, tmp_path, config, clock=ScaledClock(100)) as running:
        await running.add_many(30)
        await running.start()
        await running.until(completed=30)
        assert running.simulator.books.faults[fault.value] > 0
        assert await running.value("SELECT max(attempts) FROM products") == 0
        await running.stop()
        await running.assert_sound()


async def test_queue_pauses_probes_and_resumes_around_an_outage(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(60)) as running:
        await running.add_many(60)
        running.simulator.account.change({"outage_for_s": 1_000_000})
        await running.start()
        await running.until_true("SELECT paused_reason IS NOT NULL FROM queue_state")
        assert "got no usable reply" in await running.value("SELECT paused_reason FROM queue_state")
        received = running.simulator.books.received
        await until(lambda: running.simulator.books.received >= received + 2, "two probes")
        running.simulator.account.change({"outage_for_s": 0})
        await running.until(completed=60)
        await running.until_true("SELECT paused_reason IS NULL FROM queue_state")
        # 12 groups, 3 calls each; the outage was probed by a few calls, not stormed by all.
        assert received < 30
        assert running.simulator.books.received < received + 3 * 12 + 20
        await running.stop()
        await running.assert_sound()


async def test_ten_hour_outage_fails_no_product_and_ends_within_a_minute(
    database_url: str, tmp_path: Path
) -> None:
    speed = 7_200
    found = await outage(database_url, tmp_path, away_s=36_000, speed=speed, products=20)
    assert (found.completed, found.failed) == (20, 0)
    # It was asked all the while: a probe every half minute, and what the machine takes for one,
    # make hundreds; a busy machine makes fewer.
    assert found.probes > 20
    # A second of this machine is two hours here: what it takes to run code is allowed for, and that
    # it did not run it. (Slower, and to the minute: python -m benchmarks.reliability outage)
    assert found.resumed_after_s < 60 + (0.75 + 2 * found.held_back_s) * speed


async def test_call_above_the_accounts_burst_is_split_then_fails_with_a_reason(
    database_url: str, tmp_path: Path
) -> None:
    """A bucket that never holds what one product needs; every call without it goes through."""
    huge = " ".join(f"word{n}" for n in range(1_800))
    async with program(database_url, tmp_path, clock=ScaledClock(200)) as running:
        await running.add_many(12)
        await running.add({"code": "HUGE", "description": huge})
        running.wire.instead = lambda request: (
            httpx2.Response(429, json=TOO_MANY_TOKENS) if b"word1799" in request.content else None
        )
        await running.start()
        await running.until(completed=12, failed=1)
        reason = await running.value("SELECT error FROM products WHERE code = 'HUGE'")
        assert "30 times in a row" in reason
        assert "Raise the account's limits" in reason
        assert await running.value("SELECT max(attempts) FROM products WHERE code <> 'HUGE'") == 0
        await running.stop()
        await running.assert_sound()


async def test_call_above_the_limit_in_the_providers_headers_is_split_until_it_fits(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(200)) as running:
        await running.add_many(4)
        headers = {
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "1000",
            "x-ratelimit-reset-tokens": "0s",
        }
        running.wire.instead = lambda request: (
            httpx2.Response(429, json=TOO_MANY_TOKENS, headers=headers)
            if request.content.count(b"edition") > 1
            else None
        )
        await running.start()
        await running.until(completed=4)
        assert running.simulator.books.completed == 4 * 3
        await running.stop()
        await running.assert_sound()


TOO_MANY_TOKENS = {
    "error": {
        "message": "Rate limit reached on tokens per min (TPM). Please try again in 500ms.",
        "type": "tokens",
        "code": "rate_limit_exceeded",
    }
}


WRONG_KEY = httpx2.Response(
    401, json={"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}
)
NO_CREDIT = httpx2.Response(
    429,
    json={
        "error": {
            "message": "You exceeded your current quota",
            "type": "insufficient_quota",
            "code": "insufficient_quota",
        }
    },
)
NO_MODEL = httpx2.Response(
    404, json={"error": {"message": "The model does not exist", "code": "model_not_found"}}
)


@pytest.mark.parametrize(
    ("answer", "error", "word"),
    [
        (WRONG_KEY, "AuthenticationFailed", "key"),
        (NO_CREDIT, "QuotaExhausted", "credit"),
        (NO_MODEL, "ModelUnknown", "model"),
    ],
)
async def test_account_without_credit_stops_the_queue_and_releases_products(
    database_url: str, tmp_path: Path, answer: httpx2.Response, error: str, word: str
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(60)
        running.wire.instead = lambda _: (
            httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
            if running.simulator.books.received >= 5
            else None
        )
        await running.start()
        await running.until_true("SELECT NOT running FROM queue_state")
        await running.until_true("SELECT count(*) = 0 FROM products WHERE status = 'processing'")
        assert word in (await running.value("SELECT paused_reason FROM queue_state")).lower()
        assert await running.value("SELECT count(*) FROM products WHERE status = 'failed'") == 0
        assert await running.value("SELECT count(*) FROM calls WHERE outcome = $1", error) >= 1
        running.wire.instead = lambda _: None
        await start_queue(running.app.database)
        await running.until(completed=60)
        await running.stop()
        await running.assert_sound()


async def test_no_call_starts_after_stop_and_nothing_stays_processing(
    database_url: str, tmp_path: Path
) -> None:
    config = replace(AMPLE, latency_s=0.1)
    async with program(database_url, tmp_path, config) as running:
        await running.add_many(150)
        await running.start()
        await until(lambda: running.simulator.books.completed > 20, "work is under way")
        await stop_queue(running.app.database)
        granted = running.engine.supervisor.in_flight
        at_return = running.simulator.books
        sent, in_flight = at_return.received, at_return.in_flight
        await running.until_true("SELECT count(*) = 0 FROM products WHERE status = 'processing'")
        # What had leave before the stop may still be on its way to the provider; nothing else
        # begins.
        assert running.simulator.books.received - sent <= max(0, granted - in_flight)
        await running.until_true("SELECT count(*) = 0 FROM pgqueuer")
        await _assert_stopped(running)
        await start_queue(running.app.database)
        await running.until(completed=150)
        await running.stop()
        await running.assert_sound()


async def _assert_stopped(running: RunningProgram) -> None:
    received = running.simulator.books.received
    await running.add({"code": "LATE"})
    await running.fetch("NOTIFY weighbridge")
    await running.fetch("SELECT pg_sleep(0.5)")  # several looks of the dispatcher
    assert running.simulator.books.received == received
    assert await running.value("SELECT status FROM products WHERE code = 'LATE'") == "pending"
    await running.fetch("DELETE FROM products WHERE code = 'LATE'")
