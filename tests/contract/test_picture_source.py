"""Pictures by address as the engine gets them: from a shop on this machine, decoded in a
process.
"""

from __future__ import annotations

import asyncio
import io
import random
from contextlib import aclosing

import pytest
from PIL import Image
from typing_extensions import override

from tests.support.application import until
from tests.support.clocks import SteppedClock
from tests.support.loopback import Raw, loopback
from tests.support.picture_shop import LoopbackNames, picture, picture_shop, reply, shop_is_public
from weighbridge.clock import ScaledClock
from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.fetching.decoding import PictureDecoder
from weighbridge.fetching.pictures import FetchLimits, PictureFetcher
from weighbridge.fetching.source import DEAD_AFTER, PicturesByAddress, SourceClosed
from weighbridge.planning.image_tokens import PictureBounds

pytestmark = pytest.mark.anyio

BOUNDS = PictureBounds(most_pixels=10_000)


async def test_picture_comes_as_a_small_jpeg() -> None:
    async with picture_shop({"/a.png": picture((400, 200))}) as (source, shop, _):
        shown = await source.picture(f"{shop}/a.png", BOUNDS)
    assert Image.open(io.BytesIO(shown.data)).size == (shown.width_px, shown.height_px)
    assert shown.width_px * shown.height_px <= BOUNDS.most_pixels


async def test_a_picture_that_ends_its_process_harms_no_other() -> None:
    decoder = PictureDecoder(timeout_s=0.0)  # every picture is taken for one that never ends
    async with picture_shop({"/a.png": picture()}, decoder=decoder) as (source, shop, _):
        with pytest.raises(PictureRefused, match="takes more than 0 s or too much memory"):
            await source.picture(f"{shop}/a.png", BOUNDS)
        decoder._timeout_s = 60.0
        assert (await source.picture(f"{shop}/a.png", BOUNDS)).width_px == 40


async def test_redirect_to_a_private_address_is_refused_and_the_listener_hears_nothing() -> None:
    async with loopback(reply("200 OK", body=picture())) as inside:
        pages = {
            "/1": f"http://127.0.0.1:{inside.port}/",
            "/2": f"http://inside.example:{inside.port}/",
            "/3": f"http://[::1]:{inside.port}/",
            "/4": "http://169.254.169.254/latest/meta-data/",
            "/5": "http://[::ffff:169.254.169.254]/",
            "/6": "http://[not an address/",
            "/7": "file:///etc/passwd",
        }
        async with picture_shop(pages) as (source, shop, _):
            for page in pages:
                with pytest.raises(PictureRefused):
                    await source.picture(f"{shop}{page}", BOUNDS)
    assert inside.connections == 0


async def test_dead_host_is_soon_not_asked_any_more_and_others_go_on() -> None:
    clock = ScaledClock(20)
    async with (
        loopback(reply("503 Service Unavailable")) as dead,
        picture_shop({"/a.png": picture()}, clock) as (source, shop, _),
    ):
        asked = [
            source.picture(f"http://shop.example:{dead.port}/{n}.png", BOUNDS) for n in range(40)
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in found} == {PictureUnreachable}
        assert "its pictures are skipped" in str(found[-1])
        assert dead.connections < DEAD_AFTER + 2 * FetchLimits().connections_per_host
        await clock.sleep(61)
        assert (await source.picture(f"{shop}/a.png", BOUNDS)).width_px == 40


async def test_slow_shop_takes_no_more_than_its_places() -> None:
    limits = FetchLimits(total_s=60, connections_per_host=2)
    silent = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ending="keep")
    fetcher = PictureFetcher(limits, lambda _address, _host: None, LoopbackNames())
    async with loopback(silent) as slow, loopback(reply("200 OK", body=picture())) as shop:
        async with aclosing(PicturesByAddress(fetcher, PictureDecoder(), ScaledClock(1))) as source:
            waiting = [
                asyncio.ensure_future(
                    source.picture(f"http://slow.example:{slow.port}/{n}", BOUNDS)
                )
                for n in range(20)
            ]
            shown = await source.picture(f"http://shop.example:{shop.port}/a", BOUNDS)
            assert shown.width_px == 40
            assert slow.connections <= 2
        assert {type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)} == {
            SourceClosed
        }


async def test_slow_shops_however_many_leave_half_of_the_places_to_those_that_answer() -> None:
    silent = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ending="keep")
    fetcher = PictureFetcher(FetchLimits(), lambda _address, _host: None, LoopbackNames())
    async with (
        loopback(silent) as slow,
        loopback(reply("200 OK", body=picture())) as shop,
        aclosing(PicturesByAddress(fetcher, PictureDecoder(), ScaledClock(1))) as source,
    ):
        good = f"http://shop.example:{shop.port}"
        await source.picture(f"{good}/first", BOUNDS)
        waiting = [
            asyncio.ensure_future(
                source.picture(f"http://slow{n % 30}.example:{slow.port}/{n}", BOUNDS)
            )
            for n in range(120)
        ]
        await until(lambda: slow.connections == 8, "eight places are taken")
        shown = [await source.picture(f"{good}/{n}", BOUNDS) for n in range(20)]
        assert {one.width_px for one in shown} == {40}
        assert slow.connections == 8
        source.let_go()
        gone = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in gone} == {SourceClosed}
        assert not source.is_busy
        assert (await source.picture(f"{good}/after", BOUNDS)).width_px == 40


async def test_a_shop_that_stays_slow_is_not_waited_for_without_end() -> None:
    clock = SteppedClock()

    class Slow(PictureFetcher):
        """Takes 19 s for each picture, by the clock of the test."""

        @override
        async def fetch(self, address: str) -> bytes:
            clock.advance(19.0 if "slow" in address else 0.1)
            return picture()

    async with aclosing(PicturesByAddress(Slow(), PictureDecoder(), clock)) as source:
        asked = [source.picture(f"http://slow.example/{n}.png", BOUNDS) for n in range(300)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        refused = [one for one in found if isinstance(one, PictureUnreachable)]
        assert 100 < len(refused) < 200
        assert "slow.example is too slow" in str(refused[0])
        assert (await source.picture("http://quick.example/a.png", BOUNDS)).width_px == 40
        clock.advance(601)
        assert (await source.picture("http://slow.example/again.png", BOUNDS)).width_px == 40


async def test_closed_source_fetches_nothing() -> None:
    async with picture_shop({"/a.png": picture()}) as (source, shop, server):
        await source.aclose()
        with pytest.raises(SourceClosed):
            await source.picture(f"{shop}/a.png", BOUNDS)
    assert server.connections == 0


async def test_hundreds_of_hostile_pages_are_each_shown_or_refused() -> None:
    source_of_chance = random.Random(7)
    pages: dict[str, bytes | str] = {}
    for number in range(200):
        data = bytearray(picture((32, 24), source_of_chance.choice(["PNG", "JPEG", "WEBP", "GIF"])))
        for _ in range(source_of_chance.randrange(1, 30)):
            data[source_of_chance.randrange(len(data))] = source_of_chance.randrange(256)
        pages[f"/{number}"] = bytes(data[: source_of_chance.randrange(len(data))])
    async with picture_shop(pages) as (source, shop, _):
        asked = (source.picture(f"{shop}{page}", BOUNDS) for page in pages)
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in found if isinstance(one, BaseException)} == {PictureRefused}
        pages["/whole"] = picture()
        assert (await source.picture(f"{shop}/whole", BOUNDS)).width_px == 40


def test_the_shop_of_the_tests_is_the_only_exception() -> None:
    with pytest.raises(PictureRefused):
        shop_is_public("127.0.0.1", "other.example")
