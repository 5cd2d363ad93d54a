"""Fetches the pictures that a catalogue names by address, so that the provider need not.

Every address is checked where the connection is made: the resolver gives out checked addresses
only, so a name cannot lead to another address between check and connection, and every redirect is
checked likewise. Proxies from the environment, cookies and compressed bodies are not used.
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
"""HTTP statuses after which another try may succeed."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What fetching one picture may take, and how many connections are open at a time."""

    total_s: float = 20.0
    max_bytes: int = 20_000_000
    max_redirects: int = 5
    connections: int = 16
    connections_per_host: int = 4


class PictureFetcher:
    """Fetches pictures over HTTP.

    Safe for any number of tasks at a time, on one event loop. `require` raises PictureRefused for
    (address, host) that must not be talked to. Call `aclose` at the end.
    """

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
        """The pool of connections, opened when the first picture is fetched.

        It has no limit of its own: the callers of `fetch` keep to the limits of connections,
        because waiting for one here would count as the picture's time.
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
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def fetch(self, address: str) -> bytes:
        """The bytes at this address, which may not be a picture.

        Raises:
            PictureRefused: the address, or one that it redirects to, is not allowed, or its content
                is too large.
            PictureUnreachable: nothing usable came this time; unless `is_final`, another try may
                help.
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
        """The bytes at this address, or at the one that its redirects lead to."""
        url = self._allowed_url(address)
        for _ in range(self.limits.max_redirects + 1):
            reply = await self._get(url)
            if isinstance(reply, bytes):
                return reply
            url = self._allowed_url(str(url.join(reply)))
        raise PictureRefused(
            f"the picture's address redirects more than {self.limits.max_redirects} times"
        )

    def _allowed_url(self, address: str) -> URL:
        """The address as a URL; raises PictureRefused unless it is http(s) and has no password.

        A literal IP address must be public; names are checked by the resolver.
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
        """The bytes of the reply, or the URL that it redirects to."""
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
        """The bytes of a reply; raises PictureRefused above the largest size."""
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
    """Resolves host names; raises PictureRefused unless all addresses of the name are allowed."""

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
