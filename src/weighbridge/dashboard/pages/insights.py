"""The page with the totals of all results, and what to find out next."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.pictures import bins
from weighbridge.dashboard.rendering import page
from weighbridge.domain.totals import NOT_STATED, TotalBy
from weighbridge.service.views.insights import SHOWN

router = APIRouter(include_in_schema=False)

TABLES: Final = {
    TotalBy.MATERIAL: "Materials",
    TotalBy.SUPPLIER: "Suppliers",
    TotalBy.COUNTRY: "Countries of origin",
}
"""Titles of the tables besides that of the categories; one is left out where no product has a value
for it, such as a supplier.
"""

PATIENCE_S: Final = 0.5
"""How long the page waits for new totals; then it shows earlier ones, or says that they are being
added up.
"""


@router.get("/insights")
async def insights(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Totals, hotspots, distribution, intensity, disagreements, and what to find out next."""
    look = await dashboard.insights.soon(PATIENCE_S)
    if look is None:
        return page(
            request,
            "adding.html",
            principal=visitor,
            marks=await dashboard.marks(),
            title="Insights",
            records="products",
        )
    columns = bins(look.distribution)
    groups = look.totals.groups
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
        tables=[
            (name, groups[by][:SHOWN], len(groups[by]))
            for by, name in TABLES.items()
            if [one.name for one in groups.get(by, ())] not in ([], [NOT_STATED])
        ],
        tree=to_json(
            [{"name": one.name, "value": one.total_kg_co2e} for one in groups[TotalBy.CATEGORY]]
        ).decode(),
    )
