"""The page with the audit log: who did what, and when."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.forms import row_id
from weighbridge.dashboard.rendering import page
from weighbridge.service.access.audit import audit_page

router = APIRouter(include_in_schema=False)

PAGE: Final = 100


@router.get("/audit")
async def audit(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The audit log, newest first."""
    before = request.query_params.get("before", "")
    entries = await audit_page(dashboard.server.database, before_id=row_id(before), limit=PAGE + 1)
    return page(
        request,
        "audit/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        entries=entries[:PAGE],
        next_id=entries[PAGE - 1].id if len(entries) > PAGE else None,
        before=before,
    )
