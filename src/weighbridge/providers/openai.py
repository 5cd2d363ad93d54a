"""OpenAI, and every server that speaks its API: one call a question, as the official SDK would make it.

The engine calls `OpenAIProvider.call` once it holds the budget for it. Good answers do not pass through the SDK, which
takes six times the CPU time of everything else in a call: it says beforehand how requests look, and afterwards what
failures mean (`sdk.py`). Nothing is sent twice: each try costs quota that the governor must have granted.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2
import openai
from typing_extensions import override

from weighbridge.domain.calls import Remaining
from weighbridge.domain.lenient_json import loads
from weighbridge.errors import SettingsError
from weighbridge.providers.base import Provider
from weighbridge.providers.masking import Masker
from weighbridge.providers.model_check import check_model
from weighbridge.providers.openai_error_kinds import FAILURES, refusal_text
from weighbridge.providers.openai_errors import Asked, translate
from weighbridge.providers.openai_messages import dialect_of, encoded_body, read_reply
from weighbridge.providers.prices import price_of
from weighbridge.providers.rate_limit_headers import read_processing_s, read_remaining
from weighbridge.providers.sdk import Sdk
from weighbridge.providers.stored_completions import NothingKept, find_stored
from weighbridge.providers.wire import Address, OverClient, Received, UnusableReply, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallReply, CallRequest, Price

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
CONNECT_TIMEOUT_S: Final = 10.0

_SIMULATED_HEADER: Final = "x-weighbridge-simulated"
_NO_KEY: Final = "none"
"""Servers of one's own often want no key, and an empty one makes an invalid header."""


class OpenAIProvider(Provider):
    """Asks a model over HTTP. Safe to use from any number of tasks of one event loop.

    `http_client` replaces the network, for the simulator and for tests; `aclose` closes it too.
    `simulated` marks every answer as made up, and prices it as OpenAI would.
    """

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        *,
        timeout_s: float = 120.0,
        http_client: httpx2.AsyncClient | None = None,
        simulated: bool = False,
    ) -> None:
        self._model = model
        self._simulated = simulated
        self._timeout_s = timeout_s
        self._key = _checked_key(api_key)
        self._base_url = _checked_url(base_url or OPENAI_BASE_URL)
        self._host = urlsplit(self._base_url).hostname or ""
        self._dialect = dialect_of(model)
        self._lists_replies = True
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S, pool=None)
        self._wire, client = (
            _sockets(self._base_url, timeout)
            if http_client is None
            else (OverClient(http_client, timeout), http_client)
        )
        self._sdk = Sdk(self._key, self._base_url, timeout, client)
        self._address: Address | None = None
        self._rehearsing = asyncio.Lock()

    @property
    @override
    def name(self) -> str:
        if self._simulated:
            return "simulator"
        is_openai = self._host == "openai.com" or self._host.endswith(".openai.com")
        return "openai" if is_openai else self._host

    @property
    @override
    def model(self) -> str:
        return self._model

    @property
    @override
    def simulated(self) -> bool:
        return self._simulated

    @property
    @override
    def price(self) -> Price:
        return price_of(self._model, "openai" if self._simulated else self.name)

    @override
    async def call(self, request: CallRequest) -> CallReply:
        try:
            received, completion = await self._ask(request)
        except (*FAILURES, UnusableReply) as error:
            raise translate(error, self._asked(request)) from error
        headers = received.headers
        self._note_simulation(headers)
        return read_reply(
            completion,
            request=request,
            model=self._model,
            remaining=read_remaining(headers),
            request_id=headers.get("x-request-id"),
            processing_s=read_processing_s(headers),
        )

    @property
    @override
    def keeps_replies(self) -> bool:
        return self._lists_replies and self._dialect.stores

    @property
    @override
    def longest_call_s(self) -> float:
        return CONNECT_TIMEOUT_S + self._timeout_s

    @override
    async def find(self, request: CallRequest) -> CallReply | None:
        if request.key is None:
            return None
        try:
            completion = await find_stored(self._sdk.client, request.key)
        except NothingKept:
            self._lists_replies = False
            return None
        except FAILURES as error:
            raise translate(error, self._asked(request)) from error
        if completion is None:
            return None
        return read_reply(
            completion,
            request=request,
            model=self._model,
            remaining=Remaining(),
            request_id=_text_or_none(completion.get("request_id")),
        )

    @override
    async def check(self) -> None:
        self._note_simulation(await check_model(self._sdk.client, self._asked()))

    @override
    async def aclose(self) -> None:
        await self._sdk.client.close()

    def _note_simulation(self, headers: Mapping[str, str]) -> None:
        """Our simulator says so when it runs as a server of its own: its answers must not pass for real ones."""
        if _SIMULATED_HEADER in headers:
            self._simulated = True

    async def _ask(self, request: CallRequest) -> tuple[Received, Mapping[str, Any]]:
        """Send the question; again only when the server does not know one of its parameters.

        What it does not know is remembered, so this happens at most twice in the life of a provider (and once
        for each call that is then in flight). The governor has granted one request for it.
        """
        while True:
            dialect = self._dialect
            try:
                return await self._exchange(encoded_body(request, self._model, dialect))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                adapted = dialect.adapted_to(refusal_text(error))
                if adapted is None:
                    raise
                if self._dialect == dialect:  # else another call has learned something meanwhile
                    self._dialect = adapted

    async def _exchange(self, body: bytes) -> tuple[Received, Mapping[str, Any]]:
        """A chat completion and what it came in; or what the SDK raises in its place."""
        address = self._address or await self._rehearsed()
        try:
            # The read timeout starts anew with each byte; this one bounds the whole call.
            async with asyncio.timeout(CONNECT_TIMEOUT_S + self._timeout_s):
                received = await self._wire.post(address, body)
        except httpx2.HTTPError as failure:
            raise await self._sdk.error_for(failure) from failure
        if not 200 <= received.status < 300:
            raise await self._sdk.error_for(received)
        content = _content(received)
        if "choices" in content:
            return received, content
        raise await self._sdk.error_for(_with_its_status(received, content))

    async def _rehearsed(self) -> Address:
        """Once, however many calls are the first: a hundred rehearsals would hold them up for a quarter of a second."""
        async with self._rehearsing:
            if self._address is None:
                self._address = await self._sdk.rehearse()
            return self._address

    def _asked(self, request: CallRequest | None = None) -> Asked:
        texts = (request.instructions, request.content) if request else ()
        return Asked(self.name, self._host, self._model, Masker(self._key, texts))


