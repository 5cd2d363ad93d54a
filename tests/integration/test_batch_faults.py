"""What can go wrong with files and batches at the provider, one kind at a time."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from contextlib import aclosing
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from PIL import Image
from typing_extensions import override

from tests.integration.test_batches import CONFIG, add, assert_paid_exactly, bill_usd, lane
from tests.support.application import RunningProgram, until
from tests.support.crash import bomb
from tests.support.picture_shop import picture
from weighbridge.clock import SystemClock
from weighbridge.fetching.decoding import PictureDecoder
from weighbridge.fetching.pictures import PictureFetcher
from weighbridge.fetching.source import PicturesByAddress
from weighbridge.service.budgets import read_budgets
from weighbridge.service.queue import start_queue
from weighbridge.simulator.config import SimulatorConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

PRODUCTS = 25
"""Five requests of five products."""
Lines = list[bytes]


def on_result_files(change: Callable[[Lines], Lines]) -> Callable[[bytes, bytes], bytes]:
    """Changes the lines of every file that is downloaded, and nothing else."""

    def twist(asked: bytes, body: bytes) -> bytes:
        if asked or not body.startswith(b'{"id":"batch_req_'):
            return body
        return b"\n".join(change(body.splitlines())) + b"\n"

    return twist


def once(change: Callable[[Lines], Lines]) -> Callable[[Lines], Lines]:
    """Only in the first file that is downloaded."""
    left = [change]
    return lambda lines: left.pop()(lines) if left else lines


def with_body(line: bytes, status: int, body: object) -> bytes:
    row = json.loads(line)
    row["response"] = {"status_code": status, "request_id": "req_changed", "body": body}
    return json.dumps(row).encode()


def is_download(request: httpx2.Request) -> bool:
    return request.url.path.endswith("/content")


def failing(
    answer: httpx2.Response, times: int, is_meant: Callable[[httpx2.Request], bool]
) -> Callable[[httpx2.Request], httpx2.Response | None]:
    """Answers the first `times` of these requests in the place of the provider."""
    left = [answer] * times
    return lambda request: left.pop() if left and is_meant(request) else None


async def finish(running: RunningProgram, products: int = PRODUCTS) -> None:
    await running.until(completed=products)
    await running.until_true("SELECT bool_and(state IN ('collected', 'discarded')) FROM batches")
    assert running.simulator.books.received == 0
    assert running.simulator.books.batches_repeated == 0
    assert await running.value("SELECT count(*) FROM open_calls") == 0


async def committed_usd(running: RunningProgram) -> float:
    (budget,) = await read_budgets(running.app.database, running.app.clock)
    return budget.committed_usd


def odd(lines: Lines) -> Lines:
    """Nothing of it is missing, and nothing of it is as it should be."""
    stranger = lines[0].replace(b'"custom_id":"', b'"custom_id":"unknown-')
    failed = with_body(lines[-1], 500, {"error": {"message": "later"}})
    return [b"{}", failed, stranger, *reversed(lines), b"[1]", b"not JSON", b"\xff\xfe", *lines]


async def test_odd_lines_in_result_files_neither_lose_nor_repeat_a_reply(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(database_url, tmp_path, ask_together=True) as running:
        running.wire.twist = on_result_files(odd)
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batch_requests == 5
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


def spoiled(lines: Lines) -> Lines:
    """One line is cut off, one left out, and one has a status that is none."""
    no_status = lines[2].replace(b'"status_code":200', b'"status_code":"200"')
    return [lines[0][: len(lines[0]) // 2], no_status, *lines[3:]]


async def test_replies_that_cannot_be_read_are_asked_again_and_their_money_stays_committed(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(database_url, tmp_path, ask_together=True, budget_per_month=1) as running:
        running.wire.twist = on_result_files(once(spoiled))
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batch_requests == 5 + 3
        recorded = await running.value("SELECT sum(cost_usd) FROM calls")
        assert recorded < bill_usd(running) <= await committed_usd(running)
        await running.stop()
        await running.assert_sound(paid_twice=15)


NO_COMPLETIONS: list[object] = [None, [], "text", {"choices": [{"message": {}}]}, {"error": "down"}]


async def test_replies_that_are_no_completions_are_asked_again(
    database_url: str, tmp_path: Path
) -> None:
    def empty(lines: Lines) -> Lines:
        return [
            with_body(line, 200, body) for line, body in zip(lines, NO_COMPLETIONS, strict=True)
        ]

    async with lane(database_url, tmp_path, ask_together=True) as running:
        running.wire.twist = on_result_files(once(empty))
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        await running.stop()
        await running.assert_sound(paid_twice=PRODUCTS)


def without_words() -> Callable[[Lines], Lines]:
    """Empties each reply of the first file, however often it is downloaded; they are billed."""
    first = set[str]()

    def empty(lines: Lines) -> Lines:
        rows = [json.loads(line) for line in lines]
        if not first:
            first.update(row["custom_id"] for row in rows)
        for row in rows:
            if row["custom_id"] in first:
                row["response"]["body"]["choices"][0]["message"]["content"] = ""
        return [json.dumps(row).encode() for row in rows]

    return empty


@pytest.mark.parametrize("at_commit", range(1, 19))
async def test_a_crash_at_any_commit_pays_for_an_empty_reply_once(
    database_url: str, tmp_path: Path, at_commit: int
) -> None:
    settings: dict[str, Any] = {"ask_together": True, "budget_per_month": 1}
    twist = on_result_files(without_words())
    async with lane(database_url, tmp_path, **settings) as dead:
        dead.wire.twist = twist
        await add(dead, PRODUCTS)
        await start_queue(dead.app.database)
        async with bomb(database_url) as charge:
            await charge.arm(at_commit)
            await dead.work()
            await until(charge.has_exploded_or_all_is_done, "the commit was reached")
            await dead.die()
            await charge.disarm()
    async with lane(database_url, tmp_path, simulator=dead.simulator, **settings) as heir:
        heir.wire.twist = twist
        await heir.take_for_dead(dead)
        await heir.start()
        await finish(heir)
        assert heir.simulator.books.batch_requests == 5 + 5
        assert await heir.value("SELECT count(*) FROM calls") == 5 + 5
        await assert_paid_exactly(heir)
        assert await committed_usd(heir) == pytest.approx(bill_usd(heir), abs=1e-6)
        assert await heir.value("SELECT sum(spent_usd) FROM products") == pytest.approx(
            bill_usd(heir) / 2, rel=0.5
        )
        await heir.stop()
        await heir.assert_sound(paid_twice=PRODUCTS)


async def test_a_batch_without_its_output_file_is_asked_again_and_its_money_stays_committed(
    database_url: str, tmp_path: Path
) -> None:
    gone = httpx2.Response(404, json={"error": {"message": "No such File object"}})
    async with lane(database_url, tmp_path, ask_together=True, budget_per_month=1) as running:
        running.wire.instead = failing(gone, 1, is_download)
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batch_requests == 10
        assert bill_usd(running) <= await committed_usd(running)
        await running.stop()
        await running.assert_sound(paid_twice=PRODUCTS)


async def test_a_batch_that_the_provider_has_forgotten_is_asked_again_and_its_money_stays_committed(
    database_url: str, tmp_path: Path
) -> None:
    gone = httpx2.Response(404, json={"error": {"message": "No batch found"}})
    async with lane(database_url, tmp_path, ask_together=True, budget_per_month=1) as running:
        first = "/v1/batches/batch_sim000001"
        running.wire.instead = failing(gone, 1, lambda request: request.url.path == first)
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batches == 2
        assert bill_usd(running) <= await committed_usd(running)
        await running.stop()


@pytest.mark.parametrize("times", [2, 1000])
async def test_a_web_page_in_place_of_the_results_is_waited_out_for_some_minutes(
    database_url: str, tmp_path: Path, times: int
) -> None:
    page = httpx2.Response(200, content=b"<html>\nthe gateway is busy\n</html>")
    first = "file-sim000002/content"
    async with lane(database_url, tmp_path, ask_together=True) as running:
        running.wire.instead = failing(page, times, lambda asked: asked.url.path.endswith(first))
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batches == (1 if times == 2 else 2)
        await running.stop()


async def test_a_cancelled_batch_keeps_its_replies_and_the_rest_goes_into_the_next(
    database_url: str, tmp_path: Path
) -> None:
    async with lane(
        database_url, tmp_path, replace(CONFIG, batch_delay_s=20.0), ask_together=True
    ) as running:
        await add(running, 100)
        await running.start()
        await until(lambda: running.simulator.books.batch_requests >= 4, "some are answered")
        async with httpx2.AsyncClient(transport=running.simulator.transport()) as client:
            answer = await client.post(
                "http://simulator.invalid/v1/batches/batch_sim000001/cancel",
                headers={"authorization": "Bearer sk-test"},
            )
        assert answer.status_code == 200
        running.simulator.account.change({"batch_delay_s": 1.0})
        await finish(running, 100)
        ends = await running.fetch("SELECT error FROM batches ORDER BY id")
        assert [row["error"] for row in ends] == ["cancelled", "completed"]
        assert running.simulator.books.batch_requests == 20
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


OPERATIONS: dict[str, Callable[[httpx2.Request], bool]] = {
    "upload": lambda request: (request.method, request.url.path) == ("POST", "/v1/files"),
    "create": lambda request: (request.method, request.url.path) == ("POST", "/v1/batches"),
    "look": lambda request: request.url.path.startswith("/v1/batches/"),
    "download": is_download,
}


@pytest.mark.parametrize("status", [429, 500])
async def test_files_and_batches_are_tried_again_when_the_provider_has_no_time_or_fails(
    database_url: str, tmp_path: Path, status: int
) -> None:
    refusal = httpx2.Response(
        status, json={"error": {"message": "not now"}}, headers={"retry-after": "3"}
    )
    async with lane(database_url, tmp_path, ask_together=True) as running:
        each = [failing(refusal, 2, is_meant) for is_meant in OPERATIONS.values()]
        running.wire.instead = lambda request: next(
            filter(None, (one(request) for one in each)), None
        )
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batches == 1
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


@pytest.mark.parametrize("operation", ["upload", "create"])
async def test_what_the_provider_refuses_for_good_stops_the_queue_with_its_words(
    database_url: str, tmp_path: Path, operation: str
) -> None:
    refusal = httpx2.Response(400, json={"error": {"message": "This project takes no files."}})
    async with lane(database_url, tmp_path, ask_together=True) as running:
        running.wire.instead = failing(refusal, 1_000, OPERATIONS[operation])
        await add(running, PRODUCTS)
        await running.start()
        await running.until_true("SELECT NOT running FROM queue_state")
        reason = await running.value("SELECT paused_reason FROM queue_state")
        assert "This project takes no files." in reason
        await running.until_true("SELECT bool_and(status = 'pending') FROM products")
        assert await running.value("SELECT count(*) FROM open_calls") == 0
        await running.stop()
        await running.assert_sound()


async def test_an_uploaded_file_that_is_gone_is_uploaded_again(
    database_url: str, tmp_path: Path
) -> None:
    refusal = httpx2.Response(400, json={"error": {"message": "No such File object"}})
    async with lane(database_url, tmp_path, ask_together=True) as running:
        running.wire.instead = failing(refusal, 1, OPERATIONS["create"])
        await add(running, PRODUCTS)
        await running.start()
        await finish(running)
        assert running.simulator.books.batches == 1
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_a_batch_whose_results_cannot_be_fetched_keeps_no_other_from_its_turn(
    database_url: str, tmp_path: Path
) -> None:
    down = httpx2.Response(500, json={"error": {"message": "storage is down"}})
    first = "file-sim000002/content"
    settings: dict[str, Any] = {"ask_together": True}
    async with lane(database_url, tmp_path, **settings) as running:
        running.wire.instead = lambda asked: down if asked.url.path.endswith(first) else None
        await add(running, PRODUCTS)
        await running.start()
        await running.until_true("SELECT bool_or(status = 'completed') FROM batches")
        await running.add({"code": "LATE", "description": "A late bottle", "lane": "batch"})
        await running.until_true("SELECT status = 'completed' FROM products WHERE code = 'LATE'")
        running.wire.instead = lambda _: None
        await finish(running, PRODUCTS + 1)
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_an_error_about_one_request_fails_its_product_with_the_providers_words(
    database_url: str, tmp_path: Path
) -> None:
    error = {"error": {"message": "Blocked by our policy", "code": "content_policy_violation"}}

    def refuse(lines: Lines) -> Lines:
        return [with_body(line, 400, error) if b"P-003" in line else line for line in lines]

    async with lane(database_url, tmp_path, ask_together=True) as running:
        running.wire.twist = on_result_files(refuse)
        await add(running, PRODUCTS)
        await running.start()
        await running.until(completed=PRODUCTS - 1, failed=1)
        assert "Blocked by our policy" in await running.value(
            "SELECT error FROM products WHERE code = 'P-003'"
        )
        assert running.simulator.books.received == 0
        await running.stop()


async def test_pictures_travel_in_batches(database_url: str, tmp_path: Path) -> None:
    config = SimulatorConfig(batch_delay_s=5.0)
    picture = "https://pictures.example/bottle.jpg"
    async with lane(database_url, tmp_path, config, ask_together=True) as running:
        await running.add_many(10, image_url=picture, lane="batch")
        await running.start()
        await running.until(completed=10)
        await running.until_true("SELECT bool_and(state = 'collected') FROM batches")
        assert running.simulator.books.received == 0
        await assert_paid_exactly(running)
        await running.stop()
        await running.assert_sound()


async def test_pictures_of_a_batch_are_fetched_side_by_side_and_travel_as_they_are_shown(
    database_url: str, tmp_path: Path
) -> None:
    asked_for: set[str] = set()
    are_four = asyncio.Event()

    class FourAtATime(PictureFetcher):
        """Gives no picture away before four are asked for."""

        @override
        async def fetch(self, address: str) -> bytes:
            asked_for.add(address)
            if len(asked_for) == 4:
                are_four.set()
            await are_four.wait()
            return picture((3000, 2000), "JPEG")

    source = PicturesByAddress(FourAtATime(), PictureDecoder(), SystemClock())
    async with (
        aclosing(source),
        lane(database_url, tmp_path, CONFIG, ask_together=True, pictures=source) as running,
    ):
        shop = "https://pictures.example"
        for n in range(8):
            await running.add({"code": f"P-{n}", "image_url": f"{shop}/{n}.jpg", "lane": "batch"})
        files: list[bytes] = []

        def look(asked: bytes, body: bytes) -> bytes:
            files.append(asked)
            return body

        running.wire.twist = look
        await running.start()
        await running.until(completed=8)
        assert running.simulator.books.received == 0
        (file,) = [asked for asked in files if b"custom_id" in asked]
        assert file.count(b"data:image/jpeg;base64,") == 8
        assert b"pictures.example" not in file
        await assert_paid_exactly(running)
        await running.stop()


async def test_a_request_that_no_file_can_hold_goes_online_and_holds_up_no_other(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weighbridge.engine.batches.preparing.MOST_BYTES", 100_000)
    png = io.BytesIO()
    Image.frombytes("RGB", (200, 200), Random(1).randbytes(120_000)).save(png, "PNG")
    large = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    async with lane(database_url, tmp_path, CONFIG, ask_together=True) as running:
        await running.add({"code": "A", "lane": "batch", "image_url": large})
        await running.add_many(5, lane="batch")
        await running.start()
        await running.until(completed=6)
        books = running.simulator.books
        assert (books.received, books.batch_requests) == (1, 1)
        await running.stop()


async def test_a_limit_of_tokens_below_a_single_request_holds_up_nobody(
    database_url: str, tmp_path: Path
) -> None:
    config = replace(CONFIG, enqueued_tokens=500)
    async with lane(database_url, tmp_path, config, ask_together=True) as running:
        await add(running, 10)
        await running.start()
        await running.until(completed=10)
        assert running.simulator.books.batch_requests == 0
        await running.stop()
        await running.assert_sound()
