"""The page with the batches at the provider's Batch API: state, progress and cost of each."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.forms import row_id
from weighbridge.dashboard.rendering import page
from weighbridge.service.views.batches import followed_batches

router = APIRouter(include_in_schema=False)

PAGE: Final = 50


@router.get("/batches")
async def batches(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The batches, newest first."""
    before = request.query_params.get("before", "")
    found = await followed_batches(
        dashboard.server.database, before_id=row_id(before), limit=PAGE + 1
    )
    return page(
        request,
        "batches/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        batches=found[:PAGE],
        next_id=found[PAGE - 1].batch.id if len(found) > PAGE else None,
        before=before,
    )