def _sockets(base_url: str, timeout: httpx2.Timeout) -> tuple[Wire, httpx2.AsyncClient]:
    """The connection pool for questions, and an SDK client that shares it."""
    # Imported here: it takes a tenth of a second, which a run against the simulator need not pay.
    from weighbridge.providers.network import Network, NetworkTransport

    network = Network(base_url, timeout)
    return network, httpx2.AsyncClient(transport=NetworkTransport(network), trust_env=False)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _content(received: Received) -> Mapping[str, Any]:
    """The JSON object in an answer.

    Raises:
        UnusableReply: it is not JSON, or not an object.
    """
    try:
        content = loads(received.content)
    except (ValueError, RecursionError) as error:
        raise UnusableReply(str(error)) from error
    return content if isinstance(content, dict) else {}


def _with_its_status(received: Received, content: Mapping[str, Any]) -> Received:
    """Some gateways (OpenRouter, say) send errors with status 200: the same answer with the status it means.

    Raises:
        UnusableReply: it is no error either.
    """
    error = content.get("error")
    if not isinstance(error, dict):
        raise UnusableReply("it holds no choices")
    code = error.get("code")
    return replace(received, status=code if isinstance(code, int) and 400 <= code <= 599 else 502)


def _checked_key(api_key: str | None) -> str:
    key = (api_key or "").strip() or _NO_KEY
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            "OPENAI_API_KEY contains a blank or an invalid character. Copy it again, without quotes."
        )
    return key


def _checked_url(base_url: str) -> str:
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            "OPENAI_BASE_URL is not a valid address. Use one like https://host/v1 or http://localhost:8080/v1."
        )
    return url
