"""What the results say together."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.pictures import bins
from weighbridge.dashboard.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/insights")
async def insights(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Totals, hotspots, distribution, intensity, disagreements, and what to find out next."""
    look = await dashboard.insights.look_soon()
    if look is None:
        return page(
            request,
            "insights/adding.html",
            principal=visitor,
            marks=await dashboard.marks(),
        )
    columns = bins(look.distribution)
    return page(
        request,
        "insights/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        look=look,
        distribution=to_json(
            {"labels": [one.label for one in columns], "counts": [one.count for one in columns]}
        ).decode(),
        columns=columns,
        tree=to_json(
            [{"name": one.category, "value": one.emissions_kg_co2e} for one in look.categories]
        ).decode(),
    )
