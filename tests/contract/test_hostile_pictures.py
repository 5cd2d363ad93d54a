"""A thousand hostile pictures and addresses: each is shown or refused, nobody forbidden hears of
it, and others get theirs meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp.abc import AbstractResolver
from typing_extensions import override

from tests.support.hostile_addresses import forbidden_hosts, hostile_addresses
from tests.support.hostile_pictures import hostile_pictures
from tests.support.loopback import loopback
from tests.support.picture_shop import SHOP, LoopbackNames, picture, picture_shop, reply
from weighbridge.clock import ScaledClock
from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.fetching.addresses import require_public
from weighbridge.fetching.decoding import PictureDecoder
from weighbridge.fetching.pictures import FetchLimits, PictureFetcher
from weighbridge.fetching.source import PicturesByAddress
from weighbridge.planning.image_tokens import PictureBounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from aiohttp.abc import ResolveResult

pytestmark = pytest.mark.anyio

BOUNDS: Final = PictureBounds(most_pixels=10_000)
PATIENT: Final = FetchLimits(total_s=300, max_bytes=5_000_000, connections_per_host=16)

_connected: list[Any] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _connected is not None:
        _connected.append(arguments[1])


sys.addaudithook(_hear)  # it stays for good, and is silent unless `every_connection` listens


@asynccontextmanager
async def every_connection() -> AsyncIterator[list[Any]]:
    """The addresses that this process connects to, whether or not anybody listens there."""
    global _connected
    found: list[Any] = []
    _connected = found
    try:
        yield found
    finally:
        _connected = None


class LyingNames(AbstractResolver):
    """The shop is where it is; numbers are what the system takes them for; every other name leads
    to this machine, alone or beside a public address, or only the second time it is asked for.
    """

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily | int = 0
    ) -> list[ResolveResult]:
        try:
            numeric = socket.AI_NUMERICHOST
            found = [
                str(address[4][0]) for address in socket.getaddrinfo(host, port, flags=numeric)
            ]
        except (OSError, UnicodeError):
            found = self._led_to(host)
        return [
            {"hostname": host, "host": str(each), "port": port, "family": _family(str(each)),
             "proto": socket.IPPROTO_TCP, "flags": 0}
            for each in found
        ]  # fmt: skip

    def _led_to(self, host: str) -> list[str]:
        asked = self._asked[host] = self._asked.get(host, -1) + 1
        if host.startswith("both."):
            return ["93.184.215.14", "127.0.0.1", "::1"]
        if host.startswith("turns."):
            return ["192.0.2.7"] if asked == 0 else ["127.0.0.1"]
        return ["::1"] if len(host) % 2 else ["127.0.0.1"]

    @override
    async def close(self) -> None:
        return None


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def _settled(source: PicturesByAddress, addresses: Iterable[str]) -> list[Any]:
    asked = (source.picture(address, BOUNDS) for address in addresses)
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_nobody_is_connected_to_under_any_forbidden_address() -> None:
    async with loopback(reply("200 OK", body=picture())) as inside, every_connection() as connected:
        addresses = list(hostile_addresses(inside.port))
        fetcher = PictureFetcher(PATIENT, require_public, LyingNames())
        clock = ScaledClock(1_000)
        async with aclosing(PicturesByAddress(fetcher, PictureDecoder(), clock)) as source:
            found = await _settled(source, addresses)
    assert len(addresses) >= 600
    others = {a: f for a, f in zip(addresses, found, strict=True) if type(f) is not PictureRefused}
    assert {address: found for address, found in others.items() if not _is_name(found)} == {}
    assert connected == []
    assert inside.connections == 0


def _is_name(found: Any) -> bool:
    """Whether it was no more than a name that cannot be resolved."""
    return type(found) is PictureUnreachable


async def test_no_redirect_leads_to_a_forbidden_address() -> None:
    async with loopback(reply("200 OK", body=picture())) as inside:
        targets = [f"http://{host}:{inside.port}/a.png" for host in forbidden_hosts()]
        targets += [
            "file:///etc/passwd",
            "data:image/png;base64,AAAA",
            "gopher://127.0.0.1/_",
            "//",
        ]
        ascii_only = [target for target in targets if target.isascii()]
        pages: dict[str, bytes | str] = {f"/{n}": target for n, target in enumerate(ascii_only)}
        async with every_connection() as connected, picture_shop(pages) as (source, shop, server):
            found = await _settled(source, [f"{shop}{page}" for page in pages])
            assert {type(one) for one in found} <= {PictureRefused, PictureUnreachable}
            assert {address[:2] for address in connected} == {("127.0.0.1", server.port)}
    assert len(ascii_only) > 200
    assert inside.connections == 0


async def test_hundreds_of_hostile_pictures_are_shown_or_refused() -> None:
    hostile = dict(enumerate(hostile_pictures(280, seed=11)))
    pages: dict[str, bytes | str] = {f"/{number}": data for number, (_, data) in hostile.items()}
    pages["/good"] = picture()
    async with picture_shop(pages, limits=PATIENT) as (source, shop, _):
        found = await _settled(source, [f"{shop}/{number}" for number in hostile])
        raised = [one for one in found if isinstance(one, BaseException)]
        assert {type(one) for one in raised} == {PictureRefused}
        in_time = [one for one in raised if "too much memory to decode" not in str(one)]
        assert in_time == raised, "a kind of picture costs a process all its time"
        assert (await source.picture(f"{shop}/good", BOUNDS)).width_px == 40


OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WITHOUT_END: Final = {
    "headers": (OK, b"A: b\r\n" * 1_000),
    "one header": (OK + b"A: ", b"b" * 60_000),
    "status": (b"HTTP/1.1 200 ", b"O" * 60_000),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "body": (OK + b"\r\n", b"b" * 60_000),
    "body of a wrong length": (OK + b"Content-Length: 99999999999999999999\r\n\r\n", b"b" * 60_000),
    "body of two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n", b"b" * 6_000),
    "body of a length below zero": (OK + b"Content-Length: -1\r\n\r\n", b"b" * 60_000),
    "chunks": (CHUNKED, b"ea60\r\n" + b"b" * 60_000 + b"\r\n"),
    "chunks of a byte": (CHUNKED, b"1\r\nb\r\n" * 1_000),
    "a chunk": (CHUNKED + b"ffffffffffffffffff\r\n", b"b" * 60_000),
    "chunk extension": (CHUNKED + b"1;", b"b" * 60_000),
    "trailers": (CHUNKED + b"1\r\nb\r\n0\r\n", b"A: b\r\n" * 1_000),
    "no HTTP": (b"\x16\x03\x01", b"\xff" * 60_000),
    "no header at all": (b"<html>", b"b" * 60_000),
    "another protocol": (b"HTTP/1.1 101 -\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"b" * 6_000),
    "drip": (OK + b"Content-Length: 5000\r\n\r\n", b"b"),
    "drip of headers": (OK, b"b"),
    "nothing": (b"", b""),
}  # fmt: skip


@pytest.mark.parametrize("kind", WITHOUT_END)
async def test_a_server_that_never_ends_is_given_up(kind: str) -> None:
    head, again = WITHOUT_END[kind]

    async def forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            while True:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(0.01 if len(again) < 2 else 0)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(forever, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = FetchLimits(total_s=0.3, max_bytes=200_000)
    async with server, aclosing(PictureFetcher(limits, lambda _a, _h: None, LoopbackNames())) as f:
        with pytest.raises((PictureRefused, PictureUnreachable)):
            await f.fetch(f"http://{SHOP}:{port}/a.png")
