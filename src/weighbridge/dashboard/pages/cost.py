"""The page with what the calls cost, by step and by model."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.rendering import page

router = APIRouter(include_in_schema=False)

PATIENCE_S: Final = 0.5
"""How long the page waits for new sums of costs and tokens; then it shows earlier ones, or says
that they are being added up.
"""


@router.get("/cost")
async def cost(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The cost and tokens of the last 24 hours and overall."""
    stats = await dashboard.live.statistics.soon(PATIENCE_S)
    if stats is None:
        return page(
            request,
            "adding.html",
            principal=visitor,
            marks=await dashboard.marks(),
            title="Cost",
            records="calls",
        )
    return page(
        request,
        "cost/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        periods=[("Last 24 hours", stats.last_24_hours), ("Overall", stats.overall)],
    )
