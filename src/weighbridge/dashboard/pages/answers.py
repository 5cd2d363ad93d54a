"""Corrects the model's answers about a product on its page, and takes corrections back. The figure
is computed again at once, without a call to the model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Dashboard, Pages, Visitor
from weighbridge.dashboard.formats import kilograms, moved
from weighbridge.dashboard.forms import Form, read_form
from weighbridge.dashboard.links import product_url
from weighbridge.dashboard.pages.product import RefusedEdits, product_page
from weighbridge.dashboard.rendering import redirect
from weighbridge.errors import Conflict, InputError
from weighbridge.service.desk import correcting
from weighbridge.service.desk.editing import (
    ATTRIBUTES,
    editable_answers,
    outdated_edits,
    read_edits,
)

if TYPE_CHECKING:
    from weighbridge.domain.corrections import Change
    from weighbridge.service.desk.correcting import CorrectedFigure

router = APIRouter(include_in_schema=False)

_NAMED: Final = re.compile(r'^"[a-z_]+"(?= has to be )')
"""Matches the name that a program has for a field, at the beginning of a message; beside the field
it says nothing.
"""
LONGEST_REASON: int = 1_000
"""The most characters of the reason for a correction."""


@router.post("/products/{code:code}/answers")
async def correct_answers(
    code: str, request: Request, dashboard: Pages, visitor: Visitor
) -> Response:
    """Store the corrections made in the form, all of them or none."""
    form = await read_form(request)
    await dashboard.server.follow_factors()
    given, shown = _filled_in(form)
    reason = form.text("reason")
    if outdated := await _outdated(code, given, shown, form, dashboard, visitor.name):
        return await product_page(code, request, dashboard, visitor, status=422, refused=outdated)
    try:
        changes = read_edits(dashboard.server.steps, given, shown)
        figures = await _correct(code, changes, form, dashboard, visitor.name)
    except Conflict as error:
        refused = RefusedEdits(given, shown, reason, earlier=str(error))
    except InputError as error:
        problems, general = _by_target(code, str(error), given)
        refused = RefusedEdits(given, shown, reason, problems, general)
    else:
        return redirect(product_url(code) + "#answers", _outcome_message(figures))
    return await product_page(code, request, dashboard, visitor, status=422, refused=refused)


@router.post("/products/{code:code}/take-back")
async def take_back(code: str, request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Take a correction back: the figure is as it was without it."""
    number = (await read_form(request)).text("number")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise InputError("Choose which correction to take back.")
    server = dashboard.server
    await server.follow_factors()
    figures = await correcting.take_back(
        server.database, server.factors, server.steps, code, visitor.name, int(number)
    )
    return redirect(product_url(code) + "#answers", _outcome_message(figures, done="Taken back."))


async def _outdated(
    code: str,
    given: dict[str, str],
    shown: dict[str, str],
    form: Form,
    dashboard: Dashboard,
    by: str,
) -> RefusedEdits | None:
    """The refusal of a form whose edited fields contain something else by now; None otherwise.

    Without it, a page that was left open would change another value than its reader looked at: a
    part's number may be that of another part after the product was weighed again.
    """
    server = dashboard.server
    now = await editable_answers(server.database, server.steps, code)
    outdated = outdated_edits(now, given, shown, by) if now else None
    if outdated is None or not (outdated.problems or outdated.gone):
        return None
    kept = {
        target: text
        for target, text in given.items()
        if text != shown.get(target, "") and target not in outdated.elsewhere
    }
    return RefusedEdits(
        kept,
        reason=form.text("reason"),
        problems=outdated.problems,
        general=" ".join(outdated.gone),
    )


async def _correct(
    code: str, changes: tuple[Change, ...], form: Form, dashboard: Dashboard, by: str
) -> list[CorrectedFigure]:
    """Store the changes; returns the figures computed with them, none if there are no changes."""
    reason = form.text("reason")
    if len(reason) > LONGEST_REASON or "\0" in reason:
        raise InputError(f"A reason has at most {LONGEST_REASON:,} characters. Shorten it.")
    server = dashboard.server
    if not changes:
        return []
    wanted = correcting.Request(changes, by, reason, replace=form.text("replace") == "1")
    return await correcting.correct(server.database, server.factors, server.steps, [code], wanted)


def _filled_in(form: Form) -> tuple[dict[str, str], dict[str, str]]:
    """(what the fields contain, what they contained when the page was drawn), by target."""
    given = form.starting_with("to.")
    if name := form.text("attribute"):
        given[f"{ATTRIBUTES}{name}"] = form.text("attribute-value")
    return given, form.starting_with("was.")


def _by_target(code: str, message: str, given: dict[str, str]) -> tuple[dict[str, str], str]:
    """(the lines of a refusal by the field that each is about, the lines about no field)."""
    found: dict[str, str] = {}
    rest = []
    for line in message.splitlines():
        said = line.removeprefix(f"{code}: ")
        target, _, why = said.partition(": ")
        if target in given:
            found[target] = _NAMED.sub("This", why)
        else:
            rest.append(said)
    return found, " ".join(rest)


def _outcome_message(figures: list[CorrectedFigure], done: str = "Corrected.") -> str:
    """The message after a correction: how the figure has changed, or that it has not."""
    if not figures:
        return "Nothing was changed."
    before, after = figures[0].before_kg_co2e, figures[0].after_kg_co2e
    if before != after:
        return " ".join(
            (f"{done} The footprint changed {moved(before, after)}.", *figures[0].notes)
        )
    same = f"{done} The footprint is unchanged: {kilograms(after)} CO2e."
    return " ".join((same, *figures[0].notes))
