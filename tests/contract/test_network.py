"""What only a real socket can do to a call: broken bytes, resets, silence, proxies, certificates;
and what of the SDK's behaviour is kept there although its own HTTP client is not used
(docs/decisions/0015)."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from typing_extensions import override

from tests.support.loopback import Raw, loopback
from tests.support.scripted_provider import (
    KEY,
    MODEL,
    REQUEST,
    Answer,
    ScriptedProvider,
    answer,
    completion,
    refusal,
    web_page,
)
from weighbridge.errors import (
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
)
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.providers.wire import LARGEST_REPLY

pytestmark = pytest.mark.anyio

CERTIFICATE = Path(__file__).parents[1] / "data" / "loopback_certificate.pem"
BODY = completion().body
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
TEXT = '{"category": "Chairs"}'


def reply(body: bytes = BODY, *headers: str, length: int | None = None) -> bytes:
    """A 200 as it stands on the wire."""
    lines = [f"content-length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode() + body


class Patient(ScriptedProvider):
    """Lets all calls arrive before it answers one."""

    def __init__(self, *script: Answer) -> None:
        super().__init__(*script)
        self.arrived = asyncio.Semaphore(0)
        self.may_answer = asyncio.Event()

    @override
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.arrived.release()
        await self.may_answer.wait()
        await super().__call__(scope, receive, send)


async def ask(url: str, *, timeout_s: float = 30.0, times: int = 1) -> str:
    """The text of the last reply."""
    provider = OpenAIProvider(MODEL, KEY, url, timeout_s=timeout_s)
    try:
        return [(await provider.call(REQUEST)).text for _ in range(times)][-1]
    finally:
        await provider.aclose()


async def fail(url: str, kind: type[ProviderError], *, timeout_s: float = 30.0) -> str:
    """The message of a call that must fail in this way."""
    with pytest.raises(ProviderError) as caught:
        await ask(url, timeout_s=timeout_s)
    assert type(caught.value) is kind
    return str(caught.value)


# Bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        reply(),
        reply(b"\xef\xbb\xbf" + BODY),
        reply(gzip.compress(BODY), "content-encoding: gzip"),
        reply(BODY, "content-type: text/plain; charset=latin-1"),
        reply(BODY, "set-cookie: =;;=", "x-request-id: \xff\xfe"),
        reply(BODY, f"content-security-policy: {'x' * 20_000}"),
        reply(BODY, *(f"x-{number}: y" for number in range(200))),
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.0 200\r\n\r\n" + BODY,
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + reply(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        % (len(BODY), BODY),
    ],
)
async def test_reads_a_reply_in_any_transfer_encoding(sent: bytes) -> None:
    async with loopback(Raw(sent)) as server:
        assert await ask(server.url) == TEXT


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (Raw(b""), ProviderUnreachable),
        (Raw(b"", "reset"), ProviderUnreachable),
        (Raw(b"HTTP/1.1 200 OK\r\ncontent-le"), ProviderUnreachable),
        (Raw(b"220 smtp.example ESMTP\r\n"), ProviderUnreachable),
        (Raw(reply(BODY[:50], length=800)), ProviderUnreachable),
        (Raw(reply(BODY[:50], length=800), "reset"), ProviderUnreachable),
        (Raw(reply(gzip.compress(BODY)[:50], "content-encoding: gzip")), ProviderOverloaded),
        (Raw(reply(b"\x1f\x8bnot gzip", "content-encoding: gzip")), ProviderUnreachable),
        (Raw(reply(BODY, length=50)), ProviderUnreachable),
        (Raw(reply(b"")), ProviderOverloaded),
        (Raw(CHUNKED + b"zz\r\n" + BODY), ProviderUnreachable),
        (Raw(CHUNKED + b"%x\r\n" % (len(BODY) + 99) + BODY), ProviderUnreachable),
        (Raw(CHUNKED + b"%x\r\n" % len(BODY) + BODY, "reset"), ProviderUnreachable),
        (Raw(CHUNKED + b"-5\r\n" + BODY + b"\r\n0\r\n\r\n"), ProviderUnreachable),
    ],
)
async def test_a_truncated_reply_is_an_error_and_is_not_retried(
    raw: Raw, kind: type[ProviderError]
) -> None:
    async with loopback(raw) as server:
        message = await fail(server.url, kind)
        assert len(server.heads) == 1
    assert "127.0.0.1" in message


async def test_bytes_after_a_reply_do_not_leak_into_the_next() -> None:
    async with loopback(Raw(reply() + b"HTTP/1.1 200 OK\r\n\r\nstale", "keep")) as server:
        assert await ask(server.url, times=3) == TEXT


@pytest.mark.parametrize(
    "sent",
    [
        reply(b" " * (LARGEST_REPLY + 1)),
        reply(gzip.compress(b" " * 2 * LARGEST_REPLY), "content-encoding: gzip"),
    ],
)
async def test_an_endless_reply_is_cut_off_before_memory_runs_out(sent: bytes) -> None:
    async with loopback(Raw(sent)) as server:
        assert "larger than 16 MB" in await fail(server.url, ProviderOverloaded)


# Time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", reply(BODY[:50], length=800)])
async def test_a_silent_server_hits_the_read_timeout(sent: bytes) -> None:
    async with loopback(Raw(sent, "keep")) as server:
        assert "in time" in await fail(server.url, ProviderTimeout, timeout_s=0.05)


async def test_a_reply_that_drips_in_is_cut_off_at_the_limit_of_the_whole_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("weighbridge.providers.openai.CONNECT_TIMEOUT_S", 0.5)
    async with loopback(Raw(reply(), pause_s=0.1)) as server:  # a minute and a half in all
        assert "in time" in await fail(server.url, ProviderTimeout, timeout_s=0.5)


async def test_a_cancelled_call_leaves_no_half_used_connection() -> None:
    patient = Patient(completion())
    async with loopback(patient) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)
        call = asyncio.ensure_future(provider.call(REQUEST))
        await patient.arrived.acquire()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        patient.may_answer.set()
        assert (await provider.call(REQUEST)).text == TEXT
        assert server.connections == 2
        await provider.aclose()


# Connections --------------------------------------------------------------------------------------


async def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else can open it meanwhile
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        assert "No connection to 127.0.0.1" in await fail(url, ProviderUnreachable)


async def test_keeps_one_connection_per_call_in_flight() -> None:
    at_once = 200
    patient = Patient(completion())
    async with loopback(patient) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)
        calls = [asyncio.ensure_future(provider.call(REQUEST)) for _ in range(at_once)]
        for _ in range(at_once):
            await patient.arrived.acquire()
        patient.may_answer.set()
        await asyncio.gather(*calls)
        await asyncio.gather(*(provider.call(REQUEST) for _ in range(at_once)))
        assert server.connections == at_once
        await provider.aclose()


async def test_a_connection_closed_while_idle_is_not_reused() -> None:
    async with loopback(ScriptedProvider(completion())) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)
        await provider.call(REQUEST)
        await server.hang_up()
        for _ in range(5):  # turns of the loop, until the news has come over the socket
            await asyncio.sleep(0.01)
        assert (await provider.call(REQUEST)).text == TEXT
        await provider.aclose()


async def test_a_sent_request_is_never_repeated_on_another_connection() -> None:
    """The server may have worked on it, and would be paid twice."""
    scripted = ScriptedProvider(completion(), ConnectionResetError(), completion())
    async with loopback(scripted) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)
        await provider.call(REQUEST)
        with pytest.raises(ProviderUnreachable):
            await provider.call(REQUEST)
        assert (len(scripted.requests), server.connections) == (2, 1)
        assert (await provider.call(REQUEST)).text == TEXT
        await provider.aclose()


async def test_ignores_redirects_and_cookies() -> None:
    moved = Answer(307, b"", {"location": "/v1/chat/completions"})
    scripted = ScriptedProvider(completion(headers={"set-cookie": "a=b"}), moved, completion())
    async with loopback(scripted) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)
        await provider.call(REQUEST)
        with pytest.raises(ProviderError, match="/v1/chat/completions"):
            await provider.call(REQUEST)
        assert len(scripted.requests) == 2
        assert "cookie" not in scripted.requests[1].headers
        await provider.aclose()


# As the SDK does it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:{port}/v1",
        "http://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/deployments/a%20b/v1/",
        "http://user:pa%20ss@127.0.0.1:{port}/v1",
    ],
)
async def test_sends_to_the_same_address_and_headers_as_the_sdk(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    async with loopback(ScriptedProvider(completion())) as server:
        url = base.format(port=server.port)
        async with AsyncOpenAI(
            api_key=KEY,
            base_url=url.rstrip("/"),
            max_retries=0,
            timeout=httpx2.Timeout(30.0, connect=10.0),
            http_client=httpx2.AsyncClient(),
        ) as sdk:
            await sdk.post("/chat/completions", cast_to=httpx2.Response, content=b"{}")
        await ask(url)
        theirs, ours = (_request(head) for head in server.heads)
    assert ours == theirs
    assert ours["openai-organization"] == "org-1"


def _request(head: str) -> dict[str, str]:
    first, *lines = head.strip().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    for depends in ("content-length", "accept-encoding", "connection"):
        fields.pop(depends, None)
    return {"": first, **fields}


@pytest.mark.parametrize(
    "said",
    [
        *(refusal(status, "some_code") for status in (400, 401, 403, 404, 409, 422, 429, 500, 503)),
        *(web_page(status) for status in (302, 418, 429, 502)),
        answer(402, ["a", "list"]),
        answer(429, {"error": "text"}, {"retry-after": "7"}),
        Answer(529, gzip.compress(b"busy"), {"content-encoding": "gzip"}),
    ],
)
async def test_a_refusal_raises_the_same_error_as_the_sdk(said: Answer) -> None:
    async with loopback(ScriptedProvider(said)) as server:
        async with AsyncOpenAI(
            api_key=KEY, base_url=server.url, max_retries=0, http_client=httpx2.AsyncClient()
        ) as sdk:
            with pytest.raises(openai.APIStatusError) as theirs:
                await sdk.post("/chat/completions", cast_to=httpx2.Response, content=b"{}")
        with pytest.raises(ProviderError) as caught:
            await ask(server.url)
    ours = caught.value.__cause__
    assert isinstance(ours, openai.APIStatusError)
    assert type(ours) is type(theirs.value)
    assert ours.status_code == theirs.value.status_code
    assert ours.response.content == theirs.value.response.content
    assert ours.request_id == theirs.value.request_id
    assert ours.message == theirs.value.message


# Proxies and certificates -------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_uses_the_proxy_from_the_environment(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with loopback(ScriptedProvider(completion())) as proxy:
        monkeypatch.setenv(variable, f"http://me:secret@127.0.0.1:{proxy.port}")
        assert await ask("http://llm.example/v1") == TEXT
    (head,) = proxy.heads
    assert head.startswith("POST http://llm.example/v1/chat/completions HTTP/1.1")
    assert "proxy-authorization: basic bwu6c2vjcmv0" in head.lower()


async def test_exempt_hosts_bypass_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with loopback(ScriptedProvider(completion())) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
        assert await ask(server.url) == TEXT


async def test_a_proxy_error_is_not_mistaken_for_a_provider_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with loopback(Raw(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        message = await fail("https://llm.example/v1", ProviderUnreachable)
    assert "the proxy answered 407" in message
    assert proxy.heads[0].startswith("CONNECT llm.example:443 ")
    assert KEY not in proxy.heads[0]


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_verifies_certificates_and_trusts_those_of_the_environment(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with loopback(ScriptedProvider(completion()), tls) as server:
        assert "certificate" in await fail(server.url, ProviderUnreachable)
        assert server.heads == []
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert await ask(server.url, times=2) == TEXT


async def test_network_errors_and_reprs_never_show_the_key() -> None:
    async with loopback(Raw(b"nonsense\r\n\r\n")) as server:
        provider = OpenAIProvider(MODEL, KEY, server.url)
        with pytest.raises(ProviderError) as caught:
            await provider.call(REQUEST)
        await provider.aclose()
    link: BaseException | None = caught.value
    while link is not None:
        assert KEY not in f"{link!r} {link.args} {vars(link)}"
        link = link.__cause__ or link.__context__
