"""OpenAI, and every server that speaks its API: one call a question, over the official SDK.

The engine calls `OpenAIProvider.call` once it holds the budget for it. The SDK gives authentication,
address, timeouts and error classes; its retries are off, because each try costs quota that the governor
must have granted. Requests go through `client.post` rather than `chat.completions.create`: the typed method
turns body and reply into Pydantic models, which takes 0.7 of its 1.1 ms of CPU and buys nothing
here (0.36 ms without; both measured in process, with an 8 kB body).
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncOpenAI
from typing_extensions import override

from weighbridge.errors import SettingsError
from weighbridge.providers.base import Provider
from weighbridge.providers.connections import POOL_SIZE, Connections
from weighbridge.providers.masking import Masker
from weighbridge.providers.model_check import check_model
from weighbridge.providers.openai_error_kinds import FAILURES, refusal_text
from weighbridge.providers.openai_errors import Asked, translate
from weighbridge.providers.openai_messages import dialect_of, encoded_body, read_reply
from weighbridge.providers.prices import price_of
from weighbridge.providers.rate_limit_headers import read_processing_s, read_remaining

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from weighbridge.domain.calls import CallReply, CallRequest, Price

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
CONNECT_TIMEOUT_S: Final = 10.0
KEEP_ALIVE_S: Final = 30.0
"""Long enough for the pace of a small quota (a call every few seconds), shorter than servers keep theirs."""

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
        max_connections: int = 4096,
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
        if http_client is None:
            verify = (
                httpx2.create_ssl_context()
            )  # loading the certificates takes 20 ms: once for all pools
            make_client = partial(self._make_client, lambda: _pooled_client(verify))
            self._connections = Connections(make_client, -(-max_connections // POOL_SIZE))
        else:
            self._connections = Connections(partial(self._make_client, lambda: http_client), 1)

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
        asked = self._asked(request)
        try:
            response = await self._ask(request)
        except FAILURES as error:
            raise translate(error, asked) from error
        try:
            completion = _completion(response)
        except (openai.APIStatusError, ValueError, RecursionError) as error:
            raise translate(error, asked) from error
        headers = dict(
            response.headers.items()
        )  # the client's own look-up goes through all of them each time
        self._note_simulation(headers)
        return read_reply(
            completion,
            request=request,
            model=self._model,
            remaining=read_remaining(headers),
            request_id=headers.get("x-request-id"),
            processing_s=read_processing_s(headers),
        )

    @override
    async def check(self) -> None:
        with self._connections.borrow() as client:
            self._note_simulation(await check_model(client, self._asked()))

    @override
    async def aclose(self) -> None:
        await self._connections.aclose()

    def _note_simulation(self, headers: Mapping[str, str]) -> None:
        """Our simulator says so when it runs as a server of its own: its answers must not pass for real ones."""
        if _SIMULATED_HEADER in headers:
            self._simulated = True

    async def _ask(self, request: CallRequest) -> httpx2.Response:
        """Send the question; again only when the server does not know one of its parameters.

        What it does not know is remembered, so this happens at most twice in the life of a provider (and once
        for each call that is then in flight). The governor has granted one request for it.
        """
        while True:
            dialect = self._dialect
            try:
                return await self._post(encoded_body(request, self._model, dialect))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                adapted = dialect.adapted_to(refusal_text(error))
                if adapted is None:
                    raise
                if self._dialect == dialect:  # else another call has learned something meanwhile
                    self._dialect = adapted

    async def _post(self, body: bytes) -> httpx2.Response:
        with self._connections.borrow() as client:
            # The SDK's read timeout starts anew with each byte; this one bounds the whole call.
            async with asyncio.timeout(CONNECT_TIMEOUT_S + self._timeout_s):
                return await client.post("/chat/completions", cast_to=httpx2.Response, content=body)

    def _make_client(self, make_http_client: Callable[[], httpx2.AsyncClient]) -> AsyncOpenAI:
        return AsyncOpenAI(
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            timeout=httpx2.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            http_client=make_http_client(),
        )

    def _asked(self, request: CallRequest | None = None) -> Asked:
        texts = (request.instructions, request.content) if request else ()
        return Asked(self.name, self._host, self._model, Masker(self._key, texts))


def _pooled_client(verify: ssl.SSLContext) -> httpx2.AsyncClient:
    """One pool; proxies come from the environment, as everywhere. Redirects are not followed: they turn POST into GET."""
    limits = httpx2.Limits(
        max_connections=None, max_keepalive_connections=POOL_SIZE, keepalive_expiry=KEEP_ALIVE_S
    )
    return httpx2.AsyncClient(verify=verify, limits=limits)


def _completion(response: httpx2.Response) -> Mapping[str, Any]:
    """The chat completion in a 200.

    Raises:
        openai.APIStatusError: some gateways (OpenRouter, say) send errors with status 200.
        ValueError: it is not JSON, or not a chat completion.
    """
    body = json.loads(response.content.decode("utf-8-sig", "replace"))
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    if "choices" in fields:
        return fields
    error = fields.get("error")
    if not isinstance(error, dict):
        raise ValueError("it holds no choices")  # noqa: TRY004 - a matter of content
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code <= 599 else 502
    answer = httpx2.Response(status, headers=response.headers, request=response.request)
    raise openai.APIStatusError(f"Error code: {status}", response=answer, body=error)


def _checked_key(api_key: str | None) -> str:
    key = (api_key or "").strip() or _NO_KEY
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            "OPENAI_API_KEY holds a blank or a character that no key has. Copy it again, without quotes."
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
            "OPENAI_BASE_URL is not an address. It looks like https://host/v1 or http://localhost:8080/v1."
        )
    return url
