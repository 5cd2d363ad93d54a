"""The page for work on many products at once: the review workbook, own bills of materials, figures
computed anew.

The browser sends files to the API, which checks and stores them.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.rendering import page
from weighbridge.service.views import listing

router = APIRouter(include_in_schema=False)


@router.get("/review")
async def review(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The forms."""
    return page(
        request,
        "review/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        categories=await listing.categories(dashboard.server.database),
    )
