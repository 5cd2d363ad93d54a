"""Our errors as HTTP: one table from error class to status and problem type (RFC 9457); a test
checks that no class is missing.

A problem explains the error to a person and names its type for a program. Errors inside the server
(5xx) are described only in general terms; the log has the details.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import asyncpg
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from weighbridge import errors, telemetry
from weighbridge.plain_text import VALUE_ERROR
from weighbridge.service.queue import InvalidConfig
from weighbridge.service.upkeep.own_factors import FactorsRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request

PROBLEM_JSON: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:weighbridge:problem:"
RETRY_AFTER_S: Final = 5
"""Seconds in the Retry-After header of a 503."""
MOST_SHOWN: Final = 1_000
"""How many cells of a refused file one problem response names, at most."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One row of the table. `detail` None means: show the error's own message."""

    status: int
    name: str
    title: str
    detail: str | None = None


class BodyTooLarge(errors.InputError):
    """The request body is larger than the server accepts."""


class MalformedRequest(errors.InputError):
    """The request violates HTTP or its content type."""


class InvalidField(errors.InputError):
    """One named part of the request cannot be used."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


_DATABASE_AWAY_ERRORS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
)
"""Errors that mean that the database is away; all others of PostgreSQL are programming errors."""
_DATABASE_AWAY = "The database is not responding. Nothing is lost; try again."
_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_INTERNAL = "Internal error in Weighbridge. See the server's log for details."
_PROVIDER = "The language model's provider gave no usable reply. See the server's log for details."

PROBLEMS: Final[Mapping[type[errors.WeighbridgeError], ProblemType]] = {
    errors.WeighbridgeError: ProblemType(500, "internal", "Internal error", _INTERNAL),
    errors.InternalError: ProblemType(500, "bug", "Weighbridge itself failed", _INTERNAL),
    errors.SettingsError: ProblemType(500, "settings", "The server is misconfigured", _INTERNAL),
    errors.InputError: ProblemType(422, "invalid-input", "The request cannot be used"),
    errors.UnsupportedFormat: ProblemType(415, "unsupported-format", "Format not supported"),
    errors.UnreadableFile: ProblemType(422, "unreadable-file", "The file cannot be read"),
    errors.MissingColumn: ProblemType(422, "missing-column", "A required column is missing"),
    errors.AmbiguousColumn: ProblemType(
        422, "ambiguous-column", "A column can be read in more than one way"
    ),
    errors.PictureRefused: ProblemType(422, "picture-refused", "The picture's address is refused"),
    errors.PictureUnreachable: ProblemType(
        422, "picture-unreachable", "The picture cannot be fetched"
    ),
    BodyTooLarge: ProblemType(413, "too-large", "The request is too large"),
    MalformedRequest: ProblemType(400, "malformed-request", "The request is malformed"),
    InvalidField: ProblemType(422, "invalid-input", "The request cannot be used"),
    FactorsRefused: ProblemType(422, "factors-refused", "The factors cannot be used"),
    InvalidConfig: ProblemType(422, "invalid-config", "The configuration was not changed"),
    errors.NotFound: ProblemType(404, "not-found", "Not found"),
    errors.Conflict: ProblemType(409, "conflict", "The request does not fit what is stored"),
    errors.ProviderError: ProblemType(502, "provider", "The provider failed", _PROVIDER),
    errors.ProviderUnreachable: ProblemType(
        502, "provider-unreachable", "Provider unreachable", _PROVIDER
    ),
    errors.ProviderTimeout: ProblemType(504, "provider-timeout", "Provider timed out", _PROVIDER),
    errors.ProviderOverloaded: ProblemType(
        502, "provider-overloaded", "Provider overloaded", _PROVIDER
    ),
    errors.EmptyReply: ProblemType(
        502, "provider-empty-reply", "The provider sent an empty reply", _PROVIDER
    ),
    errors.RateLimited: ProblemType(503, "rate-limited", "Rate limit exceeded", _PROVIDER),
    errors.RequestTooLarge: ProblemType(
        502, "provider-request-too-large", "Call too large", _PROVIDER
    ),
    errors.RequestRefused: ProblemType(502, "provider-refused", "The provider refused", _PROVIDER),
    errors.RequestBlocked: ProblemType(
        502, "provider-firewall", "A firewall in front of the provider blocked the call", _PROVIDER
    ),
    errors.ImageRefused: ProblemType(
        502, "provider-picture", "The provider did not accept the picture", _PROVIDER
    ),
    errors.GenerationFailed: ProblemType(
        502, "provider-generation", "The provider discarded the model's answer", _PROVIDER
    ),
    errors.QuotaExhausted: ProblemType(502, "quota-exhausted", "No credit left", _PROVIDER),
    errors.AuthenticationFailed: ProblemType(
        502, "provider-authentication", "The provider rejected the API key", _PROVIDER
    ),
    errors.ModelUnknown: ProblemType(502, "model-unknown", "Unknown model", _PROVIDER),
    errors.NoBatchApi: ProblemType(502, "no-batch-api", "No Batch API", _PROVIDER),
    errors.AnswerError: ProblemType(502, "answer", "Unusable answer", _PROVIDER),
    errors.AnswerTruncated: ProblemType(502, "answer-truncated", "Answer cut off", _PROVIDER),
    errors.AnswerMalformed: ProblemType(502, "answer-malformed", "Malformed answer", _PROVIDER),
    errors.WrongProducts: ProblemType(
        502, "wrong-products", "Answer about other products", _PROVIDER
    ),
    errors.ImplausibleAnswer: ProblemType(502, "implausible", "Implausible answer", _PROVIDER),
    errors.CalculationError: ProblemType(500, "calculation", "Calculation failed", _INTERNAL),
    errors.FactorTableInvalid: ProblemType(500, "factors", "Factor table invalid", _INTERNAL),
    errors.StoreError: ProblemType(503, "store", "Database problem", _DATABASE_AWAY),
    errors.DatabaseUnavailable: ProblemType(
        503, "database-unavailable", "Database unavailable", _DATABASE_AWAY
    ),
    errors.SchemaTooNew: ProblemType(503, "schema-too-new", "Database schema too new", _INTERNAL),
}
"""Class of an error → the problem that the API answers with; a class that is not listed has that of
its nearest ancestor.
"""

_HTTP_PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("malformed-request", "The request is malformed"),
    401: ("unauthorized", "Authentication required"),
    403: ("forbidden", "Request from another site refused"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-format", "Format not supported"),
    503: ("unavailable", "Not available at the moment"),
}


class FieldProblem(BaseModel):
    """One field of the request and what is wrong with it."""

    row: int | None = Field(default=None, description="Of a file; the header is row 1.")
    field: str = Field(examples=["batchSize"])
    detail: str = Field(examples=["batchSize is 0; it must be a whole number from 1 to 1,000."])


class Problem(BaseModel):
    """An error as a problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = Field(
        default=None, description="The invalid fields, if the problem concerns specific fields."
    )


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses of a route, for the OpenAPI document."""
    titles = {row.status: row.title for row in reversed(list(PROBLEMS.values()))}
    titles |= {status: title for status, (_, title) in _HTTP_PROBLEMS.items()}
    titles[422] = "The request cannot be used"
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": titles[status],
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        for status in statuses
    }


def problem_response(
    instance: str,
    status: int,
    name: str,
    title: str,
    detail: str,
    *,
    fields: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """A response with a problem document. `more` are extra members of this problem type."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + name,
        "title": title,
        "status": status,
        "detail": _encodable(detail),
        "instance": quote(_encodable(instance)),  # a URI, and paths reach us decoded
    }
    if fields:
        body["errors"] = [
            {
                **({"row": field.row} if field.row is not None else {}),
                "field": _encodable(field.field),
                "detail": _encodable(field.detail),
            }
            for field in fields
        ]
    sent = dict(headers or {})
    if status == 503:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    return JSONResponse({**body, **(more or {})}, status, sent, media_type=PROBLEM_JSON)


