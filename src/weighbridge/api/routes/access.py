"""Routes for the workers of the queue and for the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from weighbridge.api.context import Context
from weighbridge.api.cursors import make_cursor, read_cursor
from weighbridge.api.schemas.access import AuditEntryView, AuditLog, WorkerList, WorkerView
from weighbridge.service.access.audit import audit_page
from weighbridge.service.views.workers import live_workers

router = APIRouter(prefix="/api", tags=["operation"])


@router.get("/workers")
async def workers(context: Context) -> WorkerList:
    """List every process that works on the queue at present, on any machine."""
    found = await live_workers(context.database)
    return WorkerList(
        workers=[WorkerView.model_validate(row, from_attributes=True) for row in found]
    )


@router.get("/audit")
async def audit(
    context: Context,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="Entries on a page.", examples=[100])
    ] = 100,
    cursor: Annotated[
        str | None,
        Query(
            max_length=100,
            description="The nextCursor of the previous page; leave it out for the first page.",
            examples=[make_cursor(50)],
        ),
    ] = None,
) -> AuditLog:
    """List who stopped, started, changed, corrected, deleted or exported what, newest first."""
    before_id = read_cursor(cursor) if cursor else None
    entries = await audit_page(context.database, before_id=before_id, limit=limit + 1)
    shown = entries[:limit]
    return AuditLog(
        entries=[AuditEntryView.model_validate(entry, from_attributes=True) for entry in shown],
        next_cursor=make_cursor(shown[-1].id) if len(entries) > limit else None,
    )
