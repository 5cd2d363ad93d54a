"""The whole program against a provider that answers oddly: faults are charged to whom they belong,
and nobody pays for them.
"""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.application import RunningProgram, program
from weighbridge import telemetry
from weighbridge.cli.console import money
from weighbridge.clock import ScaledClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.engine.quota.circuit_breaker import QueueBreaker
from weighbridge.service.queue import start_queue
from weighbridge.service.results import iterate_results
from weighbridge.store import calls, holds, queue_state
from weighbridge.store.holds import Hold, HoldKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.anyio

INVALID = {"error": {"code": 400, "message": "Request contains an invalid argument."}}
NO_JSON = {"error": {"code": "json_validate_failed", "message": "Failed to generate JSON."}}
NO_PICTURE = {"error": {"code": "invalid_image_url", "message": "Timeout while downloading it."}}
DAY = {"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached on requests per day (RPD): Limit 200. Please try again in 7m12s."}}  # fmt: skip
PAGE = "<html><title>403 Forbidden</title></html>"


def said(status: int, body: Any) -> httpx2.Response:
    return httpx2.Response(status, json=body)


def first(
    number: int, answer: Callable[[], httpx2.Response]
) -> Callable[[httpx2.Request], httpx2.Response | None]:
    """The first calls are answered so, the others by the simulator."""
    return _answered(lambda seen: seen <= number, answer)


def after(
    number: int, answer: Callable[[], httpx2.Response]
) -> Callable[[httpx2.Request], httpx2.Response | None]:
    """The first calls are answered by the simulator, the others so."""
    return _answered(lambda seen: seen > number, answer)


def _answered(
    is_so: Callable[[int], bool], answer: Callable[[], httpx2.Response]
) -> Callable[[httpx2.Request], httpx2.Response | None]:
    seen = 0

    def instead(request: httpx2.Request) -> httpx2.Response | None:
        nonlocal seen
        if request.method != "POST":
            return None
        seen += 1
        return answer() if is_so(seen) else None

    return instead


async def calls_made(running: RunningProgram) -> int:
    return int(await running.value("SELECT count(*) FROM calls"))


def _refusing(_: bytes, reply: bytes) -> bytes:
    body = json.loads(reply)
    body["choices"][0]["message"] |= {"content": None, "refusal": "I cannot help with that."}
    return json.dumps(body).encode()


def _cut(_: bytes, reply: bytes) -> bytes:
    body = json.loads(reply)
    body["choices"][0]["message"]["content"] = '{"products": [{"code": "P-0'
    return json.dumps(body).encode()


@pytest.fixture
def pauses() -> Iterator[list[str]]:
    """What the log says of pauses and their ends."""
    heard: list[str] = []

    def hear(level: str, event: str, message: str, fields: Mapping[str, Any]) -> None:
        if event in {"queue_paused", "queue_resumed"}:
            heard.append(message)

    telemetry.watch(hear)
    yield heard
    telemetry.unwatch(hear)


def _assert_said_once(pauses: list[str]) -> None:
    assert any("Queue paused" in said for said in pauses)
    assert [a for a, b in pairwise(pauses) if a == b] == []