def _encodable(text: str) -> str:
    """`text` without unpaired surrogates, which JSON can contain and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def find_problem(error: errors.WeighbridgeError) -> ProblemType:
    """The table's row for this error."""
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(errors.WeighbridgeError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_client_gone)
    for kind in (*_DATABASE_AWAY_ERRORS, OSError, TimeoutError):
        app.add_exception_handler(kind, _on_database_error)
    app.add_exception_handler(Exception, _on_crash)


async def _on_our_error(request: Request, error: Exception) -> JSONResponse:
    """The problem by `PROBLEMS`. For a status of 500 and above the details are only in the log."""
    assert isinstance(error, errors.WeighbridgeError)  # noqa: S101 - registered for these
    row = find_problem(error)
    if row.status >= 500:
        # A client that is referred to the log finds the traceback there.
        log = telemetry.crashed if row.detail == _INTERNAL else telemetry.error
        log(
            "request_failed",
            f"❌ {request.method} {request.url.path}: {type(error).__name__}",
            error=type(error).__name__,
        )
    field = getattr(error, "field", None)
    fields = [FieldProblem(field=field, detail=str(error))] if field else []
    if isinstance(error, FactorsRefused):
        fields = [
            FieldProblem(row=cell.row, field=cell.column, detail=cell.reason)
            for cell in error.rows[:MOST_SHOWN]
        ]
    detail = str(error) if row.detail is None else row.detail
    return problem_response(
        request.url.path, row.status, row.name, row.title, detail, fields=fields
    )


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """A problem that lists every invalid field, with the status of `InvalidField`."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these
    fields = [
        FieldProblem(
            field=_field_name(problem["loc"]), detail=str(problem["msg"]).removeprefix(VALUE_ERROR)
        )
        for problem in error.errors()
    ]
    detail = "; ".join(f"{field.field}: {field.detail}" for field in fields)
    row = PROBLEMS[InvalidField]
    return problem_response(
        request.url.path, row.status, row.name, row.title, detail, fields=fields
    )


def _field_name(location: Sequence[object]) -> str:
    """The name of the field at a location: "limit" for `("query", "limit")`, "body" for
    `("body",)`.
    """
    inner = [str(part) for part in location[1:]]
    return ".".join(inner) or str(location[0])


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """The framework's errors (404, 405 …) as problems; a 405 names the methods allowed."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these
    name, title = _HTTP_PROBLEMS.get(error.status_code, ("http", "HTTP error"))
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}. See /docs for the routes."
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed_methods(request)
        detail = f"{request.method} is not allowed for {request.url.path}; use {headers['Allow']}."
    return problem_response(
        request.url.path, error.status_code, name, title, detail, headers=headers
    )


