"""What the provider does with what a server may say, in the same process and over a real socket
alike.

What only a socket can do (resets, proxies, certificates) is in `test_network.py`.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from tests.support.loopback import Loopback, loopback
from tests.support.scripted_provider import (
    KEY,
    MODEL,
    RATE_LIMIT_HEADERS,
    REQUEST,
    SCHEMA,
    SILENCE,
    Answer,
    ScriptedProvider,
    Silence,
    answer,
    completion,
    refusal,
    web_page,
)
from weighbridge.domain.calls import FinishReason, Remaining, Usage
from weighbridge.errors import (
    AuthenticationFailed,
    EmptyReply,
    ImageRefused,
    ModelUnknown,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    RequestTooLarge,
)
from weighbridge.providers.base import remaining_of
from weighbridge.providers.openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from weighbridge.domain.calls import CallReply

pytestmark = pytest.mark.anyio


Said = Answer | Exception | Silence


class Talk:
    """Makes providers that reach a scripted one, over one kind of wire."""

    def __init__(self, server: Loopback | None) -> None:
        self._server = server
        self._made: list[OpenAIProvider] = []

    @property
    def name(self) -> str:
        """What the provider is called in messages."""
        return "openai" if self._server is None else f"127.0.0.1:{self._server.port}"

    @property
    def host(self) -> str:
        """Where it is, in messages."""
        return "api.openai.com" if self._server is None else "127.0.0.1"

    def provider(
        self, scripted: ScriptedProvider, model: str = MODEL, timeout_s: float = 30.0
    ) -> OpenAIProvider:
        """A provider that talks to this script."""
        if self._server is None:
            made = scripted.provider(model, timeout_s=timeout_s)
        else:
            self._server.app = scripted
            made = OpenAIProvider(model, KEY, self._server.url, timeout_s=timeout_s)
        self._made.append(made)
        return made

    async def ask(self, *script: Said, model: str = MODEL) -> CallReply:
        """The reply of a call."""
        return await self.provider(ScriptedProvider(*script), model).call(REQUEST)

    async def fail(self, *script: Said, timeout_s: float = 30.0) -> ProviderError:
        """The error of a call that must fail, after exactly one request."""
        scripted = ScriptedProvider(*script)
        provider = self.provider(scripted, timeout_s=timeout_s)
        with pytest.raises(ProviderError) as caught:
            await provider.call(REQUEST)
        assert len(scripted.requests) == 1
        assert caught.value.__cause__ is not None
        return caught.value

    async def aclose(self) -> None:
        """Close what was made."""
        for provider in self._made:
            await provider.aclose()


@pytest.fixture(params=["in process", "over a socket"])
async def talk(request: pytest.FixtureRequest) -> AsyncIterator[Talk]:
    if request.param == "in process":
        talking = Talk(None)
        yield talking
        await talking.aclose()
    else:
        async with loopback(ScriptedProvider(completion())) as server:
            talking = Talk(server)
            yield talking
            await talking.aclose()


# What is sent ------------------------------------------------------------------------------------


async def test_a_question_is_sent_as_a_strict_structured_chat_completion(talk: Talk) -> None:
    scripted = ScriptedProvider(completion())
    await talk.provider(scripted).call(REQUEST)
    (request,) = scripted.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": REQUEST.instructions},
            {"role": "user", "content": REQUEST.content},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "classification", "strict": True, "schema": SCHEMA},
        },
        "max_completion_tokens": 200,
        "temperature": 0,
    } | (
        {"prompt_cache_key": request.body.get("prompt_cache_key")} if talk.name == "openai" else {}
    )


async def test_images_are_sent_beside_the_text(talk: Talk) -> None:
    scripted = ScriptedProvider(completion())
    urls = ("https://shop.example/stool.jpg", "https://shop.example/stool-from-below.jpg")
    await talk.provider(scripted).call(REQUEST._replace(image_urls=urls))
    assert scripted.requests[0].body["messages"][1]["content"] == [
        {"type": "text", "text": REQUEST.content},
        *({"type": "image_url", "image_url": {"url": url}} for url in urls),
    ]


@pytest.mark.parametrize(
    "model", ["gpt-5-mini", "o3", "o4-mini-2025-04-16", "ft:gpt-5-nano:acme::1"]
)
async def test_reasoning_models_get_no_temperature(talk: Talk, model: str) -> None:
    scripted = ScriptedProvider(completion())
    await talk.provider(scripted, model).call(REQUEST)
    assert "temperature" not in scripted.requests[0].body


async def test_text_in_any_script_arrives_intact(talk: Talk) -> None:
    scripted = ScriptedProvider(completion("Stuhl aus Buche · 椅子 🪑"))
    reply = await talk.provider(scripted).call(REQUEST._replace(content="木製の椅子 🪑"))
    assert scripted.requests[0].body["messages"][1]["content"] == "木製の椅子 🪑"
    assert reply.text == "Stuhl aus Buche · 椅子 🪑"


# What is understood -------------------------------------------------------------------------------


async def test_a_reply_carries_text_usage_headers_model_and_request_id(talk: Talk) -> None:
    reply = await talk.ask(completion(headers=RATE_LIMIT_HEADERS))
    assert reply.text == '{"category": "Chairs"}'
    assert reply.finish_reason is FinishReason.STOP
    assert reply.usage == Usage(input_tokens=1200, output_tokens=15, cached_input_tokens=1024)
    assert reply.remaining == Remaining(500, 499, 0.12, 200_000, 198_500, 360.5)
    assert reply.model == "gpt-4o-mini-2024-07-18"
    assert reply.request_id == "req_42"


async def test_a_reply_without_rate_limit_headers_has_no_limits(talk: Talk) -> None:
    assert (await talk.ask(completion())).remaining == Remaining()


async def test_a_reply_cut_at_the_output_allowance_is_marked_truncated(talk: Talk) -> None:
    reply = await talk.ask(completion('{"categ', finish_reason="length"))
    assert (reply.text, reply.finish_reason) == ('{"categ', FinishReason.LENGTH)


async def test_a_model_refusal_counts_as_a_reply(talk: Talk) -> None:
    reply = await talk.ask(completion(None, refusal="I cannot help with that."))
    assert (reply.text, reply.finish_reason) == ("I cannot help with that.", FinishReason.REFUSAL)


async def test_a_reply_cut_by_the_content_filter_is_a_refusal(talk: Talk) -> None:
    reply = await talk.ask(completion('{"cat', finish_reason="content_filter"))
    assert reply.finish_reason is FinishReason.REFUSAL


@pytest.mark.parametrize(
    "odd",
    [
        completion(choices=[]),
        completion(choices=[{}]),
        completion(choices=[None]),
        completion(choices="none"),
        completion(None),
        completion(17),
    ],
)
async def test_an_empty_completion_is_the_provider_s_fault(talk: Talk, odd: Answer) -> None:
    """It says nothing of any product: the same call is made again."""
    with pytest.raises((EmptyReply, ProviderOverloaded)):
        await talk.ask(odd)


async def test_an_empty_completion_that_says_why_is_a_reply(talk: Talk) -> None:
    cut = await talk.ask(completion("", finish_reason="length"))
    assert (cut.text, cut.finish_reason) == ("", FinishReason.LENGTH)
    filtered = await talk.ask(completion(None, finish_reason="content_filter"))
    assert filtered.finish_reason is FinishReason.REFUSAL


async def test_joins_text_parts(talk: Talk) -> None:
    reply = await talk.ask(
        completion([{"type": "text", "text": "{"}, {"type": "text", "text": "}"}])
    )
    assert reply.text == "{}"


async def test_unpaired_surrogates_do_not_reach_the_database(talk: Talk) -> None:
    reply = await talk.ask(completion("wood \ud83e"))
    assert reply.text.encode() == b"wood ?"


@pytest.mark.parametrize(
    "usage", [None, {}, "many", {"prompt_tokens": None, "completion_tokens": "x"}]
)
async def test_tokens_are_counted_locally_if_the_server_reports_none(
    talk: Talk, usage: object
) -> None:
    reply = await talk.ask(completion(usage=usage))
    characters = len(REQUEST.instructions) + len(REQUEST.content)
    assert characters / 5 < reply.usage.input_tokens < characters / 3
    assert 0 < reply.usage.output_tokens <= len(reply.text) / 3
    assert reply.usage.cached_input_tokens == 0


async def test_a_reply_without_a_model_name_gets_the_requested_one(talk: Talk) -> None:
    assert (await talk.ask(completion(model=None))).model == MODEL


# Parameters that a server does not know -----------------------------------------------------------

NO_COMPLETION_LIMIT = refusal(
    400,
    "unsupported_parameter",
    "Unsupported parameter: 'max_completion_tokens' is not supported with this model.",
    param="max_completion_tokens",
)
NO_TEMPERATURE = refusal(
    400,
    "unsupported_value",
    "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported.",
    param="temperature",
)
EXTRA_FORBIDDEN = answer(
    422,
    {
        "object": "error",
        "message": {
            "detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"]}]
        },
        "code": None,
    },
)


@pytest.mark.parametrize("unknown", [NO_COMPLETION_LIMIT, EXTRA_FORBIDDEN])
async def test_falls_back_to_max_tokens_for_older_servers_and_remembers_it(
    talk: Talk,
    unknown: Answer,
) -> None:
    scripted = ScriptedProvider(unknown, completion())
    provider = talk.provider(scripted)
    await provider.call(REQUEST)
    await provider.call(REQUEST)
    limits = [
        ("max_completion_tokens" in r.body, "max_tokens" in r.body) for r in scripted.requests
    ]
    assert limits == [(True, False), (False, True), (False, True)]


async def test_drops_both_token_parameters_if_the_server_knows_neither(talk: Talk) -> None:
    scripted = ScriptedProvider(NO_TEMPERATURE, NO_COMPLETION_LIMIT, completion())
    await talk.provider(scripted).call(REQUEST)
    last = scripted.requests[-1].body
    assert "temperature" not in last
    assert last["max_tokens"] == 200
    assert len(scripted.requests) == 3


async def test_stops_retrying_a_server_that_refuses_every_form(talk: Talk) -> None:
    scripted = ScriptedProvider(
        refusal(400, None, "max_completion_tokens, max_tokens and temperature are not supported")
    )
    with pytest.raises(RequestRefused):
        await talk.provider(scripted).call(REQUEST)
    assert len(scripted.requests) == 3


async def test_a_server_without_strict_schemas_is_asked_in_easier_forms_and_that_is_remembered(
    talk: Talk,
) -> None:
    scripted = ScriptedProvider(no_schema(), no_schema(), completion())
    provider = talk.provider(scripted)
    await provider.call(REQUEST)
    await provider.call(REQUEST)
    forms = [r.body.get("response_format", {}).get("type") for r in scripted.requests]
    assert forms == ["json_schema", "json_schema", "json_object", "json_object"]
    assert "strict" not in scripted.requests[1].body["response_format"]["json_schema"]
    assert '"enum":["Chairs","Tables"]' in scripted.requests[-1].body["messages"][0]["content"]


async def test_a_server_that_takes_no_form_at_all_stops_the_queue(talk: Talk) -> None:
    scripted = ScriptedProvider(no_schema())
    with pytest.raises(ModelUnknown, match="structured outputs"):
        await talk.provider(scripted).call(REQUEST)
    assert len(scripted.requests) == 4


# What goes wrong ----------------------------------------------------------------------------------

CONTEXT = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001."
ALLOWANCE = "max_tokens is too large: 99999. This model supports at most 16384 completion tokens."
TOO_BIG_FOR_A_MINUTE = "Request too large for gpt-4o-mini in organization org-1 on tokens per min (TPM): Limit 30000, Requested 41000."
NO_SCHEMA = (
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
)
NO_MODEL = "The model `gpt-9` does not exist or you do not have access to it."


def no_schema() -> Answer:
    return refusal(400, None, NO_SCHEMA, param="response_format")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (refusal(400, "context_length_exceeded", CONTEXT), RequestTooLarge),
        (refusal(400, None, CONTEXT), RequestTooLarge),
        (refusal(400, "invalid_value", ALLOWANCE, param="max_tokens"), RequestTooLarge),
        (refusal(400, "invalid_image_url", "Error while downloading the image."), ImageRefused),
        (refusal(400, "content_policy_violation"), RequestRefused),
        (refusal(400, "model_not_found", NO_MODEL), ModelUnknown),
        (refusal(400, None, "gpt-9 is not a valid choice"), RequestRefused),
        (refusal(400, None, "gpt-9 is an invalid model ID"), ModelUnknown),
        (refusal(400, "billing_hard_limit_reached"), QuotaExhausted),
        (
            refusal(400, None, "API key not valid. Please pass a valid API key."),
            AuthenticationFailed,
        ),
        (
            refusal(401, "invalid_api_key", f"Incorrect API key provided: {KEY}."),
            AuthenticationFailed,
        ),
        (refusal(401, None, "Invalid Authentication"), AuthenticationFailed),
        (refusal(402, None, "Insufficient balance"), QuotaExhausted),
        (refusal(403, "unsupported_country_region_territory"), AuthenticationFailed),
        (refusal(403, None, "Your project may not do this."), AuthenticationFailed),
        (refusal(403, "model_not_found", NO_MODEL), ModelUnknown),
        (refusal(404, "model_not_found", NO_MODEL), ModelUnknown),
        (refusal(404, None, 'model "llama9" not found, try pulling it first'), ModelUnknown),
        (answer(404, {"detail": "Not Found"}), ModelUnknown),
        (web_page(404), ModelUnknown),
        (web_page(405), ModelUnknown),
        (Answer(301, b"", {"location": "https://elsewhere.example/v1"}), ModelUnknown),
        (refusal(408), ProviderTimeout),
        (refusal(409), ProviderOverloaded),
        (web_page(413), RequestTooLarge),
        (refusal(422, None, "response is not to our liking"), RequestRefused),
        (refusal(429, "rate_limit_exceeded"), RateLimited),
        (refusal(429, "rate_limit_exceeded", TOO_BIG_FOR_A_MINUTE, type="tokens"), RequestTooLarge),
        (refusal(429, "insufficient_quota"), QuotaExhausted),
        (refusal(429, None, type="insufficient_quota"), QuotaExhausted),
        (web_page(429), RateLimited),
        (answer(429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]), RateLimited),
        (refusal(500, None, "The server had an error"), ProviderOverloaded),
        (web_page(502), ProviderOverloaded),
        (refusal(503, None, "The engine is currently overloaded"), ProviderOverloaded),
        (Answer(504, b""), ProviderOverloaded),
        (web_page(529), ProviderOverloaded),
        (web_page(200), ProviderOverloaded),
        (Answer(200, b""), ProviderOverloaded),
        (Answer(200, completion().body[:-40]), ProviderOverloaded),
        (Answer(200, b"[" * 100_000), ProviderOverloaded),
        (answer(200, ["not", "a", "completion"]), ProviderOverloaded),
        (answer(200, {"hello": "there"}), ProviderOverloaded),
        (answer(200, {"error": {"message": "upstream", "code": 502}}), ProviderOverloaded),
        (answer(200, {"error": {"message": "slow down", "code": 429}}), RateLimited),
        (answer(200, {"error": {"message": "who are you?", "code": 401}}), AuthenticationFailed),
        (Answer(200, b"\x1f\x8bnot gzip", {"content-encoding": "gzip"}), ProviderUnreachable),
        (ConnectionResetError("reset"), ProviderUnreachable),
    ],
)
async def test_each_failure_maps_to_one_of_our_errors_without_a_retry(
    talk: Talk, said: Answer | Exception, kind: type[ProviderError]
) -> None:
    error = await talk.fail(said)
    assert type(error) is kind
    assert error.may_be_answered is (kind is ProviderUnreachable)
    everything = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)
    assert KEY not in everything
    assert KEY[4:] not in everything
    assert "stool of solid oak" not in everything


@pytest.mark.parametrize(
    ("broken", "kind", "may_be_answered"),
    [
        (httpx2.ConnectError("[Errno 111] Connection refused"), ProviderUnreachable, False),
        (httpx2.ReadError("connection reset by peer"), ProviderUnreachable, True),
        (httpx2.RemoteProtocolError("peer closed connection"), ProviderUnreachable, True),
        (httpx2.ReadTimeout("read"), ProviderTimeout, True),
        (httpx2.ConnectTimeout("connect"), ProviderTimeout, False),
        (httpx2.PoolTimeout("pool"), ProviderTimeout, False),
    ],
)
async def test_each_network_failure_maps_to_one_of_our_errors(
    broken: Exception, kind: type[ProviderError], may_be_answered: bool
) -> None:
    error = await Talk(None).fail(broken)
    assert type(error) is kind
    assert error.may_be_answered is may_be_answered
    sdk_error = openai.APITimeoutError if kind is ProviderTimeout else openai.APIConnectionError
    assert type(error.__cause__) is sdk_error


async def test_a_server_that_never_replies_hits_the_deadline(
    talk: Talk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Long enough for a request to arrive on a busy machine.
    monkeypatch.setattr("weighbridge.providers.openai.CONNECT_TIMEOUT_S", 1.0)
    error = await talk.fail(SILENCE, timeout_s=1.0)
    assert type(error) is ProviderTimeout
    assert f"{talk.host} did not answer in time" in str(error)


async def test_unsendable_text_is_refused_without_a_request(talk: Talk) -> None:
    scripted = ScriptedProvider(completion())
    with pytest.raises(RequestRefused, match="Unicode") as caught:
        await talk.provider(scripted).call(REQUEST._replace(content=f"{REQUEST.content} \ud83e"))
    assert scripted.requests == []
    assert "oak" not in "".join(traceback.format_exception(caught.value))
    assert "oak" not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("headers", "message", "retry_after_s"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "7", "retry-after-ms": "6530"}, "", 6.53),
        (
            {
                "retry-after": "Sat, 01 Aug 2026 10:00:30 GMT",
                "date": "Sat, 01 Aug 2026 10:00:00 GMT",
            },
            "",
            30.0,
        ),
        ({}, "Rate limit reached. Please try again in 1m2.5s.", 62.5),
        ({}, "Rate limit reached.", None),
    ],
)
async def test_a_429_says_how_long_to_wait(
    talk: Talk, headers: dict[str, str], message: str, retry_after_s: float | None
) -> None:
    error = await talk.fail(refusal(429, "rate_limit_exceeded", message, headers=headers))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == retry_after_s
    assert str(error).startswith("Rate limit exceeded")


async def test_a_429_carries_the_rate_limit_headers(talk: Talk) -> None:
    error = await talk.fail(refusal(429, "rate_limit_exceeded", headers=RATE_LIMIT_HEADERS))
    assert remaining_of(error) == Remaining(500, 499, 0.12, 200_000, 198_500, 360.5)
    assert remaining_of(await talk.fail(refusal(500))) is None


async def test_errors_never_quote_the_prompt(talk: Talk) -> None:
    error = await talk.fail(refusal(400, None, f"bad value in input: {REQUEST.content}"))
    assert "no explanation was given" in str(error)
    assert "oak" not in "".join(traceback.format_exception(error))


async def test_error_messages_name_the_request_and_the_remedy(talk: Talk) -> None:
    quota = await talk.fail(refusal(429, "insufficient_quota", "You exceeded your current quota."))
    assert f"{talk.name} (429 insufficient_quota, request req_42)" in str(quota)
    assert "start the queue again" in str(quota)
    address = await talk.fail(Answer(308, b"", {"location": "https://api.example/v1/"}))
    assert "https://api.example/v1/" in str(address)
    assert "OPENAI_BASE_URL" in str(address)
    network = await Talk(None).fail(httpx2.ConnectError("[Errno 111] Connection refused"))
    assert "No connection to api.openai.com: [Errno 111] Connection refused." in str(network)


# Before anything is spent -------------------------------------------------------------------------

MODELS = answer(
    200,
    {
        "object": "list",
        "data": [{"id": m} for m in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "whisper-1")],
    },
)


async def test_check_accepts_a_model_the_server_lists(talk: Talk) -> None:
    scripted = ScriptedProvider(answer(200, {"id": MODEL, "object": "model"}))
    await talk.provider(scripted).check()
    first, *rest = [(r.method, r.path) for r in scripted.requests]
    assert first == ("GET", f"/v1/models/{MODEL}")
    # A server of this machine may be llama.cpp, which tells its context elsewhere.
    assert rest == ([] if talk.name == "openai" else [("GET", "/props")])


async def test_check_names_similar_models(talk: Talk) -> None:
    scripted = ScriptedProvider(refusal(404, "model_not_found", NO_MODEL), MODELS)
    with pytest.raises(ModelUnknown, match="gpt-4o-mini") as caught:
        await talk.provider(scripted, "gpt4o-mini").check()
    assert "whisper" not in str(caught.value)


@pytest.mark.parametrize(
    "listed", [answer(200, {"data": []}), web_page(404), refusal(500), web_page(200)]
)
async def test_check_reports_an_unknown_model_even_without_a_list(
    talk: Talk, listed: Answer
) -> None:
    scripted = ScriptedProvider(refusal(404, "model_not_found", NO_MODEL), listed)
    with pytest.raises(ModelUnknown, match="gpt-9"):
        await talk.provider(scripted, "gpt-9").check()


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_check_accepts_servers_without_a_model_endpoint(talk: Talk, status: int) -> None:
    not_there = answer(status, {"detail": "Not Found"})
    await talk.provider(ScriptedProvider(not_there, MODELS)).check()
    await talk.provider(ScriptedProvider(not_there, not_there)).check()


async def test_check_accepts_a_restricted_key_that_cannot_list_models(talk: Talk) -> None:
    missing = (
        "You have insufficient permissions for this operation. Missing scopes: api.model.read."
    )
    for status in (401, 403):
        await talk.provider(ScriptedProvider(refusal(status, None, missing))).check()


async def test_check_quotes_the_model_in_the_path(talk: Talk) -> None:
    scripted = ScriptedProvider(answer(200, {"id": "meta/llama"}))
    await talk.provider(scripted, "meta/llama 3").check()
    assert scripted.requests[0].path == "/v1/models/meta%2Fllama%203"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            refusal(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"),
            AuthenticationFailed,
        ),
        (refusal(429, "insufficient_quota"), QuotaExhausted),
        (refusal(503), ProviderOverloaded),
        (web_page(200), ModelUnknown),
        (httpx2.ConnectError("Name or service not known"), ProviderUnreachable),
    ],
)
async def test_check_fails_before_anything_is_spent(
    said: Answer | Exception, kind: type[ProviderError]
) -> None:
    provider = ScriptedProvider(said).provider(base_url="http://llm.example:8080/v1")
    with pytest.raises(kind) as caught:
        await provider.check()
    assert "llm.example" in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
