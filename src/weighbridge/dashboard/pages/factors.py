"""The page with the emission factors in use, and a form to upload own ones or take them back.

The browser sends the file to the API, which checks and stores it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor
from weighbridge.dashboard.formats import words
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.errors import Conflict, FactorTableInvalid
from weighbridge.service.upkeep.own_factors import factors_state, take_factors_back

if TYPE_CHECKING:
    from weighbridge.carbon.factors import FactorTable
    from weighbridge.service.upkeep.own_factors import FactorsState

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class OwnFactor:
    """A factor of the uploaded file, as the page shows it; `does` is "replaces" or "adds"."""

    kind: str
    name: str
    key: str
    does: str


@router.get("/settings/factors")
async def factors(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The factors in use, those of them that are uploaded, and the form for another file."""
    server = dashboard.server
    state: FactorsState | None = None
    problem = ""
    try:
        state = await factors_state(server.database, server.in_use)
    except FactorTableInvalid as error:
        problem = str(error)
    return page(
        request,
        "factors/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        state=state,
        own=_own_factors(state, server.factors) if state else [],
        problem=problem,
    )


@router.post("/settings/factors/take-back")
async def end_factors(dashboard: Pages, visitor: Visitor) -> Response:
    """Compute without uploaded factors from now on."""
    try:
        ended = await take_factors_back(dashboard.server.database, visitor.name)
    except Conflict:
        return redirect("/settings/factors", "Nothing was changed: no factors are uploaded.")
    message = (
        f"The factors of {ended.name} are taken back. Footprints stay as they are until they are "
        "recomputed."
    )
    return redirect("/settings/factors", message)


def _own_factors(state: FactorsState, table: FactorTable) -> list[OwnFactor]:
    """The factors of the uploaded file: those that replace a bundled one, then the others."""
    references = {one.key: one.name for kind in table.references.values() for one in kind}
    return [
        OwnFactor(words(kind), _name(kind, key, table, references), key, does)
        for does, listed in (("replaces", state.replaced), ("adds", state.added))
        for kind, _, key in (one.partition(" ") for one in listed)
    ]


def _name(kind: str, key: str, table: FactorTable, references: dict[str, str]) -> str:
    """The name of a material, process or reference by its key."""
    if kind == "material":
        return table.materials[key].name
    if kind == "process":
        return table.processes[key].name
    return references[key]
