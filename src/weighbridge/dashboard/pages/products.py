"""Products: filtered, sorted, a page at a time; and what is done to a selection."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor, note_action
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.links import own_page
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.domain.products import ProcessingStatus
from weighbridge.service.access.audit import NAMED_IN_AUDIT
from weighbridge.service.views import listing
from weighbridge.service.views.listing import Filter, Order, Quality

router = APIRouter(include_in_schema=False)

_Choice = TypeVar("_Choice", bound=StrEnum)


@router.get("/products")
async def products(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The list. Filters, order and page stand in the address."""
    wanted, order = _filter_of(request), _order(request)
    after = request.query_params.get("after", "")
    database = dashboard.server.database
    found = await listing.list_page(database, wanted, order, after)
    is_part = request.headers.get("hx-request") == "true"
    return page(
        request,
        "products/list.html" if is_part else "products/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        found=found,
        wanted=wanted,
        order=order,
        after=after,
        categories=[] if is_part else await listing.categories(database),
        look=None if is_part else await dashboard.live.status(),
        query=_query(wanted, order),
        here=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
        statuses=list(ProcessingStatus),
        qualities=list(Quality),
        orders=list(Order),
    )


def _filter_of(request: Request) -> Filter:
    """The filter given in the URL; unknown values are ignored."""
    given = request.query_params
    return Filter(
        status=_one_of(ProcessingStatus, given.get("status", "")),
        search=given.get("search", "").strip().replace("\0", "")[:200],
        category=given.get("category", "").replace("\0", "")[:200],
        quality=_one_of(Quality, given.get("quality", "")),
        error_kind=given.get("error", "").replace("\0", "")[:100],
        unchecked=given.get("unchecked") == "1",
        corrected=given.get("corrected") == "1",
    )


def _order(request: Request) -> Order:
    return _one_of(Order, request.query_params.get("order", "")) or Order.UPLOADED


def _one_of(kind: type[_Choice], text: str) -> _Choice | None:
    return kind(text) if text in set(kind) else None


def _query(wanted: Filter, order: Order) -> str:
    """The filter as an address has it, without the page."""
    values = {
        "status": wanted.status.value if wanted.status else "",
        "search": wanted.search,
        "category": wanted.category,
        "quality": wanted.quality.value if wanted.quality else "",
        "error": wanted.error_kind,
        "unchecked": "1" if wanted.unchecked else "",
        "corrected": "1" if wanted.corrected else "",
        "order": order.value if order is not Order.UPLOADED else "",
    }
    return urlencode({name: value for name, value in values.items() if value})


@router.post("/products/selection")
async def act_on_selection(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Retry, delete or approve what was ticked."""
    form = await read_form(request)
    codes = form.texts("code")
    back = own_page(form.text("next", "/products"))
    if not codes:
        return redirect(back, "Nothing was selected.")
    action = form.text("action")
    message = await _act(action, codes, dashboard, visitor.name)
    done = {
        "retry": "retried products",
        "delete": "deleted products",
        "approve": "approved products",
    }
    named = codes[0] if len(codes) == 1 else f"{len(codes)} products"
    note_action(request, done.get(action, action), named, {"codes": codes[:NAMED_IN_AUDIT]})
    return redirect(back, message)


async def _act(action: str, codes: list[str], dashboard: Pages, by: str) -> str:
    database = dashboard.server.database
    match action:
        case "retry":
            count = await listing.retry(database, Filter(codes=tuple(codes)))
            return f"{count:,} failed products wait for another try."
        case "delete":
            return f"{await listing.remove(database, codes):,} products deleted."
        case "approve":
            return f"{await listing.approve(database, codes, by):,} products approved."
        case _:
            return "Nothing was done: choose retry, delete or approve."
