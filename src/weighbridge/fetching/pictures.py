"""Fetches the pictures that a catalogue names by address, for a provider that shall not do so
itself.

Every address is checked where the connection is made: the resolver hands out checked addresses
only, so a name that changes its mind between check and connection changes nothing, and every
redirect passes the same gate. Proxies from the environment, cookies and compressed bodies are not
used.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from typing_extensions import override
from yarl import URL

from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.fetching.addresses import require_public
from weighbridge.fetching.names import ThreadedNames

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.abc import ResolveResult

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
PIECE_BYTES: Final = 65_536
WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one picture may take."""

    total_s: float = 20.0
    max_bytes: int = 20_000_000
    max_redirects: int = 5
    connections: int = 16
    connections_per_host: int = 4


class PictureFetcher:
    """Fetches pictures. Safe for any number of tasks at a time, on one event loop; close it."""

    def __init__(
        self,
        limits: FetchLimits = FetchLimits(),
        require: Callable[[str, str], None] = require_public,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.limits = limits
        self._require = require
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        """The pool of connections, opened by the first picture.

        Whoever calls `fetch` keeps to the numbers of connections: waiting for one here would count
        as the picture's time.
        """
        if self._session is not None:
            return self._session
        names = self._resolver or ThreadedNames(self.limits.connections)
        connector = aiohttp.TCPConnector(
            resolver=_CheckedResolver(names, self._require), limit=0, use_dns_cache=False
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self.limits.total_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={
                "Accept": "image/jpeg, image/png, image/webp, image/gif;q=0.9",
                "Accept-Encoding": "identity",
                "User-Agent": "weighbridge",
            },
        )
        return self._session

    async def aclose(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()

    async def fetch(self, address: str) -> bytes:
        """The bytes at this address. They are not yet known to be a picture.

        Raises:
            PictureRefused: the address, or one that it redirects to, will never be followed; or its
            content is too large. PictureUnreachable: nothing usable came this time; `is_final`
            tells whether another try can help.
        """
        try:
            async with asyncio.timeout(self.limits.total_s):
                return await self._follow(address)
        except TimeoutError:
            raise PictureUnreachable(
                f"the picture did not arrive within {self.limits.total_s:g} s", is_final=False
            ) from None
        except ValueError:  # a redirect, or a name that no name server can be asked for
            raise PictureRefused("the picture's address is not a valid URL") from None
        except aiohttp.ClientError as error:
            raise PictureUnreachable(
                f"the picture cannot be fetched ({type(error).__name__})", is_final=False
            ) from error

    async def _follow(self, address: str) -> bytes:
        url = self._checked(address)
        for _ in range(self.limits.max_redirects + 1):
            reply = await self._get(url)
            if isinstance(reply, bytes):
                return reply
            url = self._checked(str(url.join(reply)))
        raise PictureRefused(
            f"the picture's address redirects more than {self.limits.max_redirects} times"
        )

    def _checked(self, address: str) -> URL:
        """An http(s) address without a password.

        A literal IP address is checked here, names by the resolver.
        """
        try:
            url = URL(address)
            host, _ = url.host, url.port
        except ValueError:
            raise PictureRefused("the picture's address is not a valid URL") from None
        if url.scheme not in {"http", "https"} or not host:
            raise PictureRefused("the picture's address must begin with http:// or https://")
        if url.user is not None or url.password is not None:
            raise PictureRefused("the picture's address must not hold a user name or a password")
        with suppress(ValueError):  # a name, not an IP address
            self._require(host, host)
        return url

    async def _get(self, url: URL) -> bytes | URL:
        """The body, or where it is to be found."""
        async with self._opened().get(url, allow_redirects=False) as response:
            if response.status in REDIRECTS and "Location" in response.headers:
                return URL(response.headers["Location"])
            if response.status != 200:
                raise PictureUnreachable(
                    f"the picture's server answered {response.status}",
                    is_final=response.status not in WORTH_ANOTHER_TRY,
                )
            if response.headers.get("Content-Encoding", "identity").casefold() != "identity":
                raise PictureRefused(
                    "the picture's server sent compressed data, although none was requested"
                )
            return await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            body += piece
            if len(body) > self.limits.max_bytes:
                raise PictureRefused(
                    f"the picture is larger than {self.limits.max_bytes / 1e6:g} MB; use a "
                    "smaller version"
                )
        return bytes(body)


class _CheckedResolver(AbstractResolver):
    """Resolves names, and hands out nothing unless every address of the name may be talked to."""

    def __init__(self, resolver: AbstractResolver, require: Callable[[str, str], None]) -> None:
        self._resolver = resolver
        self._require = require

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            self._require(each["host"], host)
        return found

    @override
    async def close(self) -> None:
        await self._resolver.close()
