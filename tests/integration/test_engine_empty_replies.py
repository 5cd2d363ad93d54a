"""Replies without text, and firewalls that block calls once the key has worked: the provider's
faults, waited out in bounded time and for little money; a product that alone draws them is named.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.application import RunningProgram, program
from weighbridge.clock import ScaledClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Ray ID: 8f2</body></html>"


def _challenge() -> httpx2.Response:
    headers = {"content-type": "text/html; charset=UTF-8", "cf-mitigated": "challenge"}
    return httpx2.Response(403, text=CHALLENGE, headers=headers)


def _blocking(
    is_blocked: Callable[[int, bytes], bool],
) -> Callable[[httpx2.Request], httpx2.Response | None]:
    """A firewall that is told the number and the body of each question."""
    seen = 0

    def instead(request: httpx2.Request) -> httpx2.Response | None:
        nonlocal seen
        if request.method != "POST":
            return None
        seen += 1
        return _challenge() if is_blocked(seen, request.content) else None

    return instead


def _with_message(**fields: Any) -> Callable[[bytes, bytes], bytes]:
    def twist(_: bytes, reply: bytes) -> bytes:
        body = json.loads(reply)
        body["choices"][0]["message"] |= fields
        return json.dumps(body).encode()

    return twist


def _without_choices(_: bytes, reply: bytes) -> bytes:
    return json.dumps({**json.loads(reply), "choices": []}).encode()


async def _assert_stopped_without_failures(running: RunningProgram, words: str) -> None:
    await running.until_true("SELECT NOT running FROM queue_state")
    assert words in await running.value("SELECT paused_reason FROM queue_state")
    await running.until_true("SELECT bool_and(status IN ('pending', 'completed')) FROM products")


async def _assert_costs_agree(running: RunningProgram) -> None:
    """What the calls have cost is what the products have cost."""
    difference = await running.value(
        "SELECT (SELECT sum(cost_usd) FROM calls) - (SELECT sum(spent_usd) FROM products)"
        " - (SELECT coalesce(sum(cost_usd), 0) FROM answers)"
    )
    assert abs(difference) < 1e-8


@pytest.mark.parametrize(
    "twist",
    [
        _with_message(content=""),
        _with_message(content=None),
        _with_message(content=" \n\n "),
        _with_message(content=[]),
        _without_choices,
    ],
    ids=["no characters", "null", "blank", "no parts", "no choices"],
)
async def test_a_provider_that_answers_with_nothing_stops_the_queue_after_some_minutes(
    database_url: str, tmp_path: Path, twist: Callable[[bytes, bytes], bytes]
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(200)) as running:
        await running.add_many(60)
        running.wire.twist = twist
        await running.start()
        await _assert_stopped_without_failures(running, "empty, and was billed")
        assert await running.value("SELECT count(*) FROM calls") < 60
        assert await running.value("SELECT sum(cost_usd) > 0 AND bool_and(price_known) FROM calls")
        await _assert_costs_agree(running)


async def test_nothing_but_reasoning_stops_the_queue_at_once_and_says_what_to_change(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(60)
        running.wire.twist = _with_message(content=None, reasoning_content="First, the bottle.")
        await running.start()
        await _assert_stopped_without_failures(running, "reasoning_content")


async def test_nothing_but_reasoning_now_and_then_is_a_bad_moment(
    database_url: str, tmp_path: Path
) -> None:
    seen = 0

    def now_and_then(request: bytes, reply: bytes) -> bytes:
        nonlocal seen
        seen += 1
        only_reasoning = _with_message(content=None, reasoning_content="First, the bottle.")
        return only_reasoning(request, reply) if 12 < seen <= 15 else reply

    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(100)
        running.wire.twist = now_and_then
        await running.start()
        await running.until(completed=100)
        await _assert_costs_agree(running)


async def test_a_while_of_empty_replies_is_waited_out(database_url: str, tmp_path: Path) -> None:
    seen = 0

    def at_first(request: bytes, reply: bytes) -> bytes:
        nonlocal seen
        seen += 1
        return _with_message(content="")(request, reply) if seen <= 14 else reply

    async with program(database_url, tmp_path, clock=ScaledClock(50)) as running:
        await running.add_many(10)
        running.wire.twist = at_first
        await running.start()
        await running.until(completed=10)
        assert await running.value("SELECT max(attempts) FROM products") == 0
        assert await running.value("SELECT min(cardinality(product_ids)) FROM calls") == 5
        await _assert_costs_agree(running)


async def test_products_that_are_answered_with_nothing_fail_by_name_and_the_others_complete(
    database_url: str, tmp_path: Path
) -> None:
    def filtered(request: bytes, reply: bytes) -> bytes:
        return _with_message(content="")(request, reply) if b"FILTERED" in request else reply

    async with program(database_url, tmp_path, clock=ScaledClock(100)) as running:
        await running.add(
            *(
                {"code": f"P-{n:03}", "description": f"A bottle {n} {'FILTERED' * (n % 11 == 2)}"}
                for n in range(100)
            )
        )
        running.wire.twist = filtered
        await running.start()
        await running.until(completed=91, failed=9)
        failures = await running.fetch("SELECT error, description FROM products WHERE error <> ''")
        assert all("empty completion" in row["error"] for row in failures)
        assert all("FILTERED" in row["description"] for row in failures)
        empty = "SELECT count(*) FROM calls WHERE outcome = 'EmptyReply'"
        assert await running.value(empty) < 9 * 30
        await _assert_costs_agree(running)
        await running.stop()
        await running.assert_sound(paid_twice=1_000)  # the empty replies


@pytest.mark.parametrize("passing", [0, 3, 30])
async def test_a_firewall_that_blocks_everything_once_the_key_has_worked_stops_the_queue(
    database_url: str, tmp_path: Path, passing: int
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(50)) as running:
        await running.add_many(100)
        running.wire.instead = _blocking(lambda number, _: number > passing)
        await running.engine.provider.check()
        await running.start()
        await _assert_stopped_without_failures(running, "Just a moment")


async def test_a_page_in_the_place_of_an_answer_before_a_key_has_worked_asks_for_the_key(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(60)
        running.wire.instead = _blocking(lambda *_: True)
        await running.start()
        await _assert_stopped_without_failures(running, "Check OPENAI_API_KEY")


async def test_a_product_that_a_firewall_blocks_now_and_then_is_not_given_up_for_it(
    database_url: str, tmp_path: Path
) -> None:
    times = 0

    def thrice(_: int, body: bytes) -> bool:
        nonlocal times
        times += b"P-007" in body
        return b"P-007" in body and times <= 3

    async with program(database_url, tmp_path, clock=ScaledClock(20)) as running:
        await running.add_many(20)
        running.wire.instead = _blocking(thrice)
        await running.engine.provider.check()
        await running.start()
        await running.until(completed=20)


async def test_products_that_a_firewall_always_blocks_fail_by_name_and_the_others_complete(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, clock=ScaledClock(50)) as running:
        await running.add(
            *(
                {"code": f"P-{n:03}", "description": f"A bottle {n} {'<script>' * (n % 11 == 2)}"}
                for n in range(60)
            )
        )
        running.wire.instead = _blocking(lambda _, body: b"<script>" in body)
        await running.engine.provider.check()
        await running.start()
        await running.until(completed=54, failed=6)
        failures = await running.fetch("SELECT error, description FROM products WHERE error <> ''")
        assert all("firewall" in row["error"] for row in failures)
        assert all("<script>" in row["description"] for row in failures)
        await running.stop()
        await running.assert_sound()
