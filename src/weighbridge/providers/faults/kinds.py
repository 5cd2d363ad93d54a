"""The tables that map what the SDK raises to our kinds of error.

The kind of our error decides what the engine does (`limits/retries.py`), so the order of evidence
matters: the provider's error code first, then its words where no code exists, then the HTTP status,
then the class of the SDK's exception. `messages.py` writes the message.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Final

import httpx2
import openai
from pydantic_core import PydanticSerializationError

from weighbridge.errors import (
    AuthenticationFailed,
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
from weighbridge.providers.faults.evidence import STATUS_IF_UNSTATED, evidence_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.providers.faults.evidence import Evidence

BY_EXCEPTION: Final[Mapping[type[Exception], type[ProviderError]]] = {
    openai.APITimeoutError: ProviderTimeout,
    openai.APIConnectionError: ProviderUnreachable,
    openai.APIResponseValidationError: ProviderOverloaded,
    openai.BadRequestError: RequestRefused,
    openai.AuthenticationError: AuthenticationFailed,
    openai.OAuthError: AuthenticationFailed,
    openai.PermissionDeniedError: AuthenticationFailed,  # the region, the project, the model
    openai.NotFoundError: ModelUnknown,
    openai.ConflictError: ProviderOverloaded,
    openai.UnprocessableEntityError: RequestRefused,
    openai.RateLimitError: RateLimited,
    openai.InternalServerError: ProviderOverloaded,
    openai.APIStatusError: RequestRefused,  # statuses that are in no table
    openai.APIError: ProviderOverloaded,
    openai.OpenAIError: ProviderUnreachable,
    TimeoutError: ProviderTimeout,  # our own deadline for the whole call
    httpx2.TimeoutException: ProviderTimeout,
    httpx2.HTTPError: ProviderUnreachable,
    httpx2.InvalidURL: ProviderUnreachable,
    httpx2.StreamError: ProviderUnreachable,
    ssl.SSLError: ProviderUnreachable,
    OSError: ProviderUnreachable,
    PydanticSerializationError: RequestRefused,  # half a surrogate pair in a product's text
    ValueError: ProviderOverloaded,  # a body that is not JSON
}

FAILURES: Final = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    OSError,  # TimeoutError and ssl.SSLError are among these
    PydanticSerializationError,
)
"""The exceptions that sending a request may raise. Any other is a programming error, and is not
caught.
"""

OTHER_PARTS_OF_THE_SDK: Final = frozenset(
    {
        openai.LengthFinishReasonError,  # its own parsing of answers, which we do not use
        openai.ContentFilterFinishReasonError,
        openai.InvalidWebhookSignatureError,
        openai.WebSocketQueueFullError,
        openai.WebSocketConnectionClosedError,
    }
)
"""Exceptions of the SDK that a chat completion never raises."""

BY_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    400: RequestRefused,
    401: AuthenticationFailed,
    402: QuotaExhausted,  # "payment required": DeepSeek, OpenRouter
    403: AuthenticationFailed,
    404: ModelUnknown,
    405: ModelUnknown,
    407: ProviderUnreachable,  # a proxy on the way wants its own key
    408: ProviderTimeout,
    409: ProviderOverloaded,
    410: ModelUnknown,
    413: RequestTooLarge,
    421: ProviderOverloaded,  # the connection ended at the wrong machine
    422: RequestRefused,
    423: ProviderOverloaded,
    424: ProviderOverloaded,  # TGI: the generation failed
    425: ProviderOverloaded,
    429: RateLimited,
    449: ProviderOverloaded,  # "retry with"
    451: AuthenticationFailed,  # the region, as 403
    498: ProviderOverloaded,  # Groq has no room: https://console.groq.com/docs/flex-processing
    499: ProviderTimeout,
    501: ModelUnknown,  # this server will never do it, so waiting does not help
}

BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "insufficient_user_quota": QuotaExhausted,
    "exceeded_current_quota_error": QuotaExhausted,  # Moonshot: https://platform.moonshot.ai/docs
    "Arrearage": QuotaExhausted,  # Alibaba
    "invalid_api_key": AuthenticationFailed,
    "account_deactivated": AuthenticationFailed,
    "unsupported_country_region_territory": AuthenticationFailed,
    "model_not_found": ModelUnknown,
    "invalid_model": ModelUnknown,
    "model_not_available": ModelUnknown,  # Together
    "DeploymentNotFound": ModelUnknown,  # Azure
    "context_length_exceeded": RequestTooLarge,
    "string_above_max_length": RequestTooLarge,
    "exceed_context_size_error": RequestTooLarge,  # llama.cpp
    "content_policy_violation": RequestRefused,
    "content_filter": RequestRefused,
    "json_validate_failed": GenerationFailed,  # Groq
    "invalid_image_url": ImageRefused,
}

SCHEMA_WORDS: Final = re.compile(
    r"response_?(?:format|schema)|json_?schema|json_?object|structured.?output|guided|grammar"
    r"|\bschema\b|additionalproperties"
)
"""Matches words by which a refusal shows that it is about the form of the answer."""

# Where an error may come from. A status of 200 was replaced by the one that the body states, or by
# STATUS_IF_UNSTATED.
_ANY: Final = frozenset(range(400, 600))
_REFUSING: Final = frozenset({400, 403, 404, 409, 410, 413, 422, 424, 500, 501, STATUS_IF_UNSTATED})

_BY_WORDS: Final[tuple[tuple[frozenset[int], re.Pattern[str], type[ProviderError]], ...]] = (
    # The limit of a minute is smaller than this one request: waiting would never help.
    (frozenset({429}), re.compile("request too large"), RequestTooLarge),
    # Flex has no room now: https://developers.openai.com/api/docs/guides/flex-processing
    (
        frozenset({429}),
        re.compile(r"resource[ _]unavailable|capacity_exceeded"),
        ProviderOverloaded,
    ),
    # Limits of a moment, whatever else the text says of plans and quotas (Gemini, Scaleway).
    (
        frozenset({429}),
        re.compile(
            r"concurren|per (?:minute|min|second|hour|day)\b|\b[rt]p[mds]\b|(?:retry|try again) (?:in|after)"
            r"|perminute|perday|no deployments available"
        ),
        RateLimited,
    ),
    # Bedrock, of a minute's tokens: nothing is too large, it only came too soon.
    (_ANY, re.compile(r"too many tokens[^.]{0,20}wait|throttlingexception"), RateLimited),
    (
        _ANY,
        re.compile(
            r"context.?(?:length|window|size)|maximum context|max(?:imum)?[ _](?:model|sequence)[ _]len|n_ctx"
            r"|too many (?:input )?tokens|(?:prompt|input|request)(?: is)? too (?:long|large)|reduce (?:the|your) (?:length|prompt)"
            r"|max_(?:completion_|new_)?tokens\W* (?:is too large|must be at least 1, got -)"
            r"|max_new_tokens\W* must be <=|inputs?.? tokens \+|token (?:count|limit)[^.]{0,60}exceed|exceeds? the (?:model's )?(?:max|token|context)"
            r"|input length[^.]{0,60}(?:exceed|larger|longer)|prefill \d+ tokens exceed"
            r"|maximum tokens you requested exceed"
        ),
        RequestTooLarge,
    ),
    (
        _ANY,
        re.compile(
            r"failed to (?:generate|validate) (?:valid )?json|json_validate_failed|tool_use_failed"
            r"|generated (?:json|output) (?:does not|is not|was not|did not)"
            r"|(?:model|output)[^.]{0,40}(?:not valid|invalid) json|model produced invalid content"
        ),
        GenerationFailed,
    ),
    (
        _REFUSING,
        re.compile(
            r"invalid_image_url|image_(?:parse|download)|(?:error|fail|unable|cannot|could ?n.t|time)[^.]{0,40}(?:download|fetch|retrieve|retrieving|load)\w*[^.]{0,60}(?:image|picture|https?:|url)"
            r"|(?:image|vision|multi.?modal)[^.]{0,60}(?:not (?:support|allow|accept|enabl)|unsupported|invalid|could not|failed)"
            r"|(?:not|n't) support[^.]{0,30}(?:image|vision|multi.?modal)|(?:invalid|unsupported) image"
            r"|image input is not|mmproj"
        ),
        ImageRefused,
    ),
    (
        frozenset({400, 403, 422, 451}),
        re.compile(
            r"content[ _](?:policy|filter|management)|flagged|moderation|responsible ?ai|safety (?:system|policy|setting)"
        ),
        RequestRefused,
    ),
    (
        frozenset({400, 401, 403, 422, 500, STATUS_IF_UNSTATED}),
        re.compile(
            r"api[ _-]?key (?:is )?(?:not valid|invalid|required|missing|expired)|(?:invalid|incorrect|wrong|missing|no|malformed) api[ _-]?key"
            r"|(?:api[ _-]?key|token|credentials?)[^.]{0,20}(?:expired|revoked|disabled)|expired[^.]{0,10}token"
            r"|authentication (?:error|fail|required)|unauthori[sz]ed|location is not supported|invalid (?:proxy server )?token|no_db_connection|authenticationerror"
        ),
        AuthenticationFailed,
    ),
    (
        _ANY,
        re.compile(
            r"insufficient[ _](?:balance|credit|fund|quota|user[ _]quota)|credit balance is too low|(?:out of|no|not enough) credits?\b"
            r"|exceeded your current quota|payment (?:is )?required|budget has been exceeded|exceededbudget|budget_exceeded"
            r"|spend(?:ing)? (?:limit|cap)|credits? (?:are |is |have been )?(?:depleted|exhausted|used up)|key limit exceeded"
            r"|account[^.]{0,30} suspended|account (?:is )?(?:overdue|in arrears|not active)|prepaid (?:balance|credits)|billing_"
            r"|month(?:ly)?\b[^.]{0,40}(?:quota|limit|usage|allowance)[^.]{0,40}(?:exceed|reach|exhaust|used up)"
            r"|欠费|余额不足|充值"
        ),
        QuotaExhausted,
    ),
    (
        frozenset({400, 404, 405, 501, STATUS_IF_UNSTATED}),
        re.compile(
            r"unexpected endpoint|invalid url|(?:route|endpoint|path|page|resource)\b[^.]{0,40}not found|cannot (?:post|get) /|no static resource"
            r"|unknown request url|unsupported (?:path|endpoint)|no route"
        ),
        ModelUnknown,
    ),
    (
        frozenset({400, 403, 404, 410, 422, STATUS_IF_UNSTATED}),
        re.compile(
            r"\b(?:model|deployment)\b.*(?:not found|does not exist|doesn't exist|not exist|not available|unavailable"
            r"|is not (?:loaded|allowed|supported by|a valid)|not deployed|decommissioned|no longer|retired|has been (?:deprecated|removed|shut))"
            r"|(?:invalid|unknown|no such|unrecognized|unsupported) model(?!s? (?:parameter|option))\b|no (?:model|endpoints?) (?:named|found|available)"
            r"|model_?not_?found|could not find model|not a valid model|there is no model|failed to (?:find|load) model"
            r"|does not work with the specified model|no models? (?:is |are )?(?:currently )?loaded"
            r"|on-demand throughput is|unable to access [^.]{0,30}model"
        ),
        ModelUnknown,
    ),
    # Every request of a step would be refused alike, so the queue stops instead of failing them
    # all.
    (_REFUSING, SCHEMA_WORDS, ModelUnknown),
    (
        frozenset({400, 404, 409, 424, 500, 502, 503, STATUS_IF_UNSTATED}),
        re.compile(
            r"rate.?limit|too many requests|throttl|slow down|resource_exhausted|并发|频率|限流|请求过多"
        ),
        RateLimited,
    ),
    (
        frozenset({400, 409, 424}),
        re.compile(
            r"overloaded|over capacity|at capacity|try again later|temporarily|server is busy|loading model|model is (?:currently |still )?(?:loading|being loaded)|server_?error"
            r"|internal_?error|upstream|service unavailable|bad gateway|has crashed|model (?:was )?unloaded|exit code"
        ),
        ProviderOverloaded,
    ),
)

BLOCKING: Final = frozenset({400, 403, 405, 406, 418, 451})
"""Statuses with which firewalls in front of an API answer, with a web page or plain text."""
_FIREWALL: Final = re.compile(
    r"firewall|\bwaf\b|request (?:was )?blocked|blocked by|attention required|access denied"
)


def kind_of(error: Exception, *, key_has_worked: bool = False) -> type[ProviderError]:
    """The class of our error for anything that the SDK or its transport raises."""
    if isinstance(error, openai.APIStatusError):
        return _kind_of_answer(evidence_of(error), type(error), key_has_worked=key_has_worked)
    return _by_exception(type(error))


def _kind_of_answer(
    evidence: Evidence, raised: type[Exception], *, key_has_worked: bool
) -> type[ProviderError]:
    """The kind by the first of these that decides: code, firewall page, words, status, exception.

    A firewall's page is a `RequestBlocked` only if the key has worked; before that it may mean that
    the key is refused.
    """
    for code in evidence.codes:
        if code in BY_CODE:
            return BY_CODE[code]
    is_page = not evidence.is_json or _FIREWALL.search(evidence.searchable)
    if key_has_worked and is_page and evidence.status in BLOCKING:
        return RequestBlocked
    for statuses, words, kind in _BY_WORDS:
        if evidence.status in statuses and words.search(evidence.searchable):
            return kind
    if 300 <= evidence.status < 400:
        return ModelUnknown  # a redirect: the address is wrong
    if evidence.status in BY_STATUS:
        return BY_STATUS[evidence.status]
    return ProviderOverloaded if evidence.status >= 500 else _by_exception(raised)


def _by_exception(raised: type[Exception]) -> type[ProviderError]:
    """The kind in `BY_EXCEPTION` for the class or its nearest listed base."""
    return next(
        (BY_EXCEPTION[base] for base in raised.__mro__ if base in BY_EXCEPTION), ProviderUnreachable
    )


def refusal_text(error: openai.APIStatusError) -> str:
    """Parameter, codes and message of a refusal in one text, for finding names in it."""
    evidence = evidence_of(error)
    return f"{evidence.parameter} {' '.join(evidence.codes)} {evidence.message}"
