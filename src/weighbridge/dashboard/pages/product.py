"""The page of one product: its facts, its figure, how the figure was computed, and its history."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from weighbridge.dashboard.context import Dashboard, Pages, Visitor, note_action, nothing_done
from weighbridge.dashboard.formats import kilograms
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.links import product_url
from weighbridge.dashboard.pictures import range_bars, treemap
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.domain.results import RouteName
from weighbridge.errors import Conflict, InputError
from weighbridge.service import product_views as views
from weighbridge.service.access.audit import AuditEntry, audit_of
from weighbridge.service.desk.correcting import corrections_of
from weighbridge.service.desk.editing import editable_answers
from weighbridge.service.desk.explaining import ExplainedProduct, explain_product
from weighbridge.service.desk.history import history_of
from weighbridge.service.views import listing
from weighbridge.service.views.correcting import (
    CORRECTABLE,
    CORRECTED,
    correct_facts,
    facts_as_text,
)
from weighbridge.service.views.listing import Filter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weighbridge.service.access.gate import Principal
    from weighbridge.service.product_views import ProductRecord, ShownFootprint

router = APIRouter(include_in_schema=False)

HISTORY: Final = 50
"""How many entries of the audit log a product's history shows, at most."""
SHOWN_PROBLEMS: Final = 10
"""How many errors a product's history shows, at most."""


@router.get("/products/{code:code}/figure")
async def figure(code: str, request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The part of the page with the figure, which the page loads again until there is one."""
    record = await views.show_product(dashboard.server.database, dashboard.server.steps, code)
    return page(
        request,
        "product/figure.html",
        principal=visitor,
        record=record,
        **_chart_data(record.footprint),
    )


@router.post("/products/{code:code}/correct")
async def correct(code: str, request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Correct name, description, weight or country; the product is then processed again."""
    form = await read_form(request)
    given = {name: form.text(name) for name in CORRECTABLE}
    shown = form.starting_with("was.")
    server = dashboard.server
    try:
        changed = await correct_facts(
            server.database, code, given, shown, server.settings.field_limits
        )
    except InputError as error:
        return await product_page(
            code, request, dashboard, visitor, status=422, given=given, problem=str(error)
        )
    if not changed:
        return nothing_done(request, product_url(code), "Nothing was changed.")
    note_action(request, CORRECTED, code, changed)
    return redirect(product_url(code), "Corrected. The product is processed again.")


@router.post("/products/{code:code}/act")
async def act(code: str, request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Retry or approve the product, or take its approval back."""
    database = dashboard.server.database
    match (await read_form(request)).text("action"):
        case "retry":
            await listing.retry(database, Filter(codes=(code,)))
            note_action(request, "retried products", code)
            return redirect(product_url(code), "It waits for another try.")
        case "approve":
            await listing.approve(database, Filter(codes=(code,)), visitor.name)
            note_action(request, "approved products", code)
            return redirect(product_url(code), "Marked as checked.")
        case "take-back":
            await listing.take_approval_back(database, [code])
            note_action(request, "took approvals back", code)
            return redirect(product_url(code), "No longer marked as checked.")
        case _:
            return nothing_done(request, product_url(code), "Nothing was done.")


@router.get("/products/{code:code}")
async def product(code: str, request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The page of one product."""
    return await product_page(code, request, dashboard, visitor)


async def product_page(
    code: str,
    request: Request,
    dashboard: Dashboard,
    visitor: Principal,
    *,
    status: int = 200,
    given: dict[str, str] | None = None,
    problem: str = "",
    refused: RefusedEdits | None = None,
) -> Response:
    """The page of one product.

    After a refusal it shows again what was filled in: in the form of facts (`given`, with the
    `problem`), or in that of answers (`refused`).
    """
    server = dashboard.server
    record = await views.show_product(server.database, server.steps, code)
    listed = await listing.list_page(
        server.database, Filter(codes=(code,)), listing.Order.UPLOADED, limit=1
    )
    return page(
        request,
        "product/page.html",
        status=status,
        principal=visitor,
        marks=await dashboard.marks(),
        record=record,
        checked_at=listed.rows[0].checked_at if listed.rows else None,
        history=_history(record, await audit_of(server.database, code, HISTORY)),
        facts=given or _facts(record),
        facts_now=_facts(record),
        problem=problem,
        explained=await _explained(dashboard, record),
        editable=await editable_answers(server.database, server.steps, code),
        refused=refused or RefusedEdits(),
        corrections=await corrections_of(server.database, code),
        past=await history_of(server.database, code),
        **_chart_data(record.footprint),
    )


@dataclass(frozen=True, slots=True)
class RefusedEdits:
    """A form of corrections that was refused.

    By target: what the fields contained (`given`), what they contained when the page was drawn
    (`shown`), and what is wrong with them (`problems`). `general` is wrong with no single field;
    `earlier` says what somebody else has already corrected.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    general: str = ""
    earlier: str = ""


async def _explained(dashboard: Dashboard, record: ProductRecord) -> ExplainedProduct | None:
    """How the figure was computed; None if there is no figure, or not all of its answers are
    kept.
    """
    if record.footprint is None:
        return None
    server = dashboard.server
    try:
        return await explain_product(server.database, server.steps, record.product.code)
    except Conflict:
        return None


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a product's history."""

    at: datetime
    what: str
    who: str = ""
    trouble: str = ""
    changes: tuple[tuple[str, object, object], ...] = ()


def _history(record: ProductRecord, audited: list[AuditEntry]) -> list[Happening]:
    """What people did to the product and what happened to it, newest first."""
    found = [Happening(record.product.created_at, "came in")]
    if record.footprint is not None:
        weighed = kilograms(record.footprint.footprint.emissions_kg_co2e)
        found.append(Happening(record.footprint.calculated_at, f"weighed: {weighed} CO2e"))
    found += [
        Happening(problem.at, problem.reason, trouble=problem.kind)
        for problem in record.problems[:SHOWN_PROBLEMS]
    ]
    found += [
        Happening(entry.at, entry.action, who=entry.actor, changes=tuple(_changes(entry)))
        for entry in audited
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _changes(entry: AuditEntry) -> Iterator[tuple[str, object, object]]:
    """(field, before, after) of each change in an entry on a corrected product."""
    if entry.action == CORRECTED:
        for name, (before, after) in entry.detail.items():
            yield name, before, after


def _facts(record: ProductRecord) -> dict[str, str]:
    """The product's facts as the form for correcting them shows them."""
    product = record.product
    names = ("name", "description", "weight_kg", "country_of_origin")
    return facts_as_text({name: getattr(product, name) for name in names})


def _chart_data(shown: ShownFootprint | None) -> dict[str, Any]:
    """The template's values for the range bars and the treemap; both empty without a figure."""
    if shown is None:
        return {"bars": [], "tree": "[]"}
    figure = shown.footprint
    rows = [("This product", figure.low_kg_co2e, figure.emissions_kg_co2e, figure.high_kg_co2e)]
    rows += [
        (route.name.value, route.low_kg_co2e, route.emissions_kg_co2e, route.high_kg_co2e)
        for route in figure.routes
    ]
    bill = [one for one in figure.contributions if one.route is RouteName.BILL]
    return {
        "bars": range_bars(rows),
        "tree": to_json(treemap(bill or figure.contributions)).decode(),
    }
