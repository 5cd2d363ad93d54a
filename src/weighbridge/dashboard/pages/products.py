"""The list of products, filtered and sorted, and what can be done to those that are selected."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor, note_action, nothing_done
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.handing_over import pact_problem
from weighbridge.dashboard.links import own_page
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.domain.products import ProcessingStatus
from weighbridge.service.access.audit import NAMED_IN_AUDIT
from weighbridge.service.views import listing
from weighbridge.service.views.categories import written
from weighbridge.service.views.listing import Filter, Order, Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.dashboard.context import Dashboard
    from weighbridge.service.opening import Database

router = APIRouter(include_in_schema=False)

DONE: Final = {
    "retry": "retried products",
    "delete": "deleted products",
    "approve": "approved products",
}
"""What the audit log calls each action."""

_Choice = TypeVar("_Choice", bound=StrEnum)


@router.get("/products")
async def products(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The list. Filters, order and page stand in the address."""
    wanted, order = await filter_in(dashboard, request.query_params), _order(request)
    after = request.query_params.get("after", "")
    database = dashboard.server.database
    found = await listing.list_page(database, wanted, order, after)
    is_part = request.headers.get("hx-request") == "true"
    return page(
        request,
        "products/list.html" if is_part else "products/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        pact_problem=pact_problem(dashboard.server.settings),
        found=found,
        wanted=wanted,
        order=order,
        after=after,
        categories=[] if is_part else await listing.categories(database),
        suppliers=[] if is_part else await listing.suppliers(database),
        look=None if is_part else await dashboard.live.status(),
        query=address_of(wanted, order),
        filter_query=address_of(wanted),
        here=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
        statuses=list(ProcessingStatus),
        qualities=list(Quality),
        orders=list(Order),
    )


async def filter_in(dashboard: Dashboard, given: Mapping[str, str]) -> Filter:
    """The filter that an address has, with its category as it is stored.

    Raises InputError for a category that there is not.
    """
    server = dashboard.server
    return await listing.understood(server.database, server.taxonomy, filter_of(given))


def filter_of(given: Mapping[str, str]) -> Filter:
    """The filter in the query of an address; unknown values are ignored."""
    return Filter(
        status=_one_of(ProcessingStatus, given.get("status", "")),
        search=_short_text(given, "search"),
        category=_short_text(given, "category"),
        supplier=_short_text(given, "supplier"),
        quality=_one_of(Quality, given.get("quality", "")),
        error_kind=_short_text(given, "errorKind"),
        unchecked=given.get("unchecked") == "true",
        corrected=given.get("corrected") == "true",
        noted=given.get("noted") == "true",
    )


def _short_text(given: Mapping[str, str], name: str) -> str:
    """The value of a parameter as a short text that the database can take."""
    return given.get(name, "").strip().replace("\0", "")[:200]


def _order(request: Request) -> Order:
    return _one_of(Order, request.query_params.get("order", "")) or Order.UPLOADED


def _one_of(kind: type[_Choice], text: str) -> _Choice | None:
    """The member of an enumeration with this value, or None."""
    return kind(text) if text in set(kind) else None


def address_of(wanted: Filter, order: Order = Order.UPLOADED) -> str:
    """The query of an address with this filter and order, without the page."""
    values = {
        "status": wanted.status.value if wanted.status else "",
        "search": wanted.search,
        "category": written(wanted),
        "supplier": wanted.supplier,
        "quality": wanted.quality.value if wanted.quality else "",
        "errorKind": wanted.error_kind,
        "unchecked": "true" if wanted.unchecked else "",
        "corrected": "true" if wanted.corrected else "",
        "noted": "true" if wanted.noted else "",
        "order": order.value if order is not Order.UPLOADED else "",
    }
    return urlencode({name: value for name, value in values.items() if value})


@router.post("/products/selection")
async def act_on_selection(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Retry, delete or approve the selected products."""
    form = await read_form(request)
    codes = form.texts("code")
    back = own_page(form.text("next", "/products"))
    if not codes:
        return nothing_done(request, back, "Nothing was selected.")
    action = form.text("action")
    if action not in DONE:
        return nothing_done(request, back, "Nothing was done: choose retry, delete or approve.")
    wanted = Filter(codes=tuple(codes))
    message = await act(action, wanted, dashboard.server.database, visitor.name)
    named = codes[0] if len(codes) == 1 else f"{len(codes)} products"
    note_action(request, DONE.get(action, action), named, {"codes": codes[:NAMED_IN_AUDIT]})
    return redirect(back, message)


async def act(
    action: str, wanted: Filter, database: Database, by: str, expected: int | None = None
) -> str:
    """Retry, delete or approve all products that the filter finds; returns a message for the user.

    Raises:
        Conflict: `expected` is given, and another number of products would be deleted.
    """
    match action:
        case "retry":
            count = await listing.retry(database, wanted)
            return f"{products_counted(count, 'failed ')} {'waits' if count == 1 else 'wait'} for another try."
        case "delete":
            return f"{products_counted(await listing.remove(database, wanted, expected))} deleted."
        case "approve":
            return f"{products_counted(await listing.approve(database, wanted, by))} approved."
        case _:
            return "Nothing was done: choose retry, delete or approve."


def products_counted(count: int, kind: str = "") -> str:
    """A number of products in words, such as `1,204 failed products`."""
    return f"{count:,} {kind}product{'' if count == 1 else 's'}"
