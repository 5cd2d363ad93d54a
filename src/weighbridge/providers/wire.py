"""The seam between a provider and its network: a question's bytes go out; status, headers and bytes
come back.

Two implementations: `network.py` (sockets), and `OverClient` (an HTTP client whose transport is the
simulator, or a test, in the same process). What goes where was learned from the SDK (`sdk.py`),
which also judges every answer that is not a good one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import httpx2
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_REPLY: Final = 16 * 2**20
"""Bytes, unpacked. The longest answers of today's models take a fiftieth of it."""
LARGEST_FILE: Final = 512 * 2**20
"""Bytes of what is fetched: the results of a batch are in one file."""

_ACCEPT_ENCODING: Final = "gzip, deflate"
"""What can be unpacked everywhere; the SDK's own client asks for more where further libraries are
installed.
"""

_SET_FOR_EACH_REQUEST: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
)


class UnusableReply(ValueError):
    """Something came, but it is no chat completion."""


def too_large(largest: int = LARGEST_REPLY) -> UnusableReply:
    """For a server that sends without end, and for a small body that unpacks to a huge one."""
    return UnusableReply(f"the reply is larger than {largest // 2**20} MB")


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where requests go and the headers that all of them carry.

    Has no representation: the key is in it.
    """

    url: str
    headers: Mapping[str, str]


def address_of(request: httpx2.Request) -> Address:
    """Where a request of the SDK's client goes, without what belongs to this one request."""
    headers = {
        name: value for name, value in request.headers.items() if name not in _SET_FOR_EACH_REQUEST
    }
    # A name and password in the address have become a header by now.
    url = request.url.copy_with(username=None, password=None, fragment=None)
    return Address(str(url), {**headers, "accept-encoding": _ACCEPT_ENCODING})


@dataclass(frozen=True, slots=True)
class Received:
    """A whole answer, unpacked. `headers` are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Wire(Protocol):
    """Sends a question and waits for the whole answer.

    Never sends it twice, never follows a redirect.
    """

    async def post(self, address: Address, body: bytes, timeout_s: float) -> Received:
        """One exchange. `timeout_s` is how long nothing may come.

        Raises:
            httpx2.TransportError: no answer, or only a part of one.
            UnusableReply: an endless one.
        """
        ...


class OverClient(Wire):
    """Through an httpx2 client, which its maker closes."""

    def __init__(self, client: httpx2.AsyncClient, timeout: httpx2.Timeout) -> None:
        self._client = client
        self._timeout = timeout.as_dict()

    @override
    async def post(self, address: Address, body: bytes, timeout_s: float) -> Received:
        """Also raises UnusableReply for a reply above `LARGEST_REPLY`, once it was read."""
        request = httpx2.Request(
            "POST",
            address.url,
            headers=address.headers,
            content=body,
            extensions={"timeout": {**self._timeout, "read": timeout_s}},
        )
        response = await self._client.send(request)
        if len(response.content) > LARGEST_REPLY:
            raise too_large()
        # A look-up in the client's own headers goes through all of them each time.
        return Received(response.status_code, dict(response.headers.items()), response.content)
