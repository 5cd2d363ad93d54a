"""Requests over sockets, by aiohttp: a tenth of the CPU time that the SDK takes with its own HTTP
client.

`OpenAIProvider` sends its questions with `Network.post`; the SDK's client takes the same
connections, certificates and proxies through `NetworkTransport`. Errors are httpx2's, which the SDK
knows. See docs/decisions/0015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp
import httpx2
from typing_extensions import override
from yarl import URL

from weighbridge.providers.proxies import proxy_for
from weighbridge.providers.sdk import as_response
from weighbridge.providers.wire import (
    LARGEST_FILE,
    LARGEST_REPLY,
    Address,
    Received,
    Wire,
    address_of,
    too_large,
)

if TYPE_CHECKING:
    import ssl

KEEP_ALIVE_S: Final = 4.0
"""How many seconds a connection may have been idle and still be used for another request. Many
servers close it after five (uvicorn, gunicorn, Node.js), and a request on a connection that is just
being closed is lost.
"""

CAUGHT: Final = (aiohttp.ClientError, OSError, UnicodeError)
"""All errors that aiohttp raises while it sends and receives. UnicodeError: a host name that cannot
be encoded.
"""

_LONGEST_HEADER: Final = 64 * 2**10
_MOST_HEADERS: Final = 512
"""How many headers a reply may have, at most; `_LONGEST_HEADER` is how many bytes one header may
have. aiohttp's own bounds are so narrow that real gateways and their cookies exceed them.
"""


class Network(Wire):
    """Connections to one server: as many as there are calls in flight, kept alive between them.

    Belongs to the event loop of its first request. Proxies come from the environment, as
    everywhere.
    """

    def __init__(self, base_url: str, timeout: httpx2.Timeout) -> None:
        """Raises SettingsError for a proxy that cannot be used."""
        self._proxy = proxy_for(base_url)
        self._tls = _tls() if base_url.startswith("https:") else True
        self._connect_s = timeout.connect
        self._read_s = timeout.read
        self._session: aiohttp.ClientSession | None = None

    @override
    async def post(self, address: Address, body: bytes, timeout_s: float) -> Received:
        return await self.send("POST", address, body, timeout_s)

    async def send(
        self, method: str, address: Address, body: bytes, timeout_s: float | None = None
    ) -> Received:
        """Send a request of any method; returns the whole answer. Raises as `Wire.post` does."""
        session = self._session or self._open()
        try:
            async with session.request(
                method,
                URL(address.url, encoded=True),
                headers=address.headers,
                data=body or None,
                allow_redirects=False,
                timeout=self._timeout(timeout_s or self._read_s),
            ) as response:
                largest = LARGEST_FILE if method == "GET" else LARGEST_REPLY
                return Received(
                    response.status, response.headers, await _content(response, largest)
                )
        except CAUGHT as error:
            failure = _as_httpx_error(error)
        # Not from within the handler: aiohttp's exceptions hold the request's headers, and the key
        # among them.
        raise failure

    async def aclose(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _timeout(self, read_s: float | None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, connect=self._connect_s, sock_read=read_s)

    def _open(self) -> aiohttp.ClientSession:
        """A session without a limit on connections and without cookies; `close` ends it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
        )
        return self._session


class NetworkTransport(httpx2.AsyncBaseTransport):
    """Lets the SDK's client use a `Network`, which it closes with itself."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The whole response to a request of the SDK's client."""
        body = await request.aread()
        received = await self._network.send(request.method, address_of(request), body)
        return as_response(received, request)

    @override
    async def aclose(self) -> None:
        await self._network.aclose()


def _tls() -> ssl.SSLContext:
    """TLS settings that trust the same certificates as the SDK's own client, those of
    SSL_CERT_FILE and SSL_CERT_DIR included.
    """
    context = httpx2.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _content(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """The body. Raises UnusableReply above `largest` bytes."""
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > largest:
            raise too_large(largest)
    return b"".join(chunks)


def _as_httpx_error(error: Exception) -> httpx2.TransportError:
    """httpx2's exception for one of aiohttp's: with its reason, without the request it holds."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx2.ConnectTimeout("connecting timed out")
        case TimeoutError():
            return httpx2.ReadTimeout("the response timed out")
        case aiohttp.ClientConnectorError(os_error=reason):
            return httpx2.ConnectError(str(reason))
        case aiohttp.ClientConnectorCertificateError(certificate_error=reason):
            return httpx2.ConnectError(str(reason))
        case aiohttp.ClientHttpProxyError():
            return httpx2.ProxyError(f"the proxy answered {error.status} {error.message}")
        case aiohttp.ClientResponseError():
            return httpx2.RemoteProtocolError(f"not HTTP: {error.message.partition(':')[0]}")
        case aiohttp.ServerDisconnectedError():
            return httpx2.RemoteProtocolError("the server closed the connection without a reply")
        case aiohttp.ClientPayloadError():
            return httpx2.RemoteProtocolError(str(error))
        case _:
            return httpx2.ReadError(str(error) or type(error).__name__)
