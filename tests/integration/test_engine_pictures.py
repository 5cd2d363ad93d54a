"""Pictures by address in the whole program: fetched by us, shown to the model, or missing with a
note.
"""

from __future__ import annotations

import base64
import io
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from PIL import Image

from tests.support.application import program, until
from tests.support.loopback import Raw, loopback
from tests.support.picture_shop import LoopbackNames, picture, picture_shop, reply
from weighbridge.clock import ScaledClock, SystemClock
from weighbridge.fetching.decoding import PictureDecoder
from weighbridge.fetching.pictures import FetchLimits, PictureFetcher
from weighbridge.fetching.source import PicturesByAddress
from weighbridge.ingest.catalogue import check_records
from weighbridge.planning.image_tokens import image_tokens
from weighbridge.service.queue import stop_queue
from weighbridge.service.results import iterate_results
from weighbridge.store.imports import import_products

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio

PAGES: dict[str, bytes | str] = {
    "/good.png": picture((3000, 2000)),
    "/moved.png": "/good.png",
    "/broken.png": picture((400, 200))[:-60],
    "/page.html": b"<html>Sold out</html>",
    "/bomb.png": picture((12_000, 12_000), mode="1"),
}


def _spy(running: RunningProgram) -> list[str]:
    """The image addresses that reach the provider."""
    seen: list[str] = []

    def look(request: httpx2.Request) -> None:
        content = json.loads(request.content)["messages"][-1]["content"]
        seen.extend(
            part["image_url"]["url"]
            for part in content
            if isinstance(part, dict) and part["type"] == "image_url"
        )

    running.wire.instead = look
    return seen


async def _notes(running: RunningProgram) -> dict[str, tuple[str, ...]]:
    app = running.app
    return {
        row.code: tuple(note for note in row.notes if "without the picture" in note)
        async for rows in iterate_results(app.database, app.taxonomy, app.questions.steps)
        for row in rows
    }


async def test_model_is_shown_the_picture_itself_fetched_once(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        picture_shop(PAGES) as (source, shop, server),
        program(database_url, tmp_path, pictures=source) as running,
    ):
        seen = _spy(running)
        await running.add({"code": "P-1", "image_url": f"{shop}/moved.png"})
        await running.start()
        await running.until(completed=1)
        assert len(server.heads) == 2  # the redirect and the picture, for all steps
        assert seen
        for url in seen:
            head, _, data = url.partition(",")
            assert head == "data:image/jpeg;base64"
            shown = Image.open(io.BytesIO(base64.b64decode(data)))
            assert max(shown.size) == 2048  # what the model uses of 3000 × 2000
        assert await _notes(running) == {"P-1": ()}
        await running.stop()
        await running.assert_sound()


async def test_products_whose_picture_cannot_be_had_are_asked_from_text_and_say_so(
    database_url: str, tmp_path: Path
) -> None:
    async with loopback(reply("200 OK", body=picture())) as inside:
        bad: dict[str, Any] = {
            "broken": "{shop}/broken.png",
            "page": "{shop}/page.html",
            "bomb": "{shop}/bomb.png",
            "gone": "{shop}/gone.png",
            "private": f"http://127.0.0.1:{inside.port}/a.png",
            "metadata": "http://169.254.169.254/latest/meta-data/a.png",
        }
        async with (
            picture_shop(PAGES) as (source, shop, _),
            program(database_url, tmp_path, pictures=source) as running,
        ):
            seen = _spy(running)
            for code, address in bad.items():
                await running.add({"code": code, "image_url": address.format(shop=shop)})
            await running.add({"code": "good", "image_url": f"{shop}/good.png"})
            await running.add_many(5)
            await running.start()
            await running.until(completed=len(bad) + 6)
            assert {url[:15] for url in seen} == {"data:image/jpeg"}
            notes = await _notes(running)
            assert {code for code, of in notes.items() if of} == set(bad)
            assert all(len(of) <= 1 for of in notes.values())
            assert "answered 404" in notes["gone"][0]
            assert "not a public address" in notes["private"][0]
            assert "million pixels" in notes["bomb"][0]
        assert inside.connections == 0


