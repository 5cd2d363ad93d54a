"""Pictures by address: fetched over real connections, and never from an address that is not
public.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.loopback import Loopback, Raw, loopback
from tests.support.picture_shop import LoopbackNames, reply, shop_is_public
from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.fetching.addresses import require_public
from weighbridge.fetching.pictures import FetchLimits, PictureFetcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(2_000)
LIMITS = FetchLimits(total_s=5, max_bytes=10_000, max_redirects=3)


@asynccontextmanager
async def shop(answer: Raw) -> AsyncIterator[tuple[PictureFetcher, str, Loopback]]:
    async with (
        loopback(answer) as server,
        aclosing(PictureFetcher(LIMITS, shop_is_public, LoopbackNames())) as fetcher,
    ):
        yield fetcher, f"http://shop.example:{server.port}/a.png", server


async def test_picture_of_a_public_address_is_fetched_whole() -> None:
    async with shop(reply("200 OK", body=PICTURE)) as (fetcher, address, server):
        assert await fetcher.fetch(address) == PICTURE
    assert "cookie" not in server.heads[0].casefold()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"],
)
async def test_listener_on_this_machine_hears_nothing(host: str) -> None:
    async with (
        loopback(reply("200 OK", body=PICTURE)) as server,
        aclosing(PictureFetcher(LIMITS)) as fetcher,
    ):
        with pytest.raises((PictureRefused, PictureUnreachable)):
            await fetcher.fetch(f"http://{host}:{server.port}/a.png")
    assert server.connections == 0


async def test_name_that_leads_to_this_machine_is_refused_before_connecting() -> None:
    async with (
        loopback(reply("200 OK", body=PICTURE)) as server,
        aclosing(PictureFetcher(LIMITS, require_public, LoopbackNames())) as fetcher,
    ):
        with pytest.raises(PictureRefused, match="not a public address"):
            await fetcher.fetch(f"http://shop.example:{server.port}/a.png")
    assert server.connections == 0


@pytest.mark.parametrize("target", ["http://inside.example:{port}/", "http://127.0.0.1:{port}/"])
async def test_redirect_to_this_machine_is_not_followed(target: str) -> None:
    async with loopback(reply("200 OK", body=PICTURE)) as inside:
        redirect = reply("302 Found", f"Location: {target.format(port=inside.port)}\r\n")
        async with shop(redirect) as (fetcher, address, _):
            with pytest.raises(PictureRefused, match="not a public address"):
                await fetcher.fetch(address)
    assert inside.connections == 0


async def test_redirects_come_to_an_end() -> None:
    async with shop(reply("302 Found", "Location: /again\r\n")) as (fetcher, address, server):
        with pytest.raises(PictureRefused, match="redirects more than 3 times"):
            await fetcher.fetch(address)
    assert server.connections == LIMITS.max_redirects + 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("file:///etc/passwd", "http"),
        ("ftp://shop.example/a.png", "http"),
        ("http://name:secret@shop.example/a.png", "password"),
        ("http://169.254.169.254/latest/meta-data/", "not a public address"),
        ("http://[fe80::1%25eth0]/a.png", "not a public address"),
        ("http://shop.example:99999/a.png", "not a valid URL"),
        ("http:///a.png", "http"),
    ],
)
async def test_addresses_that_will_never_be_followed_say_why(address: str, reason: str) -> None:
    async with aclosing(PictureFetcher(LIMITS, shop_is_public, LoopbackNames())) as fetcher:
        with pytest.raises(PictureRefused, match=reason):
            await fetcher.fetch(address)


async def test_picture_above_the_limit_is_refused() -> None:
    async with shop(reply("200 OK", body=bytes(LIMITS.max_bytes + 1))) as (fetcher, address, _):
        with pytest.raises(PictureRefused, match=r"larger than 0\.01 MB"):
            await fetcher.fetch(address)


async def test_compressed_body_is_refused() -> None:
    packed = reply("200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8b")
    async with shop(packed) as (fetcher, address, _):
        with pytest.raises(PictureRefused, match="compressed"):
            await fetcher.fetch(address)


@pytest.mark.parametrize(
    ("status", "is_final"), [("404 Not Found", True), ("503 Service Unavailable", False)]
)
async def test_server_that_refuses_says_whether_another_try_helps(
    status: str, is_final: bool
) -> None:
    async with shop(reply(status)) as (fetcher, address, _):
        with pytest.raises(PictureUnreachable) as caught:
            await fetcher.fetch(address)
    assert caught.value.is_final is is_final


async def test_server_that_sends_nothing_is_given_up() -> None:
    async with (
        loopback(Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ending="keep")) as server,
        aclosing(
            PictureFetcher(FetchLimits(total_s=0.2), shop_is_public, LoopbackNames())
        ) as fetcher,
    ):
        with pytest.raises(PictureUnreachable, match=r"within 0\.2 s"):
            await fetcher.fetch(f"http://shop.example:{server.port}/a.png")
