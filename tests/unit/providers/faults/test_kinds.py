"""The error table is complete: nothing that the SDK or its transport can raise is left to
chance.
"""

from __future__ import annotations

import httpx2
import openai
import pytest
from aiohttp import client_exceptions

from weighbridge.errors import (
    AuthenticationFailed,
    ModelUnknown,
    ProviderError,
    ProviderOverloaded,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
)
from weighbridge.providers.faults.kinds import (
    BY_CODE,
    BY_EXCEPTION,
    FAILURES,
    kind_of,
)
from weighbridge.providers.network import CAUGHT

OTHER_PARTS_OF_THE_SDK = {
    openai.LengthFinishReasonError,  # its own parsing of answers, which we do not use
    openai.ContentFilterFinishReasonError,
    openai.InvalidWebhookSignatureError,
    openai.WebSocketQueueFullError,
    openai.WebSocketConnectionClosedError,
}
"""Exceptions that a chat completion never raises."""
REQUEST = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")


def exported_exceptions() -> set[type[Exception]]:
    exported = (getattr(openai, name) for name in openai.__all__)
    return {kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)}


def status_error(status: int, body: object = None) -> openai.APIStatusError:
    response = httpx2.Response(status, request=REQUEST)
    return openai.APIStatusError("Error code", response=response, body=body)


def test_every_sdk_exception_is_mapped_or_known_as_unrelated() -> None:
    ours = {kind for kind in BY_EXCEPTION if kind.__module__.startswith("openai")}
    assert ours | OTHER_PARTS_OF_THE_SDK == exported_exceptions()
    assert not ours & OTHER_PARTS_OF_THE_SDK


def test_every_exception_of_the_transport_is_caught_and_translated() -> None:
    exported = (getattr(httpx2, name) for name in httpx2.__all__)
    errors = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)}
    misuse = {
        httpx2.CookieConflict,
        httpx2.SSEError,
    }  # we neither keep cookies nor read event streams
    for kind in errors - misuse:
        assert issubclass(kind, FAILURES), kind
        assert any(base in BY_EXCEPTION for base in kind.__mro__), kind


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_a_kind(status: int) -> None:
    assert issubclass(kind_of(status_error(status)), ProviderError)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507, 520, 522, 529, 599])
def test_server_errors_are_retried(status: int) -> None:
    assert kind_of(status_error(status)) is ProviderOverloaded


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 404, 405, 410, 501])
def test_a_wrong_address_stops_the_queue(status: int) -> None:
    assert kind_of(status_error(status)) is ModelUnknown


def test_unknown_statuses_refuse_only_the_request() -> None:
    assert kind_of(status_error(418)) is RequestRefused


@pytest.mark.parametrize(("code", "kind"), BY_CODE.items())
def test_an_error_code_outranks_the_status(code: str, kind: type[ProviderError]) -> None:
    for status in (400, 403, 429, 500):
        assert kind_of(status_error(status, {"code": code, "message": "no"})) is kind


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "text",
        17,
        [],
        [17],
        [{}],
        {},
        {"message": None},
        {"message": 17},
        {"code": []},
        {"detail": [{}]},
    ],
)
def test_any_error_body_is_handled(body: object) -> None:
    assert kind_of(status_error(429, body)) is RateLimited
    assert kind_of(status_error(401, body)) is AuthenticationFailed
    assert kind_of(status_error(402, body)) is QuotaExhausted


def test_an_unknown_exception_counts_as_a_broken_connection() -> None:
    class NewInTheNextVersion(openai.OpenAIError):
        pass

    assert kind_of(NewInTheNextVersion()) is ProviderUnreachable


def test_every_socket_exception_maps_to_a_transport_error() -> None:
    exported = (getattr(client_exceptions, name) for name in client_exceptions.__all__)
    of_websockets = {client_exceptions.WSMessageTypeError}
    for kind in set(exported) - of_websockets:
        assert issubclass(kind, CAUGHT), kind
