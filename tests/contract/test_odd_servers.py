"""What servers that speak OpenAI's dialect really send, and what it means: one table of failures,
one of replies.

The bodies are those of public reports. Each is answered over the real SDK; what counts is whose
fault it is, and that the server's own words are shown.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.scripted_provider import (
    MODEL,
    REQUEST,
    SILENCE,
    Answer,
    ScriptedProvider,
    answer,
    completion,
)
from weighbridge.domain.calls import FinishReason
from weighbridge.errors import (
    AuthenticationFailed,
    EmptyReply,
    GenerationFailed,
    ImageRefused,
    ModelUnknown,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
    RequestBlocked,
    RequestRefused,
    RequestTooLarge,
)
from weighbridge.providers.base import reply_of
from weighbridge.providers.openai import UNUSABLE_BEFORE_STOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.domain.calls import CallReply

pytestmark = pytest.mark.anyio

OPENROUTER: Final = {
    "message": "Provider returned error",
    "code": 429,
    "metadata": {"raw": "Too Many Requests"},
}


def page(status: int, words: str) -> Answer:
    html = f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>"
    return Answer(status, html.encode(), {"content-type": "text/html"})


FAILURES: Final[list[tuple[str, Answer, type[ProviderError], str]]] = [
    # An upstream's fault in an answer of status 200.
    ("OpenRouter, choices null", answer(200, {"choices": None, "error": OPENROUTER}), RateLimited, "Too Many Requests"),
    ("OpenRouter, choices empty", answer(200, {"choices": [], "error": OPENROUTER}), RateLimited, "Too Many"),
    ("the error in the choice", answer(200, {"choices": [{"error": {"code": 502, "message": "Upstream lost"}, "finish_reason": "error"}]}), ProviderOverloaded, "Upstream lost"),
    ("finish_reason error", completion('{"cat', finish_reason="error"), ProviderOverloaded, "finish_reason error"),
    ("DeepSeek out of machines", completion("", finish_reason="insufficient_system_resource"), ProviderOverloaded, "insufficient_system_resource"),
    ("vLLM aborted", completion('{"ca', finish_reason="abort"), ProviderOverloaded, "abort"),
    ("MiniMax", answer(200, {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}), RateLimited, "rate limit"),
    ("Baidu", answer(200, {"error_code": 336501, "error_msg": "Rpm rate limit reached, too many requests"}), RateLimited, "Rpm"),
    ("an error as a string", answer(200, {"error": "backend overloaded"}), ProviderOverloaded, "backend overloaded"),
    ("LM Studio, wrong path", answer(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}), ModelUnknown, "Unexpected endpoint"),
    ("a key refused in a 200", answer(200, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}), AuthenticationFailed, "Incorrect"),
    ("vLLM's shape in a 200", answer(200, {"object": "error", "message": "overloaded", "code": 503}), ProviderOverloaded, "overloaded"),
    ("a stream that breaks off", Answer(200, b'data: {"choices": [{"delta": {"content": "{\\"cat"}}]}\n\n'), ProviderOverloaded, "in the middle of an answer"),
    ("LM Studio, loading", answer(400, {"error": "Model is currently loading. Please wait."}), ProviderOverloaded, "currently loading"),
    ("an error event", Answer(200, b'data: {"error": {"message": "Overloaded", "code": 529}}\n\n'), ProviderOverloaded, "Overloaded"),
    # Limits of a moment.
    ("Scaleway", answer(429, {"status": 429, "error": "INSUFFICIENT QUOTA", "message": "You exceeded your current limit of concurrent requests."}), RateLimited, "concurrent requests"),
    ("Gemini's free tier", answer(429, [{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 24.3s.", "status": "RESOURCE_EXHAUSTED"}}]), RateLimited, "retry in"),
    ("Azure's gateway", answer(429, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 27 seconds."}), RateLimited, "27 seconds"),
    ("LiteLLM", answer(429, {"error": {"message": "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached", "type": "throttling_error", "param": None, "code": "429"}}), RateLimited, "Rate limit reached"),
    ("LiteLLM, all cooling down", answer(429, {"error": {"message": "No deployments available for selected model, Try again in 5 seconds.", "code": "429"}}), RateLimited, "Try again"),
    ("Bedrock", answer(400, {"message": "ThrottlingException: Too many requests, please wait"}), RateLimited, "Throttling"),
    ("nginx", page(429, "429 Too Many Requests"), RateLimited, "Too Many"),
    ("Gemini's day", answer(429, [{"error": {"code": 429, "message": "You exceeded your current quota", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}, {"retryDelay": "34s"}]}}]), RateLimited, "PerDay"),
    ("a gateway's channels are full, in Chinese", answer(429, {"error": {"message": "当前分组上游负载已饱和，请稍后再试", "type": "upstream_error", "code": "bad_response_status_code"}}), RateLimited, "请稍后再试"),
    ("too many at once, in Chinese", answer(200, {"error": {"code": "1302", "message": "您当前使用该API的并发数过高"}}), RateLimited, "1302"),
    ("Bedrock's minute", answer(429, {"message": "Too many tokens, please wait before trying again."}), RateLimited, "Too many tokens"),
    ("Bedrock's minute through LiteLLM", answer(400, {"error": {"message": "litellm.RateLimitError: BedrockException - Too many tokens, please wait before trying again."}}), RateLimited, "please wait"),
    ("Bedrock, warming up", answer(429, {"message": "The model is not ready for serving inference requests."}), RateLimited, "not ready"),
    ("Mistral's tier", answer(429, {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "invalid_request_error", "param": None, "code": None}), RateLimited, "capacity exceeded"),
    ("Azure's peak", answer(429, {"success": False, "error": {"message": "Your request exceeds the maximum usage size allowed during peak load. Please retry after 20 seconds.", "code": "RATE_LIMITED"}, "status": 429}), RateLimited, "peak load"),
    ("Together", answer(429, {"error": {"message": "The maximum rate limit for this model is 0.6 queries per minute.", "type": "model_rate_limit"}}), RateLimited, "queries per minute"),
    ("Cloudflare's day", answer(429, {"success": False, "errors": [{"code": 3036, "message": "you have used up your daily free allocation of 10,000 neurons, please upgrade"}]}), RateLimited, "daily free allocation"),
    ("Moonshot", answer(429, {"error": {"message": "Your account org-1 request reached organization max concurrency: 1, please try again after 1 seconds", "type": "rate_limit_reached_error"}}), RateLimited, "concurrency"),
    ("Gemini, no room", answer(429, [{"error": {"code": 429, "message": "No capacity available for model g on the server", "status": "RESOURCE_EXHAUSTED"}}]), RateLimited, "No capacity"),
    # Money.
    ("Gemini, prepaid", answer(429, [{"error": {"code": 429, "message": "Your prepayment credits are depleted.", "status": "RESOURCE_EXHAUSTED"}}]), QuotaExhausted, "depleted"),
    ("Gemini, cap", answer(429, [{"error": {"code": 429, "message": "Your project has exceeded its monthly spending cap.", "status": "RESOURCE_EXHAUSTED"}}]), QuotaExhausted, "spending cap"),
    ("OpenRouter, the key's limit", answer(403, {"error": {"message": "Key limit exceeded (monthly limit). Manage it using https://openrouter.ai/settings/keys", "code": 403}}), QuotaExhausted, "Key limit"),
    ("Moonshot, suspended", answer(429, {"error": {"message": "Your account org-1 is suspended, please check your plan and billing details", "type": "exceeded_current_quota_error"}}), QuotaExhausted, "suspended"),
    ("Alibaba", answer(400, {"error": {"message": "Access denied, please make sure your account is in good standing.", "code": "Arrearage"}}), QuotaExhausted, "good standing"),
    ("Fireworks", answer(412, {"error": {"message": "Account x is suspended, possibly due to reaching the monthly spending limit.", "code": "PRECONDITION_FAILED"}}), QuotaExhausted, "suspended"),
    ("Hugging Face", answer(402, {"error": "You have exceeded your monthly included credits for Inference Providers."}), QuotaExhausted, "included credits"),
    ("xAI", answer(403, {"code": "The caller does not have permission", "error": "Your team x has either used all available credits or reached its monthly spending limit."}), QuotaExhausted, "credits"),
    ("a code as the whole error", answer(429, {"error": "insufficient_quota"}), QuotaExhausted, "insufficient_quota"),
    ("no balance, in Chinese", answer(429, {"error": {"code": "1113", "message": "您的账户已欠费，请充值后重试"}}), QuotaExhausted, "1113"),
    ("OpenRouter, no credit", answer(402, {"error": {"code": 402, "message": "Insufficient credits"}}), QuotaExhausted, "Insufficient credits"),
    ("DeepSeek, no balance", answer(402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}), QuotaExhausted, "Balance"),
    ("Anthropic's words", answer(400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}}), QuotaExhausted, "credit balance"),
    ("LiteLLM's budget", answer(400, {"error": {"message": "Budget has been exceeded! Current cost: 5.1, Max budget: 5.0", "type": "budget_exceeded"}}), QuotaExhausted, "Budget"),
    # Too large.
    ("vLLM", answer(400, {"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you requested 6379 tokens", "type": "BadRequestError", "code": 400}), RequestTooLarge, "4096"),
    ("llama.cpp", answer(400, {"error": {"code": 400, "message": "the request exceeds the available context size. try increasing the context size", "type": "exceed_context_size_error", "n_prompt_tokens": 1407, "n_ctx": 256}}), RequestTooLarge, "context size"),
    ("llama-cpp-python", answer(500, {"error": {"message": "Requested tokens (2285) exceed context window of 2048", "type": "internal_server_error"}}), RequestTooLarge, "2048"),
    ("TGI", answer(422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1900", "error_type": "validation"}), RequestTooLarge, "2048"),
    ("Anthropic, prompt", answer(400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}), RequestTooLarge, "210000"),
    ("Gemini, input", answer(400, [{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}}]), RequestTooLarge, "1048576"),
    ("Mistral, context", answer(400, {"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length", "code": 3051}), RequestTooLarge, "32768"),
    ("a context in a 422", answer(422, {"detail": "Prompt length 9000 exceeds the context of 4096"}), RequestTooLarge, "4096"),
    ("vLLM, no room", answer(400, {"message": "max_tokens must be at least 1, got -186.", "code": 400}), RequestTooLarge, "-186"),
    ("Groq's minute", answer(413, {"error": {"message": "Request too large for model `x` on tokens per minute (TPM): Limit 12000, Requested 14137, please reduce your message size and try again.", "type": "tokens", "code": "rate_limit_exceeded"}}), RequestTooLarge, "14137"),
    ("nginx, body", page(413, "413 Request Entity Too Large"), RequestTooLarge, "Entity Too Large"),
    ("an older llama.cpp", answer(500, {"error": "Input is too large to process. Either enable context shift or increase context length."}), RequestTooLarge, "too large"),
    ("LM Studio, context", answer(400, {"error": "Trying to keep the first 4532 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}), RequestTooLarge, "4,096"),
    ("Bedrock, allowance", answer(400, {"message": "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value lower than 4096."}), RequestTooLarge, "4096"),
    # The model is not there.
    ("Bedrock, on demand", answer(400, {"message": "Invocation of model ID x with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}), ModelUnknown, "inference profile"),
    ("Together, not served", answer(400, {"error": {"message": "Unable to access non-serverless model x. Please visit https://api.together.ai/models/x to start a dedicated endpoint.", "code": "model_not_available"}}), ModelUnknown, "non-serverless"),
    ("LM Studio, nothing loaded", answer(400, {"error": {"message": "No models loaded. Please load a model in the developer page or use the 'lms load' command.", "type": "invalid_request_error"}}), ModelUnknown, "lms load"),
    ("Cloudflare, model", answer(200, {"success": False, "errors": [{"code": 5007, "message": "No such model @cf/meta/llama-9"}], "result": None}), ModelUnknown, "llama-9"),
    ("Vertex", answer(404, [{"error": {"code": 404, "message": "Publisher Model `x` was not found or your project does not have access to it.", "status": "NOT_FOUND"}}]), ModelUnknown, "Publisher Model"),
    ("OpenRouter, privacy", answer(404, {"error": {"message": "No endpoints found matching your data policy (Free model publication).", "code": 404}}), ModelUnknown, "data policy"),
    ("Ollama", answer(404, {"error": "model 'llama9' not found, try pulling it first"}), ModelUnknown, "try pulling it"),
    ("vLLM, model", answer(404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}), ModelUnknown, "does not exist"),
    ("Groq, model gone", answer(400, {"error": {"message": "The model `mixtral` has been decommissioned and is no longer supported.", "code": "model_decommissioned"}}), ModelUnknown, "decommissioned"),
    ("OpenRouter, no endpoints", answer(404, {"error": {"message": "No endpoints found for x/y.", "code": 404}}), ModelUnknown, "No endpoints"),
    ("Azure, deployment", answer(404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}), ModelUnknown, "deployment"),
    ("Go's router", Answer(404, b"404 page not found", {"content-type": "text/plain"}), ModelUnknown, "OPENAI_BASE_URL"),
    ("FastAPI", answer(404, {"detail": "Not Found"}), ModelUnknown, "OPENAI_BASE_URL"),
    # The key.
    ("Gemini, key", answer(400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]), AuthenticationFailed, "not valid"),
    ("LiteLLM, key", answer(400, {"error": {"message": "Authentication Error, No connected db.", "type": "no_db_connection", "code": "400"}}), AuthenticationFailed, "Authentication"),
    ("Mistral, key", answer(401, {"message": "Unauthorized", "request_id": "1"}), AuthenticationFailed, "Unauthorized"),
    ("nginx, key", page(401, "401 Authorization Required"), AuthenticationFailed, "Authorization Required"),
    ("Cloudflare, before a key had worked", page(403, "Just a moment..."), AuthenticationFailed, "a firewall"),
    ("Gemini, leaked", answer(403, [{"error": {"code": 403, "message": "Your API key was reported as leaked. Please use another API key.", "status": "PERMISSION_DENIED"}}]), AuthenticationFailed, "leaked"),
    # This try, not this product.
    ("LM Studio, crashed", answer(400, {"error": "The model has crashed without additional information. (Exit code: 6)"}), ProviderOverloaded, "crashed"),
    ("LM Studio, unloaded", answer(400, {"error": "Model unloaded."}), ProviderOverloaded, "unloaded"),
    ("LocalAI", answer(500, {"error": {"code": 500, "message": "rpc error: code = Unavailable desc = error reading from server: EOF", "type": ""}}), ProviderOverloaded, "EOF"),
    ("Ollama's queue", answer(503, {"error": "server busy, please try again.  maximum pending requests exceeded"}), ProviderOverloaded, "pending requests"),
    ("a string as the body", answer(503, "Service Unavailable"), ProviderOverloaded, "Service Unavailable"),
    ("an error in an error", answer(503, {"error": {"message": '{\n "error": {"code": 503, "message": "The model is overloaded."}}\n', "code": 503}}), ProviderOverloaded, "The model is overloaded"),
    ("Groq, JSON", answer(400, {"error": {"message": "Failed to generate JSON. Please adjust your prompt.", "code": "json_validate_failed", "failed_generation": '{"p'}}), GenerationFailed, "Failed to generate"),
    ("OpenAI, thrown away", answer(500, {"error": {"message": "The model produced invalid content. Consider modifying your prompt if you are seeing this error persistently.", "type": "model_error"}}), GenerationFailed, "invalid content"),
    ("TGI, out of memory", answer(500, {"error": "Request failed during generation: CUDA out of memory", "error_type": "generation"}), ProviderOverloaded, "CUDA"),
    ("TGI, generation", answer(424, {"error": "Request failed during generation: Server error", "error_type": "generation"}), ProviderOverloaded, "during generation"),
    # The picture.
    ("OpenAI, picture", answer(400, {"error": {"message": "Timeout while downloading https://shop.example/d.jpg.", "code": "invalid_image_url"}}), ImageRefused, "Timeout"),
    ("vLLM, text only", answer(400, {"message": "x is not a multimodal model", "code": 400, "detail": "image input is not supported"}), ImageRefused, "not supported"),
    # Words wherever they are, and the whole body where none are found.
    ("a message as an object", answer(400, {"error": {"message": {"text": "bad thing"}}}), RequestRefused, "bad thing"),
    ("a message as a number", answer(400, {"error": {"message": 12345}}), RequestRefused, "12345"),
    ("errors by field", answer(400, {"errors": {"stop": ["must be a list"]}}), RequestRefused, "must be a list"),
    ("a login page", page(200, "Sign in"), ProviderOverloaded, "a web page (Sign in)"),
    ("an error at the end of a stream", Answer(200, b'data: {"choices":[{"delta":{"content":"{"}}]}\n\ndata: {"error":{"message":"Overloaded","code":529}}\n\n'), ProviderOverloaded, "is unavailable: Overloaded"),
    ("a reason of many words", completion("", finish_reason="MALFORMED_RESPONSE"), ProviderOverloaded, "MALFORMED_RESPONSE"),
    # Overload in many words.
    ("Anthropic, overloaded", answer(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), ProviderOverloaded, "Overloaded"),
    ("llama.cpp, loading", answer(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}), ProviderOverloaded, "Loading model"),
    ("Groq, capacity", answer(498, {"error": {"message": "capacity exceeded"}}), ProviderOverloaded, "capacity"),
    ("flex is full", answer(429, {"error": {"message": "Resource unavailable, try again later", "code": "resource_unavailable"}}), ProviderOverloaded, "Resource unavailable"),
    ("Cloudflare", page(524, "524: A timeout occurred"), ProviderOverloaded, "timeout occurred"),
    ("nginx, gateway", page(502, "502 Bad Gateway"), ProviderOverloaded, "Bad Gateway"),
    ("Envoy", Answer(503, b"upstream connect error or disconnect/reset before headers", {"content-type": "text/plain"}), ProviderOverloaded, "upstream connect"),
    ("Cloudflare's API", answer(500, {"success": False, "errors": [{"code": 3040, "message": "Capacity temporarily exceeded"}]}), ProviderOverloaded, "Capacity"),
    ("a month is used up", answer(429, {"error": {"message": "Monthly quota exceeded. Upgrade your plan.", "type": "quota_exceeded"}}), QuotaExhausted, "Monthly quota"),
    ("a token of yesterday", answer(400, {"error": {"message": "The access token expired"}}), AuthenticationFailed, "token expired"),
    ("a proxy on the way", Answer(407, b"Proxy Authentication Required", {"content-type": "text/plain"}), ProviderUnreachable, "Proxy Authentication"),
    ("the wrong machine", Answer(421, b"Misdirected Request", {"content-type": "text/plain"}), ProviderOverloaded, "Misdirected"),
    ("retry with", answer(449, {"error": "retry with another worker"}), ProviderOverloaded, "another worker"),
    ("the region", answer(451, {"error": {"message": "Unavailable For Legal Reasons"}}), AuthenticationFailed, "Legal Reasons"),
    ("AWS in a 200", answer(200, {"Output": {"__type": "com.amazon.coral#ThrottlingException"}}), ProviderOverloaded, "ThrottlingException"),
    ("a stream of comments", Answer(200, b": PROCESSING\n\n: PROCESSING\n\n", {"content-type": "text/event-stream"}), EmptyReply, "empty completion"),
    ("no content", Answer(204, b""), ProviderOverloaded, "not the JSON of its API"),
    ("queued", answer(202, {"status": "queued", "id": "q-1"}), ProviderOverloaded, "queued"),
    # Refused, and whose fault it is can only be found alone.
    ("brackets that are no JSON", answer(400, {"object": "error", "message": "[{'loc': ('body', 'stop'), 'msg': 'Extra inputs are not permitted'}]", "code": 400}), RequestRefused, "refused the request: [{'loc'"),
    ("Gemini, unhelpful", answer(400, [{"error": {"code": 400, "message": "Request contains an invalid argument.", "status": "INVALID_ARGUMENT"}}]), RequestRefused, "invalid argument"),
    ("OpenRouter, moderation", answer(403, {"error": {"code": 403, "message": "Your input was flagged", "metadata": {"reasons": ["violence"]}}}), RequestRefused, "flagged"),
    ("Azure, filter", answer(400, {"error": {"code": "content_filter", "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."}}), RequestRefused, "filtered"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "kind", "words"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
async def test_a_failure_is_charged_to_whom_it_belongs_and_quoted(
    said: Answer, kind: type[ProviderError], words: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        await ScriptedProvider(said).provider(base_url="https://llm.example/v1").call(REQUEST)
    assert type(caught.value) is kind
    assert words.lower() in str(caught.value).lower()


async def test_a_web_page_once_the_key_has_worked_is_about_the_request() -> None:
    scripted = ScriptedProvider(completion(), page(403, "403 Forbidden"))
    provider = scripted.provider()
    await provider.call(REQUEST)
    with pytest.raises(RequestBlocked, match="firewall"):
        await provider.call(REQUEST)


async def test_a_web_page_before_the_key_has_worked_is_about_the_key() -> None:
    with pytest.raises(AuthenticationFailed, match="403 Forbidden"):
        await ScriptedProvider(page(403, "403 Forbidden")).provider().call(REQUEST)


async def test_an_address_that_never_gave_a_completion_stops_the_queue() -> None:
    provider = ScriptedProvider(page(200, "Welcome")).provider()
    for _ in range(UNUSABLE_BEFORE_STOP - 1):
        with pytest.raises(ProviderOverloaded):
            await provider.call(REQUEST)
    with pytest.raises(ModelUnknown, match="OPENAI_BASE_URL"):
        await provider.call(REQUEST)


async def test_the_context_that_a_refusal_names_is_remembered() -> None:
    refused = answer(
        400, {"error": {"message": "too long", "code": "context_length_exceeded", "n_ctx": 1280}}
    )
    provider = ScriptedProvider(refused).provider(model="smollm2")
    with pytest.raises(RequestTooLarge):
        await provider.call(REQUEST)
    assert provider.context_tokens == 1280


async def test_an_allowance_that_does_not_fit_the_context_is_shortened_and_sent_again() -> None:
    refused = answer(400, {"message": "This model's maximum context length is 1280 tokens. However, you requested 1300 tokens (1100 in the messages, 200 in the completion).", "code": 400})  # fmt: skip
    scripted = ScriptedProvider(refused, completion())
    await scripted.provider(model="smollm2").call(REQUEST)
    assert [next(v for k, v in sent.body.items() if k.startswith("max_")) for sent in scripted.requests] == [200, 180]  # fmt: skip


async def test_a_llama_server_says_how_much_it_takes_and_what_was_full_is_named() -> None:
    said = {"default_generation_settings": {"n_ctx": 1280}, "total_slots": 1}
    cut = completion('{"cat', finish_reason="length", usage={"prompt_tokens": 1100, "completion_tokens": 180})  # fmt: skip
    scripted = ScriptedProvider(answer(200, {"id": "smollm2"}), answer(200, said), cut)
    provider = scripted.provider(model="smollm2", base_url="http://127.0.0.1:8080/v1")
    await provider.check()
    assert (provider.is_local, provider.calls_at_once, provider.context_tokens) == (True, 1, 1280)
    reply = await provider.call(REQUEST)
    assert reply.full_context_tokens == 1280


async def test_a_local_server_in_which_calls_time_out_gets_fewer_at_once() -> None:
    scripted = ScriptedProvider(SILENCE)
    provider = scripted.provider(base_url="http://127.0.0.1:8080/v1", timeout_s=1.0)
    assert provider.calls_at_once is None
    calls = [provider.call(REQUEST) for _ in range(4)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ProviderTimeout}
    assert provider.calls_at_once == 1


# Parameters and their refusals
# ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "refused",
    [
        answer(422, {"error": "Input validation error: `temperature` must be strictly positive", "error_type": "validation"}),
        answer(422, {"status": 422, "message": "Invalid params: temperature must be in range (0, +inf)"}),
        answer(400, {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model.", "param": "temperature", "code": "unsupported_value"}}),
        answer(400, {"detail": "Unknown parameter: temperature"}),
    ],
)  # fmt: skip
async def test_a_temperature_that_is_refused_is_left_out(refused: Answer) -> None:
    scripted = ScriptedProvider(refused, completion())
    await scripted.provider().call(REQUEST)
    assert ["temperature" in asked.body for asked in scripted.requests] == [True, False]


async def test_a_refused_effort_becomes_the_lowest_that_is_offered() -> None:
    refused = answer(400, {"error": {
        "message": "Unsupported value: 'none' is not supported with this model. Supported values are: 'low', 'medium'.",
        "param": "reasoning_effort", "code": "unsupported_value",
    }})  # fmt: skip
    scripted = ScriptedProvider(refused, completion())
    await scripted.provider(model="gpt-6-luna").call(REQUEST)
    assert [asked.body["reasoning_effort"] for asked in scripted.requests] == ["none", "low"]
    assert "temperature" not in scripted.requests[1].body


@pytest.mark.parametrize(
    "refused",
    [
        answer(500, {"error": {"code": 500, "message": "Jinja Exception: System role not supported"}}),
        answer(400, {"object": "error", "message": "Only user and assistant roles are supported!", "code": 400}),
        answer(400, [{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma-3"}}]),
        answer(400, {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant"}}),
    ],
)  # fmt: skip
async def test_a_template_without_a_system_role_gets_the_instructions_from_the_user(
    refused: Answer,
) -> None:
    scripted = ScriptedProvider(refused, completion())
    provider = scripted.provider()
    await provider.call(REQUEST)
    (message,) = scripted.requests[1].body["messages"]
    assert message == {"role": "user", "content": f"{REQUEST.instructions}\n\n{REQUEST.content}"}
    assert provider.learned()["has_system_role"] is False
    await provider.call(REQUEST._replace(image_urls=("https://shop.example/a.jpg",)))
    (message,) = scripted.requests[2].body["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "text", "image_url"]


async def test_an_address_that_worked_is_not_given_up_for_one_answer_of_a_proxy() -> None:
    gone = Answer(404, b"404 page not found", {"content-type": "text/plain"})
    scripted = ScriptedProvider(completion(), gone, gone, completion(), gone)
    provider = scripted.provider()
    await provider.call(REQUEST)
    for _ in range(2):
        with pytest.raises(ProviderOverloaded, match="worked before"):
            await provider.call(REQUEST)
    await provider.call(REQUEST)
    for kind in (ProviderOverloaded, ProviderOverloaded, ModelUnknown):
        with pytest.raises(kind):
            await provider.call(REQUEST)


async def test_a_500_that_names_the_form_is_about_what_the_server_can_do() -> None:
    refused = answer(500, {"error": {"message": "response_format is not implemented"}})
    scripted = ScriptedProvider(refused, refused, completion())
    await scripted.provider().call(REQUEST)
    assert scripted.requests[-1].body["response_format"] == {"type": "json_object"}


async def test_a_server_that_ignores_the_schema_is_told_it_in_the_prompt() -> None:
    scripted = ScriptedProvider(*[completion("Certainly! It is a chair.")] * 4)
    provider = scripted.provider()
    for _ in range(7):
        await provider.call(REQUEST)
    forms = [asked.body.get("response_format", {}).get("type") for asked in scripted.requests]
    assert forms[0] == "json_schema"
    assert forms[-1] == "json_object"


async def test_the_query_of_an_address_goes_behind_every_request() -> None:
    scripted = ScriptedProvider(completion())
    azure = "https://x.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21"
    await scripted.provider(base_url=azure).call(REQUEST)
    (asked,) = scripted.requests
    assert (asked.path, asked.query) == (
        "/openai/deployments/gpt/chat/completions",
        "api-version=2024-10-21",
    )
    assert asked.headers["api-key"]


# Replies
# --------------------------------------------------------------------------------------------

GOOD: Final = {"category": "Chairs"}
TEXT: Final = json.dumps(GOOD)
DRAFT: Final = json.dumps({"category": "Tables"})


def said(message: dict[str, Any], finish_reason: str = "stop") -> Answer:
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": finish_reason,
    }
    return completion(choices=[choice])


STREAMED: Final = b"data: " + json.dumps(
    {"choices": [{"index": 0, "delta": {"content": TEXT}, "finish_reason": "stop"}]}
).encode() + b"\n\n"  # fmt: skip
REPLIES: Final[list[tuple[str, Answer]]] = [
    ("plain", completion(TEXT)),
    ("fenced", completion(f"Here is the JSON:\n```json\n{TEXT}\n```\nLet me know.")),
    ("a draft in think tags", completion(f"<think>\nFirst {DRAFT}, but that is wrong.\n</think>\n{TEXT}")),
    ("the closing tag alone", completion(f"First {DRAFT} …</think>{TEXT}")),
    ("Mistral's tags", completion(f"[THINK]{DRAFT}[/THINK]{TEXT}")),
    ("harmony channels", completion(f"<|channel|>analysis<|message|>{DRAFT}<|end|><|channel|>final<|message|>{TEXT}")),
    ("harmony channels with a format", completion(f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>{TEXT}<|return|>")),
    ("harmony without its marks", completion(f"analysisFirst {DRAFT}.assistantfinal{TEXT}")),
    ("tags with a prefix", completion(f"<seed:think>{DRAFT}</seed:think>{TEXT}")),
    ("a name with blanks", completion('{" category ": "Chairs"}')),
    ("a list of strings", said({"content": [TEXT]})),
    ("two documents", completion(f"{DRAFT}\nNo, wait:\n{TEXT}")),
    ("encoded twice", completion(json.dumps(TEXT))),
    ("wrapped by the schema's name", completion(json.dumps({"classification": GOOD}))),
    ("wrapped as a string", completion(json.dumps({"answer": TEXT}))),
    ("in a list of one", completion(json.dumps([GOOD]))),
    ("other case", completion(json.dumps({"category": " CHAIRS"}))),
    ("HTML escapes", completion(TEXT.replace('"', "&quot;"))),
    ("trailing comma", completion('{"category": "Chairs",}')),
    ("single quotes", completion("{'category': 'Chairs'}")),
    ("name in capitals", completion('{"Category": "Chairs"}')),
    ("parts", said({"content": [{"type": "thinking", "thinking": DRAFT}, {"type": "text", "text": TEXT}]})),
    ("decoded already", said({"content": GOOD})),
    ("a tool call", said({"content": None, "tool_calls": [{"function": {"name": "x", "arguments": TEXT}}]}, "tool_calls")),
    ("an old function call", said({"content": None, "function_call": {"name": "x", "arguments": TEXT}})),
    ("all of it as reasoning", said({"content": None, "reasoning_content": TEXT})),
    ("reasoning with an end", said({"content": "", "reasoning": f"{DRAFT}</think>{TEXT}"})),
    ("a message that is a string", completion(choices=[{"message": TEXT, "finish_reason": "stop"}])),
    ("a value in a list", completion('{"category": ["Chairs"]}')),
    ("a value in an object", completion('{"category": {"value": "chairs"}}')),
    ("a value with a number", completion('{"category": "1. Chairs"}')),
    ("a byte order mark", Answer(200, b"\xef\xbb\xbf" + completion(TEXT).body)),
    ("events with ids and times", Answer(200, b"retry: 3000\nid: 1\nevent: message\n" + STREAMED + b"data: [DONE]\n\n")),
    ("an event over two lines", Answer(200, STREAMED.replace(b'"choices":', b'"choices":\ndata:'))),
    ("a stream of one choice among others", Answer(200, b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n' + STREAMED)),
    ("a whole answer without a mark of its end", Answer(200, STREAMED.replace(b'"stop"', b"null"))),
    ("comments before an ordinary body", Answer(200, b": keep-alive\n\n: keep-alive\n\n" + completion(TEXT).body)),
    ("an event stream", Answer(200, b"data: " + completion(TEXT).body + b"\n\ndata: [DONE]\n\n")),
    ("an envelope", answer(200, {"data": json.loads(completion(TEXT).body)})),
    ("packed without saying so", Answer(200, gzip.compress(completion(TEXT).body))),
    ("UTF-16", Answer(200, completion(TEXT).body.decode().encode("utf-16"))),
    ("something after its end", Answer(200, completion(TEXT).body + b',\n "error": null }')),
    ("twice", Answer(200, completion(TEXT).body + b"\n" + completion(TEXT).body)),
    ("choices by number", completion(choices={"0": {"message": {"content": TEXT}}})),
    ("an error that is none", completion(TEXT, error={"code": 0, "message": "success"})),
    ("an empty error", completion(TEXT, error={"code": None, "message": ""})),
]  # fmt: skip


async def reply_to(said: Answer) -> CallReply:
    return await ScriptedProvider(said).provider().call(REQUEST)


@pytest.mark.parametrize("said", [row[1] for row in REPLIES], ids=[row[0] for row in REPLIES])
async def test_an_answer_is_found_wherever_it_is(said: Answer) -> None:
    assert json.loads((await reply_to(said)).text) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        '{"category": ["Chairs", "Tables"]}',
        '{"category": {"value": "Chairs", "other": "Tables"}}',
        '{"category": 0}',
        '{"category": "1"}',
        '{"category": {"g": "Chairs"}}',
    ],
)
async def test_what_can_be_read_in_two_ways_is_left_as_it_is(text: str) -> None:
    assert json.loads((await reply_to(completion(text))).text) == json.loads(text)


async def test_tokens_are_read_under_the_names_of_other_apis() -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 12}
    assert (await reply_to(completion(TEXT, usage=usage))).usage[:2] == (1_000, 12)


async def test_tokens_are_read_from_strings() -> None:
    usage = {"prompt_tokens": "1000", "completion_tokens": "12"}
    assert (await reply_to(completion(TEXT, usage=usage))).usage[:2] == (1_000, 12)


async def test_two_different_completions_are_not_chosen_from() -> None:
    both = completion(TEXT).body + completion(DRAFT).body
    with pytest.raises(ProviderOverloaded, match="Extra data"):
        await reply_to(Answer(200, both))


async def test_a_gateway_that_hides_the_refusal_of_a_schema_is_asked_in_an_easier_form() -> None:
    inner = "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema'"
    raw = json.dumps({"error": {"code": 400, "message": inner}})
    told = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}
    scripted = ScriptedProvider(*[answer(200, {"error": told})] * 2, completion(TEXT))
    await scripted.provider().call(REQUEST)
    assert scripted.requests[-1].body["response_format"] == {"type": "json_object"}


async def test_a_grammar_that_is_not_supported_is_asked_for_in_an_easier_form() -> None:
    words = "The provided JSON schema contains features not supported by xgrammar."
    refused = answer(400, {"object": "error", "message": words, "type": "BadRequestError"})
    scripted = ScriptedProvider(refused, refused, completion(TEXT))
    await scripted.provider().call(REQUEST)
    assert scripted.requests[-1].body["response_format"] == {"type": "json_object"}


async def test_plain_json_comes_back_as_it_is() -> None:
    text = '{ "category" :"Chairs"}'
    assert (await reply_to(completion(text))).text == text


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{DRAFT}",
        f"I would say {DRAFT} but let me write it again: " + '{"category": "Cha',
    ],
)
async def test_a_draft_is_never_taken_for_the_answer(text: str) -> None:
    reply = await reply_to(completion(text, finish_reason="length"))
    assert reply.finish_reason is FinishReason.LENGTH
    assert '"Tables"' not in reply.text or "Cha" in reply.text


async def test_drafts_in_a_field_for_reasoning_stop_the_queue_with_the_remedy() -> None:
    with pytest.raises(ModelUnknown, match="reasoning parser"):
        await reply_to(said({"content": None, "reasoning_content": f"Perhaps {DRAFT}?"}))


async def test_what_was_cut_is_not_completed_by_guessing() -> None:
    cut = '{"category": "Chairs", "mass_kg": 0.2'
    assert (await reply_to(completion(cut, finish_reason="length"))).text == cut


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("MAX_OUTPUT_TOKENS", FinishReason.LENGTH),
        ("content_filter: PROHIBITED_CONTENT", FinishReason.REFUSAL),
        ("IMAGE_SAFETY", FinishReason.REFUSAL),
        ("eos_token", FinishReason.STOP),
    ],
)
async def test_a_finish_reason_is_known_by_a_word_in_it(reason: str, kind: FinishReason) -> None:
    assert (await reply_to(completion(TEXT, finish_reason=reason))).finish_reason is kind


async def test_a_count_of_tokens_that_cannot_be_true_is_not_booked() -> None:
    absurd = {"prompt_tokens": 10**12, "completion_tokens": 10**9}
    usage = (await reply_to(completion(TEXT, usage=absurd))).usage
    assert 0 < usage.input_tokens < 1_000
    assert 0 < usage.output_tokens < 1_000


ODD: Final[tuple[Any, ...]] = (None, True, -1, 1e300, "x", [], [None], {"x": 1}, [[{}]])
SHAPES: Final = (
    json.loads(completion(TEXT).body),
    {"choices": [{"message": {"content": [{"type": "text", "text": TEXT}], "refusal": None, "tool_calls": [{"function": {"name": "x", "arguments": TEXT}}]}, "delta": {"content": TEXT}, "error": None}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 1}, "cost": 0.1}},
    {"error": {"message": "x", "code": 429, "type": "x", "param": "x", "metadata": {"raw": "x"}, "details": [{"violations": [{"quotaId": "x"}]}, {"retryDelay": "3s"}]}, "choices": None},
    {"detail": [{"loc": ["body"], "msg": "x"}], "base_resp": {"status_code": 1, "status_msg": "x"}, "n_ctx": 4096},
)  # fmt: skip


def damaged(value: Any) -> Iterator[Any]:
    """The document with each of its parts replaced by something odd."""
    yield from ODD
    if isinstance(value, dict):
        yield from ({**value, name: odd} for name in value for odd in damaged(value[name]))
    if isinstance(value, list):
        for n, part in enumerate(value):
            yield from ([*value[:n], odd, *value[n + 1 :]] for odd in damaged(part))


@pytest.mark.parametrize("status", [200, 429])
async def test_no_body_is_so_odd_that_it_breaks_the_reader(status: int) -> None:
    bodies = [body for shape in SHAPES for body in damaged(shape)]
    said = [answer(status, body) for body in bodies]
    if status == 200:
        said += [Answer(status, b"data: " + json.dumps(body).encode()) for body in bodies]
    provider = ScriptedProvider(*said).provider()
    for _ in said:
        with suppress(ProviderError):
            assert isinstance((await provider.call(REQUEST)).text, str)


async def test_hidden_tokens_cache_writes_tier_and_cost_are_read() -> None:
    usage = {
        "prompt_tokens": 2000,
        "completion_tokens": 300,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1800},
        "completion_tokens_details": {"reasoning_tokens": 250},
    }
    headers = {"x-litellm-response-cost": "0.00042"}
    reply = await reply_to(completion(usage=usage, service_tier="flex", headers=headers))
    assert (reply.usage.cache_write_tokens, reply.usage.reasoning_tokens) == (1800, 250)
    assert (reply.service_tier, reply.stated_cost_usd) == ("flex", 0.00042)


@pytest.mark.parametrize("told", ["nan", "inf", "-inf", "-1", "1e9", "None", ""])
async def test_a_cost_that_can_be_none_is_not_booked(told: str) -> None:
    by_header = await reply_to(completion(headers={"x-litellm-response-cost": told}))
    counted = {"prompt_tokens": 1200, "completion_tokens": 15, "cost": told}
    by_usage = await reply_to(completion(usage=counted))
    assert by_header.stated_cost_usd is by_usage.stated_cost_usd is None


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"true", b"[1]"])
async def test_a_number_that_is_no_cost_is_not_booked(number: bytes) -> None:
    body = completion(usage={"prompt_tokens": 12, "cost": 7}).body
    reply = await reply_to(Answer(200, body.replace(b'"cost": 7', b'"cost": ' + number)))
    assert reply.stated_cost_usd is None


ZERO = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
REASONED = {
    "prompt_tokens": 4241,
    "completion_tokens": 700,
    "completion_tokens_details": {"reasoning_tokens": 700},
}


@pytest.mark.parametrize(
    ("said", "billed"),
    [
        pytest.param(completion(None, usage=ZERO), None, id="Ollama's cloud lost it"),
        pytest.param(completion(""), 1200, id="OpenRouter's free models"),
        pytest.param(completion(None, choices=[], usage=REASONED), 4241, id="LiteLLM for Gemini"),
        pytest.param(completion([], usage=REASONED), 4241, id="no parts"),
        pytest.param(completion("", usage={"prompt_tokens": None}), None, id="not counted"),
    ],
)
async def test_an_empty_reply_is_billed_as_far_as_the_server_counts(
    said: Answer, billed: int | None
) -> None:
    with pytest.raises(EmptyReply) as caught:
        await reply_to(said)
    reply = reply_of(caught.value)
    assert (reply and reply.usage.input_tokens) == billed


async def test_reasoning_without_an_answer_stops_only_a_server_that_has_never_given_one() -> None:
    only_reasoning = answer(200, {"choices": [{"message": {"content": "", "reasoning": "Hm."}}]})
    with pytest.raises(ModelUnknown, match="reasoning"):
        await ScriptedProvider(only_reasoning).provider().call(REQUEST)
    provider = ScriptedProvider(completion(), only_reasoning).provider()
    await provider.call(REQUEST)
    with pytest.raises(EmptyReply, match="reasoning"):
        await provider.call(REQUEST)


async def test_the_simulator_is_known_by_its_body_behind_a_gateway() -> None:
    provider = ScriptedProvider(completion(system_fingerprint="simulated")).provider()
    name = provider.name
    await provider.call(REQUEST)
    assert (provider.simulated, provider.model) == (True, MODEL)
    assert provider.name == name, "quota and holds of a running engine go by the name"