async def _on_client_gone(request: Request, _: Exception) -> JSONResponse:
    """A 400 for a client that has disconnected, for example by closing a page during an upload; it
    is not logged.
    """
    row = PROBLEMS[MalformedRequest]
    detail = "The connection ended before the request was complete. Send it again."
    return problem_response(request.url.path, row.status, row.name, row.title, detail)


def _allowed_methods(request: Request) -> str:
    """The methods of all routes with the request's path, with commas between them.

    Starlette itself would report only those of the first route.
    """
    routes = [route for route in request.app.state.routes if isinstance(route, Route)]
    fitting = (route.path for route in routes if route.path_regex.match(request.url.path))
    path = next(fitting, "")
    allowed = {method for route in routes if route.path == path for method in route.methods or ()}
    return ", ".join(sorted(allowed))


async def _on_database_error(request: Request, error: Exception) -> JSONResponse:
    """The 503 for a database that is away, or for a data folder that cannot be used."""
    if isinstance(error, OSError) and (error.filename or error.errno in _DISK_ERRORS):
        return _on_disk_error(request, error)
    telemetry.error(
        "request_failed",
        f"❌ {request.method} {request.url.path}: the database does not answer ({type(error).__name__})",
        error=type(error).__name__,
    )
    row = PROBLEMS[errors.DatabaseUnavailable]
    return problem_response(request.url.path, row.status, row.name, row.title, _DATABASE_AWAY)


def _on_disk_error(request: Request, error: OSError) -> JSONResponse:
    """The 503 that says what is wrong with the data folder, without its path."""
    telemetry.error(
        "request_failed",
        f"❌ {request.method} {request.url.path}: {error}",
        error=type(error).__name__,
    )
    cause = error.strerror or type(error).__name__
    return problem_response(
        request.url.path,
        503,
        "data-folder",
        "The data folder cannot be used",
        f"The server cannot use its data folder: {cause}. Nothing was stored; send the request again later.",
    )


async def _on_crash(request: Request, error: Exception) -> JSONResponse:
    """The 500 for an exception that nothing else handles; the traceback is logged."""
    row = PROBLEMS[errors.WeighbridgeError]
    telemetry.crashed(
        "request_crashed",
        f"❌ {request.method} {request.url.path} crashed: {type(error).__name__}",
        error=type(error).__name__,
    )
    return problem_response(request.url.path, row.status, row.name, row.title, _INTERNAL)
