"""A shop of pictures on this machine, which alone counts as public; every other address is judged
as
in earnest.
"""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp.abc import AbstractResolver
from PIL import Image
from typing_extensions import override

from tests.support.loopback import Loopback, Raw, loopback
from weighbridge.clock import SystemClock
from weighbridge.fetching.addresses import require_public
from weighbridge.fetching.decoding import PictureDecoder
from weighbridge.fetching.pictures import FetchLimits, PictureFetcher
from weighbridge.fetching.source import PicturesByAddress

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping

    from aiohttp.abc import ResolveResult

    from weighbridge.clock import Clock

SHOP: Final = "shop.example"


class LoopbackNames(AbstractResolver):
    """Resolves every name to this machine, as a hostile name server could."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily | int = 0
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo("127.0.0.1", port)
        kind, _, protocol, _, address = found[0]
        return [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": port,
                "family": kind,
                "proto": protocol,
                "flags": 0,
            }
        ]

    @override
    async def close(self) -> None:
        return None


def shop_is_public(address: str, host: str) -> None:
    """Stands in for the rule of public addresses: this machine counts as public under one name
    alone.
    """
    if host != "shop.example":
        require_public(address, host)


def reply(status: str, headers: str = "", body: bytes = b"") -> Raw:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return Raw(head.encode() + body)


def picture(
    size: tuple[int, int] = (40, 20), kind: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    """A picture, red where its mode has colours."""
    out = io.BytesIO()
    colour = (200, 0, 0, 255)[: len(Image.new(mode, (1, 1)).getbands())]
    Image.new(mode, size, colour if len(colour) > 1 else 200).save(out, kind, **options)
    return out.getvalue()


@asynccontextmanager
async def picture_shop(
    pages: Mapping[str, bytes | str],
    clock: Clock | None = None,
    limits: FetchLimits = FetchLimits(total_s=10, max_bytes=5_000_000),  # noqa: B008 - frozen
    decoder: PictureDecoder | None = None,
) -> AsyncIterator[tuple[PicturesByAddress, str, Loopback]]:
    """A source that knows the shop, the beginning of its addresses, and the server.

    `pages`: by path, a picture's bytes or the address of a redirect; all else is not found.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        page = pages.get(scope["path"])
        headers = [(b"location", page.encode())] if isinstance(page, str) else []
        status = 404 if page is None else 302 if isinstance(page, str) else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = page if isinstance(page, bytes) else b""
        await send({"type": "http.response.body", "body": body})

    async with loopback(app) as server:
        fetcher = PictureFetcher(limits, shop_is_public, LoopbackNames())
        source = PicturesByAddress(fetcher, decoder or PictureDecoder(), clock or SystemClock())
        async with aclosing(source):
            yield source, f"http://{SHOP}:{server.port}", server
