"""What the official SDK is used for, though good answers do not pass through it.

`rehearse` learns from it how a request looks (address, authentication, every header), `error_for`
which exception it raises for an answer or a broken connection. Both call its public methods with a
stand-in for the network. Its client also sends every request that is not a question, such as the
one for the list of models. Used by `openai.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2
import openai
from openai import AsyncOpenAI
from typing_extensions import override

from weighbridge.providers.wire import Address, Received, address_of

if TYPE_CHECKING:
    from weighbridge.providers.requests.address import BaseAddress

QUESTIONS: Final = "/chat/completions"
"""The path to which questions are posted, after the base URL."""

_ABOUT_THE_BYTES: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that are no longer true once the body was unpacked."""


class Sdk:
    """The SDK's client, closed with `client.close()`.

    Its retries are off: each would cost quota that the governor has not granted.
    """

    def __init__(
        self, key: str, at: BaseAddress, timeout: httpx2.Timeout, http_client: httpx2.AsyncClient
    ) -> None:
        """The SDK's client over `http_client`; it never retries by itself."""
        self.client = AsyncOpenAI(
            api_key=key,
            base_url=at.url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
            default_query=at.query,
            # Azure's addresses of before its v1 API take the key under this name only.
            default_headers={"api-key": key} if "api-version" in at.query else None,
        )

    async def rehearse(self) -> Address:
        """Where questions go and with which headers, as the SDK would send them."""
        rehearsal = _StandIn(Received(200, {}, b"{}"))
        await self._post(rehearsal)
        return rehearsal.address

    async def error_for(self, outcome: Received | httpx2.HTTPError) -> openai.OpenAIError:
        """What the SDK raises for an answer with an error status, or for a connection that
        failed.
        """
        try:
            await self._post(_StandIn(outcome))
        except openai.OpenAIError as error:
            return error
        raise AssertionError("the OpenAI SDK returned an error as an answer")

    async def _post(self, network: _StandIn) -> None:
        """Have the SDK post an empty question to the stand-in."""
        async with httpx2.AsyncClient(transport=network, trust_env=False) as http_client:
            client = self.client.with_options(http_client=http_client)
            await client.post(QUESTIONS, cast_to=httpx2.Response, content=b"{}")


class _StandIn(httpx2.AsyncBaseTransport):
    """A network that gives every request the same outcome; `address` is that of the last one."""

    def __init__(self, outcome: Received | httpx2.HTTPError) -> None:
        self._outcome = outcome
        self.address = Address("", {})

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.address = address_of(request)
        if isinstance(self._outcome, Received):
            return as_response(self._outcome, request)
        raise self._outcome


def as_response(received: Received, request: httpx2.Request) -> httpx2.Response:
    """The answer as an httpx2 response, which the SDK reads."""
    headers = [
        (name.encode(), value.encode("utf-8", "surrogateescape"))
        for name, value in received.headers.items()
        if name.lower() not in _ABOUT_THE_BYTES
    ]
    return httpx2.Response(
        received.status, headers=headers, content=received.content, request=request
    )