async def test_a_provider_that_refuses_everything_for_a_while_fails_nobody_and_says_so_once(
    database_url: str, tmp_path: Path, pauses: list[str]
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(60)
        running.wire.instead = first(14, lambda: said(400, INVALID))
        await running.start()
        await running.until(completed=60)
        assert await running.value("SELECT paused_reason IS NULL AND running FROM queue_state")
        await running.stop()
        await running.assert_sound()
    _assert_said_once(pauses)


async def test_a_provider_that_turns_bad_while_slow_answers_are_on_their_way_fails_nobody(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(200)
        running.wire.instead = after(14, lambda: said(400, INVALID))
        await running.start()
        await running.until_true("SELECT EXISTS (SELECT FROM holds)")
        running.wire.instead = lambda _: None
        await running.until(completed=200)
        await running.stop()
        await running.assert_sound()


async def test_a_provider_that_turns_bad_among_hard_products_fails_only_the_hard_ones(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add(
            *(
                {"code": f"P-{n:03}", "description": f"A bottle {n} {'POISON' * (n % 5 == 2)}"}
                for n in range(200)
            )
        )
        running.wire.instead = after(60, lambda: said(400, INVALID))
        await running.start()
        await running.until_true("SELECT EXISTS (SELECT FROM holds)")
        running.wire.instead = lambda _: None
        await running.until(completed=160, failed=40)
        kinds = await running.fetch("SELECT DISTINCT error_kind FROM products WHERE error <> ''")
        assert [row["error_kind"] for row in kinds] == ["AnswerMalformed"]
        await running.stop()
        await running.assert_sound()


async def test_products_that_spoil_every_first_call_fail_alone(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add(
            *(
                {"code": f"P-{n:03}", "description": f"A {n} {'POISON-REFUSE' * (n % 5 == 2)}"}
                for n in range(150)
            )
        )
        await running.start()
        await running.until(completed=120, failed=30)
        await running.stop()
        await running.assert_sound()


async def test_a_provider_that_refuses_everything_for_good_stops_the_queue_in_its_own_words(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(60)
        running.wire.instead = lambda request: (
            said(400, INVALID) if request.method == "POST" else None
        )
        await running.start()
        await running.until_true("SELECT NOT running FROM queue_state")
        reason = await running.value("SELECT paused_reason FROM queue_state")
        assert "Request contains an invalid argument" in reason
        await running.until_true("SELECT bool_and(status = 'pending') FROM products")
        assert await calls_made(running) < 60


async def test_a_probe_that_is_refused_shows_no_product_as_failed(
    database_url: str, tmp_path: Path
) -> None:
    failures: list[str] = []

    def hear(level: str, event: str, message: str, fields: Mapping[str, Any]) -> None:
        if event == "product_failed":
            failures.append(message)

    telemetry.watch(hear)
    try:
        async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
            await running.add_many(2, alone=True)
            running.wire.instead = lambda request: (
                said(400, INVALID) if request.method == "POST" else None
            )
            await start_queue(running.app.database)
            async with running.app.database.transaction() as connection:
                await holds.put(connection, "simulator", Hold(HoldKind.ALIKE, "All bad", 0.0))
            await running.work()
            await running.until_true("SELECT NOT running FROM queue_state")
            await running.until_true("SELECT bool_and(status = 'pending') FROM products")
            assert await calls_made(running) > 1
    finally:
        telemetry.unwatch(hear)
    assert failures == []


@pytest.mark.parametrize("twist", [_refusing, _cut])
async def test_replies_of_no_use_to_everything_are_not_paid_for_one_by_one(
    database_url: str, tmp_path: Path, twist: Callable[[bytes, bytes], bytes]
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(100)
        running.wire.twist = twist
        await running.start()
        await running.until_true("SELECT EXISTS (SELECT FROM holds)")
        running.wire.twist = None
        await running.until(completed=100)
        assert await running.value("SELECT count(*) FROM calls WHERE unusable IS NOT NULL") < 80


async def test_a_try_that_the_provider_threw_away_is_made_again(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(10)
        running.wire.instead = first(2, lambda: said(400, NO_JSON))
        await running.start()
        await running.until(completed=10)
        assert await running.value("SELECT max(cardinality(product_ids)) FROM calls") == 5


async def test_a_firewall_costs_the_product_that_it_objects_to(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(12)
        await running.add({"code": "W-3", "description": "T-shirt <script>track()</script>"})

        def firewall(request: httpx2.Request) -> httpx2.Response | None:
            blocked = b"<script" in request.content and request.method == "POST"
            return (
                httpx2.Response(403, text=PAGE, headers={"content-type": "text/html"})
                if blocked
                else None
            )

        running.wire.instead = firewall
        await running.engine.provider.check()
        await running.start()
        await running.until(completed=12, failed=1)
        error = await running.value("SELECT error FROM products WHERE code = 'W-3'")
        assert "firewall in front of the provider blocked" in error


async def test_a_picture_out_of_reach_costs_the_picture(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add({"code": "P-1", "image_url": "https://shop.example/gone.jpg"})
        running.wire.instead = lambda request: (
            said(400, NO_PICTURE) if b"gone.jpg" in request.content else None
        )
        await running.start()
        await running.until(completed=1)


@pytest.mark.parametrize("required", ["ask", "fail"])
async def test_a_picture_that_makes_the_request_too_large_costs_the_picture(
    database_url: str, tmp_path: Path, required: str
) -> None:
    clock = ScaledClock(20)
    async with program(database_url, tmp_path, clock=clock, missing_picture=required) as running:
        await running.add({"code": "P-1", "image_url": "https://shop.example/large.jpg"})
        await running.add({"code": "P-2"})
        page = "<html><title>413 Request Entity Too Large</title></html>"
        running.wire.instead = lambda request: (
            httpx2.Response(413, text=page, headers={"content-type": "text/html"})
            if b"large.jpg" in request.content
            else None
        )
        await running.start()
        if required == "fail":
            await running.until(completed=1, failed=1)
            return
        await running.until(completed=2)
        rows = iterate_results(
            running.app.database, running.app.taxonomy, running.app.questions.steps
        )
        notes = {row.code: row.notes async for some in rows for row in some}
        assert any("413 Request Entity Too Large" in note for note in notes["P-1"])
        assert not any("413" in note for note in notes["P-2"])


async def test_a_limit_of_the_day_pauses_the_queue_until_its_reset_and_is_not_asked_again_meanwhile(
    database_url: str, tmp_path: Path, pauses: list[str]
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(100)) as running:
        await running.add_many(10)
        running.wire.instead = first(2, lambda: said(429, DAY))
        await running.start()
        await running.until_true("SELECT paused_reason LIKE '%requests per day%' FROM queue_state")
        await running.until(completed=10)
        assert await running.value("SELECT count(*) FROM calls WHERE outcome <> 'ok'") <= 2
    _assert_said_once(pauses)


async def test_a_pause_is_said_once_though_what_was_read_before_it_arrives_after_it(
    database_url: str, tmp_path: Path, pauses: list[str]
) -> None:
    async with program(database_url, tmp_path) as running:
        await start_queue(running.app.database)
        breaker = QueueBreaker(running.app.database, ScaledClock(1), Random(0))
        for hold in (Hold(HoldKind.DAY, "The limit of the day", until_s=1e9), None):
            async with running.app.database.transaction() as connection:
                before = await queue_state.load(connection)
            breaker.hold = hold
            await asyncio.gather(*(breaker.publish() for _ in range(5)))
            breaker.believe(before, hold, now_s=0.0)
            await breaker.publish()
    assert len(pauses) == 2
    _assert_said_once(pauses)


async def test_nothing_remaining_for_six_hours_on_every_answer_is_shown_as_the_reason_of_the_wait(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(30)
        running.wire.headers = {
            "x-ratelimit-limit-requests": "200",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6h0m0s",
        }
        await running.start()
        await running.until_true(
            "SELECT paused_reason LIKE '%its rate limit is used up%' FROM queue_state"
        )
        counts = await running.counts()
        assert counts[ProcessingStatus.FAILED] == 0
        assert await running.value("SELECT running FROM queue_state")


async def test_a_limit_of_the_day_that_was_set_is_never_crossed(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, requests_per_day=4) as running:
        await running.add_many(30)
        await running.start()
        await running.until_true("SELECT paused_reason LIKE '%00:00 UTC%' FROM queue_state")
        assert running.simulator.books.admitted == 4
        counts = await running.counts()
        assert counts[ProcessingStatus.FAILED] == 0


async def test_calls_that_time_out_again_and_again_become_smaller_then_longer_then_fail(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(500)) as running:
        await running.add_many(5)

        def silent(request: httpx2.Request) -> httpx2.Response | None:
            if request.method == "POST":
                raise httpx2.ReadTimeout("nothing was received in time", request=request)
            return None

        running.wire.instead = silent
        await running.start()
        await running.until(failed=5)
        error = await running.value("SELECT error FROM products LIMIT 1")
        assert "WEIGHBRIDGE_CALL_TIMEOUT_S" in error


def _in_grams(_: bytes, reply: bytes) -> bytes:
    body = json.loads(reply)
    message = body["choices"][0]["message"]
    content = json.loads(message["content"])
    for entry in content["products"]:
        for line in entry.get("materials", ()):
            line["mass_kg"] *= 1000
    message["content"] = json.dumps(content)
    return json.dumps(body).encode()


async def test_no_product_completes_from_masses_in_grams_not_even_one_without_a_weight(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(4, weight_kg=0.4)
        await running.add({"code": "V-9", "name": "Glass vase", "description": "A vase of glass"})
        running.wire.twist = _in_grams
        await running.start()
        await running.until(failed=5)
        errors = await running.fetch("SELECT error FROM products")
        assert all("grams" in row["error"] for row in errors)


async def test_a_server_that_cuts_prompts_is_said_and_the_queue_stops(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(60)

        def cut(_: bytes, reply: bytes) -> bytes:
            body = json.loads(reply)
            body["usage"] = {"prompt_tokens": 2048, "completion_tokens": 500}
            return json.dumps(body).encode()

        running.wire.twist = cut
        await running.start()
        await running.until_true("SELECT NOT running FROM queue_state")
        reason = await running.value("SELECT paused_reason FROM queue_state")
        assert "may cut prompts at 2,048 tokens" in reason


def _in_a_tier_without_a_price(_: bytes, reply: bytes) -> bytes:
    return json.dumps({**json.loads(reply), "service_tier": "scale"}).encode()


async def test_what_calls_without_a_known_price_cost_is_unknown_and_never_0(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        running.wire.twist = _in_a_tier_without_a_price
        await running.start()
        await running.until(completed=5)
        assert await running.value("SELECT count(*) > 0 AND NOT bool_or(price_known) FROM calls")
        async with running.app.database.pool.acquire() as connection:
            totals = await calls.totals(connection)
        assert totals.known_cost_usd is None
        assert "unknown" in money(totals.cost_usd, totals.unpriced_calls)
        rows = [row async for rows in iterate_results(
            running.app.database, running.app.taxonomy, running.app.questions.steps, None
        ) for row in rows]  # fmt: skip
        assert [row.cost_usd for row in rows] == [None] * 5


async def test_a_product_that_the_server_never_answers_fails_alone_and_ends_the_run(
    database_url: str, tmp_path: Path
) -> None:
    def crashing(request: httpx2.Request) -> httpx2.Response | None:
        if request.method == "POST" and b"POISON" in request.content:
            return said(500, {"error": {"message": "llama runner process has terminated"}})
        return None

    async with program(database_url, tmp_path, clock=ScaledClock(100)) as running:
        await running.add(
            *(
                {"code": f"P-{n:03}", "description": f"A bottle {n} {'POISON' * (n == 7)}"}
                for n in range(60)
            )
        )
        running.wire.instead = crashing
        await running.start()
        await running.until(completed=59, failed=1)
        error = await running.value("SELECT error FROM products WHERE code = 'P-007'")
        assert "runner process has terminated" in error
        assert "other calls succeeded" in error
        await running.stop()
        await running.assert_sound()
