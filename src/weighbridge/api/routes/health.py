"""Health, readiness and metrics, for monitoring."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from weighbridge import __version__
from weighbridge.api.context import Context
from weighbridge.api.errors import problem_responses
from weighbridge.api.metrics import CONTENT_TYPE, metrics_page
from weighbridge.api.schemas.base import Schema
from weighbridge.service.opening import check_database

router = APIRouter(tags=["health"])

ANSWER_WITHIN_S = 5.0
"""Seconds within which the database must respond for /readyz."""


class Health(Schema):
    """The process is up."""

    status: Literal["ok"] = "ok"
    version: str = Field(examples=["0.1.0"])


class Readiness(Schema):
    """Whether this server accepts requests."""

    status: Literal["ready", "leaving"]


# Many that watch over servers ask with HEAD.
@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", responses=problem_responses(400))
async def healthz() -> Health:
    """Check that the process is up. Does not check the database."""
    return Health(version=__version__)


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    responses={
        **problem_responses(400),
        503: {
            "model": Readiness,
            "description": "Shutting down, or the database is not responding.",
        },
    },
)
async def readyz(context: Context, response: Response) -> Readiness:
    """Check whether this server accepts requests: the database responds, and no shutdown has
    begun.
    """
    if context.is_leaving:
        response.status_code = 503
        return Readiness(status="leaving")
    await check_database(context.database, ANSWER_WITHIN_S)
    return Readiness(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **problem_responses(400, 401, 503),
        200: {
            "description": "Prometheus text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
    },
)
async def metrics(context: Context) -> Response:
    """Get Prometheus metrics: products by state, calls, tokens, cost, waiting time, latency,
    quota.
    """
    return Response(await metrics_page(context), headers={"Content-Type": CONTENT_TYPE})
