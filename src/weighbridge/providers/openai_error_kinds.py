"""The table from what the SDK raises to what it means for us.

The kind of our error decides what the engine does (`limits/retries.py`), so the order of evidence
matters: the provider's error code first, then its words where no code exists, then the HTTP status,
then the class of the SDK's exception. `openai_errors.py` puts the messages to it.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2
import openai
from pydantic_core import PydanticSerializationError

from weighbridge.errors import (
    AuthenticationFailed,
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

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""What sending a request may raise. Anything else is a programming error and must surface."""

BY_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    400: RequestRefused,
    401: AuthenticationFailed,
    402: QuotaExhausted,  # "payment required": DeepSeek, OpenRouter
    403: AuthenticationFailed,
    404: ModelUnknown,
    405: ModelUnknown,
    408: ProviderTimeout,
    409: ProviderOverloaded,
    410: ModelUnknown,
    413: RequestTooLarge,
    422: RequestRefused,
    425: ProviderOverloaded,
    429: RateLimited,
    498: ProviderOverloaded,  # Groq: capacity exceeded
    499: ProviderTimeout,
    501: ModelUnknown,  # this server will never do it, so waiting does not help
}

BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "insufficient_user_quota": QuotaExhausted,
    "invalid_api_key": AuthenticationFailed,
    "account_deactivated": AuthenticationFailed,
    "unsupported_country_region_territory": AuthenticationFailed,
    "model_not_found": ModelUnknown,
    "invalid_model": ModelUnknown,
    "DeploymentNotFound": ModelUnknown,  # Azure
    "context_length_exceeded": RequestTooLarge,
    "string_above_max_length": RequestTooLarge,
    "content_policy_violation": RequestRefused,
    "content_filter": RequestRefused,
}

_BY_WORDS: Final[tuple[tuple[frozenset[int], re.Pattern[str], type[ProviderError]], ...]] = (
    # The limit of a minute is smaller than this one request: waiting would never help.
    (frozenset({429}), re.compile("request too large"), RequestTooLarge),
    (
        frozenset({400, 413, 422}),
        re.compile(
            r"context length|context window|maximum context|too many (?:input )?tokens"
            r"|request too large|max_(?:completion_)?tokens\W* is too large|reduce the length"
        ),
        RequestTooLarge,
    ),
    (frozenset({400}), re.compile(r"api key not valid|invalid api key"), AuthenticationFailed),
    (
        frozenset({400, 403, 404, 422}),
        re.compile(
            r"\bmodel\b.*(?:not found|does not exist|not exist)|invalid model\b|unknown model"
        ),
        ModelUnknown,
    ),
    # Every request of a step would be refused alike, so the queue stops instead of failing them all.
    (frozenset({400, 422}), re.compile(r"response_format|json_schema"), ModelUnknown),
)


@dataclass(frozen=True)
class Evidence:
    """What an answer with an error status says."""

    status: int
    codes: tuple[str, ...]
    parameter: str
    message: str
    is_json: bool
    headers: Mapping[str, str]

    @property
    def searchable(self) -> str:
        """Parameter and message in lower case, for looking up words."""
        return f"{self.parameter} {self.message}".lower()


def kind_of(error: Exception) -> type[ProviderError]:
    """Which of our errors this is; complete for everything that the SDK and its transport raise."""
    if isinstance(error, openai.APIStatusError):
        evidence = evidence_of(error)
        for code in evidence.codes:
            if code in BY_CODE:
                return BY_CODE[code]
        for statuses, words, kind in _BY_WORDS:
            if evidence.status in statuses and words.search(evidence.searchable):
                return kind
        if 300 <= evidence.status < 400:
            return ModelUnknown  # a redirect: the address is wrong
        if evidence.status in BY_STATUS:
            return BY_STATUS[evidence.status]
        if evidence.status >= 500:
            return ProviderOverloaded
    return next(
        (BY_EXCEPTION[base] for base in type(error).__mro__ if base in BY_EXCEPTION),
        ProviderUnreachable,
    )


def refusal_text(error: openai.APIStatusError) -> str:
    """Parameter, code and message of a refusal in one text, for a reader that looks for names in it."""
    evidence = evidence_of(error)
    return f"{evidence.parameter} {' '.join(evidence.codes)} {evidence.message}"


def evidence_of(error: openai.APIStatusError) -> Evidence:
    """Read status, codes, words and headers, whatever the shape of the body."""
    body: Any = error.body
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0].get("error", body[0])  # Gemini wraps its error in a list
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    message = fields.get("message") or fields.get("detail") or ""
    return Evidence(
        status=error.status_code,
        codes=tuple(
            str(fields[name]) for name in ("code", "type") if isinstance(fields.get(name), str)
        ),
        parameter=str(fields.get("param") or ""),
        message=message if isinstance(message, str) else str(message)[:2000],
        is_json=isinstance(body, dict | list) or not body,
        headers=error.response.headers,
    )
