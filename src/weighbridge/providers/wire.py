"""The seam between a provider and its network: a question's bytes go out; status, headers and bytes
come back.

Two implementations: `network.py` (sockets), and `OverClient` (an HTTP client whose transport is the
simulator, or a test, in the same process). The address and headers come from the SDK (`sdk.py`),
which also says what an answer with an error means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import httpx2
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_REPLY: Final = 16 * 2**20
"""The most bytes that an answer may have, unpacked; the longest ones of today's models have a
fiftieth of that.
"""
LARGEST_FILE: Final = 512 * 2**20
"""The most bytes that a fetched file may have: the results of a batch are in one file."""

_ACCEPT_ENCODING: Final = "gzip, deflate"
"""Compressions that can be unpacked on every machine; the SDK's own client adds others where their
libraries are installed.
"""

_SET_FOR_EACH_REQUEST: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
)


class UnusableReply(ValueError):
    """The answer is not a chat completion."""


def too_large(largest: int = LARGEST_REPLY) -> UnusableReply:
    """The error to raise for a body above `largest` bytes, as received or unpacked."""
    return UnusableReply(f"the reply is larger than {largest // 2**20} MB")


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where requests go and the headers that all of them carry.

    Its `repr` shows no fields, because the headers hold the key.
    """

    url: str
    headers: Mapping[str, str]


def address_of(request: httpx2.Request) -> Address:
    """The URL and headers of a request, without the headers that differ from request to request."""
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
        """Post the body; the answer of any status. `timeout_s`: the longest wait for the next
        bytes.

        Raises:
            httpx2.TransportError: no answer came, or only a part of one.
            UnusableReply: the answer is above `LARGEST_REPLY`.
        """
        ...


class OverClient(Wire):
    """Sends through an httpx2 client, which whoever made it has to close."""

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
