"""Workers and the audit log, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from weighbridge.api.schemas.base import Schema


class WorkerView(Schema):
    """A process that works on the queue."""

    id: UUID
    host: str | None = Field(examples=["worker-1"])
    version: str | None = Field(examples=["0.1.0"])
    started_at: datetime
    seen_at: datetime
    is_leaving: bool = Field(
        description="The worker accepts no new work and finishes what it has started."
    )
    calls_in_flight: int = Field(
        ge=0, description="Groups of products being processed; each has at most one call in flight."
    )


class WorkerList(Schema):
    """All processes that work on the queue at present."""

    workers: list[WorkerView]


class AuditEntryView(Schema):
    """One action in the audit log."""

    at: datetime
    actor: str = Field(
        description="Who acted: the name of a token, or the user of the command line."
    )
    action: str = Field(examples=["stopped the queue"])
    subject: str | None = Field(examples=["PROD-001"])
    detail: dict[str, Any]


class AuditLog(Schema):
    """One page of the audit log. Pass `nextCursor` as `cursor` to get the next; null on the last
    page.
    """

    entries: list[AuditEntryView]
    next_cursor: str | None
