"""The page that retries, approves or deletes all products that a filter finds, once their number is
confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Dashboard, Pages, Visitor, note_action
from weighbridge.dashboard.formats import words
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.handing_over import pact_problem
from weighbridge.dashboard.pages.products import (
    DONE,
    act,
    address_of,
    filter_in,
    products_counted,
)
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.errors import Conflict
from weighbridge.service.views import listing
from weighbridge.service.views.categories import written

if TYPE_CHECKING:
    from weighbridge.service.access.gate import Principal
    from weighbridge.service.views.listing import Filter

router = APIRouter(include_in_schema=False)


@router.get("/products-found")
async def found(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """How many products pass the filters of the address, and what can be done to all of them."""
    return await _found_page(
        request, dashboard, visitor, await filter_in(dashboard, request.query_params)
    )


async def _found_page(
    request: Request,
    dashboard: Dashboard,
    visitor: Principal,
    wanted: Filter,
    *,
    status: int = 200,
    problem: str = "",
) -> Response:
    return page(
        request,
        "products/found.html",
        status=status,
        principal=visitor,
        marks=await dashboard.marks(),
        pact_problem=pact_problem(dashboard.server.settings),
        found=await listing.count(dashboard.server.database, wanted),
        said=_conditions_in_words(wanted),
        query=address_of(wanted),
        problem=problem,
    )


@router.post("/products-found")
async def act_on_found(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Retry, approve or delete all products that the filter finds.

    Nothing is deleted if their number is no longer the confirmed one.
    """
    form = await read_form(request)
    query, action = form.text("filter"), form.text("action")
    wanted = await filter_in(dashboard, dict(parse_qsl(query)))
    confirmed = form.text("count")
    expected = int(confirmed) if confirmed.isascii() and confirmed.isdecimal() else -1
    database = dashboard.server.database
    try:
        message = await act(action, wanted, database, visitor.name, expected)
    except Conflict as error:
        return await _found_page(
            request, dashboard, visitor, wanted, status=409, problem=str(error)
        )
    note_action(
        request,
        DONE.get(action, action),
        products_counted(expected),
        {"filter": _conditions_in_words(wanted)},
    )
    return redirect(f"/products?{address_of(wanted)}", message)


def _conditions_in_words(wanted: Filter) -> list[str]:
    """The conditions of a filter in words."""
    named = {
        "state": wanted.status.value if wanted.status else "",
        "code or name contains": wanted.search,
        "category": written(wanted),
        "supplier": wanted.supplier,
        "data quality": wanted.quality.value if wanted.quality else "",
        "error": wanted.error_kind,
    }
    switches = {
        "unchecked": wanted.unchecked,
        "corrected": wanted.corrected,
        "with notes": wanted.noted,
    }
    return [f"{words(name)}: {value}" for name, value in named.items() if value] + [
        words(name) for name, on in switches.items() if on
    ]