async def test_model_is_shown_four_pictures_in_one_call_each_fetched_once(
    database_url: str, tmp_path: Path
) -> None:
    pages: dict[str, bytes | str] = {f"/{n}.png": picture((300 + n, 200)) for n in range(6)}
    async with (
        picture_shop(pages) as (source, shop, server),
        program(database_url, tmp_path, pictures=source) as running,
    ):
        shown: list[list[int]] = []

        def look(request: httpx2.Request) -> None:
            content = json.loads(request.content)["messages"][-1]["content"]
            if isinstance(content, list):
                shown.append([_width(part) for part in content if part["type"] == "image_url"])

        running.wire.instead = look
        urls = [f"{shop}/{n}.png" for n in range(6)]
        await _import(running, {"code": "P-1", "images": urls})
        await running.start()
        await running.until(completed=1)
        assert shown
        assert all(widths == [300, 301, 302, 303] for widths in shown)
        assert len(server.heads) == 4
        assert await _notes(running) == {"P-1": ()}
        estimated = await running.value(
            "SELECT min(estimated_tokens) FROM calls WHERE outcome = 'ok' AND step <> 'manufacturing'"
        )
        assert estimated > 4 * image_tokens(300, 200, running.app.settings.model)
        await running.stop()
        await running.assert_sound()


async def test_the_pictures_that_can_be_had_are_shown_and_the_others_named(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        picture_shop(PAGES) as (source, shop, _),
        program(database_url, tmp_path, pictures=source) as running,
    ):
        seen = _spy(running)
        urls = [f"{shop}/{name}" for name in ("gone.png", "good.png", "broken.png")]
        await _import(running, {"code": "P-1", "images": urls})
        await running.start()
        await running.until(completed=1)
        assert {url[:15] for url in seen} == {"data:image/jpeg"}
        notes = await running.value(
            "SELECT (detail -> 'footprint' -> 'notes')::text FROM footprints"
        )
        assert "answered with 1 of 3 pictures: the picture's server answered 404; " in notes


async def _import(running: RunningProgram, record: dict[str, object]) -> None:
    whole = {"name": "Bottle", "description": "A stainless steel bottle"} | record
    async with running.app.database.pool.acquire() as connection:
        await import_products(connection, check_records([whole]))


def _width(part: dict[str, Any]) -> int:
    data = part["image_url"]["url"].partition(",")[2]
    return Image.open(io.BytesIO(base64.b64decode(data))).width


async def test_product_without_its_picture_fails_where_pictures_are_required(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        picture_shop(PAGES) as (source, shop, _),
        program(database_url, tmp_path, pictures=source, missing_picture="fail") as running,
    ):
        await running.add({"code": "gone", "image_url": f"{shop}/gone.png"})
        await running.add({"code": "good", "image_url": f"{shop}/good.png"})
        await running.start()
        await running.until(completed=1, failed=1)
        error = await running.value("SELECT error FROM products WHERE code = 'gone'")
        assert "the picture's server answered 404" in error


@pytest.mark.parametrize("required", ["ask", "fail"])
async def test_picture_that_the_provider_cannot_get_leaves_a_note_too(
    database_url: str, tmp_path: Path, required: str
) -> None:
    clock = ScaledClock(20)
    async with program(database_url, tmp_path, clock=clock, missing_picture=required) as running:
        await running.add({"code": "P-1", "image_url": "https://shop.example/gone.jpg"})
        refusal = {"error": {"code": "invalid_image_url", "message": "Timeout while downloading."}}
        running.wire.instead = lambda request: (
            httpx2.Response(400, json=refusal) if b"gone.jpg" in request.content else None
        )
        await running.start()
        if required == "fail":
            await running.until(failed=1)
            return
        await running.until(completed=1)
        (note,) = (await _notes(running))["P-1"]
        assert "Timeout while downloading" in note


SILENT = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ending="keep")


@pytest.mark.parametrize("lane", ["online", "batch"])
@pytest.mark.parametrize("ending", ["stop", "drain"])
async def test_nobody_waits_for_a_slow_shop_once_the_queue_is_stopped(
    database_url: str, tmp_path: Path, ending: str, lane: str
) -> None:
    limits = FetchLimits(total_s=600)
    fetcher = PictureFetcher(limits, lambda _address, _host: None, LoopbackNames())
    async with (
        loopback(SILENT) as slow,
        aclosing(PicturesByAddress(fetcher, PictureDecoder(), SystemClock())) as source,
        program(database_url, tmp_path, pictures=source) as running,
    ):
        await running.add_many(12, image_url=f"http://slow.example:{slow.port}/a.jpg", lane=lane)
        await running.start()
        await until(lambda: slow.connections == limits.connections_per_host, "the shop is asked")
        if ending == "stop":
            await stop_queue(running.app.database)
            await running.until_true("SELECT bool_and(status = 'pending') FROM products")
        await running.stop()
        assert await running.value("SELECT bool_and(status = 'pending') FROM products")
        assert await running.value("SELECT count(*) FROM calls") == 0
        await running.assert_sound()
