"""The page with the settings: the queue, caps on money, tokens, and how own pages can follow the
queue.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Dashboard, Pages, Visitor, note_action, nothing_done
from weighbridge.dashboard.forms import Form, read_form
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.errors import WeighbridgeError
from weighbridge.service import queue as service
from weighbridge.service.access.gate import Principal
from weighbridge.service.access.tokens import Role, add_token, list_tokens, revoke_token
from weighbridge.service.budgets import PERIODS, InvalidBudget, read_budgets, set_budgets
from weighbridge.service.queue import (
    CONFIG_RANGES,
    PACINGS,
    SWITCHES,
    IntegerRange,
    InvalidConfig,
)

router = APIRouter(include_in_schema=False)

MEANINGS: Final = {
    "pacing": (
        "Pacing",
        "Batch: one batch at a time, with a delay after each. Continuous: as fast as the limits allow.",
    ),
    "batchSize": ("Batch size", "How many products a batch takes."),
    "batchDelayMs": ("Delay between batches (s)", "How long the queue waits after a batch."),
    "maxConcurrentRequests": (
        "Calls at once",
        "How many calls to the provider may run at the same time, over all workers.",
    ),
    "requestsPerMinute": (
        "Requests a minute",
        "Your account's limit. No more requests than this are sent in any 60 seconds.",
    ),
    "tokensPerMinute": (
        "Tokens a minute",
        "Your account's limit. A call counts with its prompt and the longest answer it allows.",
    ),
    "askTogether": (
        "One call for all steps",
        "One call asks for category, bill of materials and processes: a third of the requests, a fifth fewer tokens.",
    ),
}
"""Setting → its label, and what it does."""
SHOWN_UNITS: Final = {"batchDelayMs": 1_000}
"""Setting → how many of its stored units make one unit of the form: milliseconds are shown as
seconds.
"""
SHOWN_RANGES: Final = {
    name: IntegerRange(each.low // unit, each.high // unit if each.high else None)
    for name, each in CONFIG_RANGES.items()
    for unit in [SHOWN_UNITS.get(name, 1)]
}
"""Setting → its range in the units of the form."""


@router.get("/settings")
async def settings(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The page with everything that can be set while the queue runs."""
    return await _settings_page(request, dashboard, visitor)


async def _settings_page(
    request: Request,
    dashboard: Dashboard,
    visitor: Principal,
    *,
    status: int = 200,
    given: dict[str, str] | None = None,
    problem: tuple[str, str] = ("", ""),
    new_token: tuple[str, str] = ("", ""),
    given_caps: dict[str, str] | None = None,
) -> Response:
    """The page. After a refusal it shows again what was filled in, and the `problem`.

    `problem` is (field, why); `new_token` is (name, token).
    """
    server = dashboard.server
    budgets = {one.name: one for one in await read_budgets(server.database, server.clock)}
    config = await service.read_config(server.database)
    return page(
        request,
        "settings/page.html",
        status=status,
        principal=visitor,
        marks=await dashboard.marks(),
        config={
            name: (given or {}).get(name, _as_in_form(name, value))
            for name, value in config.items()
        },
        meanings=MEANINGS,
        ranges=SHOWN_RANGES,
        pacings=PACINGS,
        switches=SWITCHES,
        problem_field=problem[0],
        problem=problem[1],
        notices=(await dashboard.live.status()).notices,
        periods=PERIODS,
        budgets={period: budgets.get(period) for period in PERIODS},
        given_caps=given_caps or {},
        tokens=await list_tokens(server.database) if visitor.may_operate else [],
        new_name=new_token[0],
        new_token=new_token[1],
        is_open=await server.gate.is_open(),
        provenance=server.provenance,
        running=server.settings,
        origin=f"{request.url.scheme}://{request.url.netloc}",
    )


@router.post("/settings")
async def change_settings(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Store the settings that were changed in the form, all of them or none."""
    given = (await read_form(request)).starting_with("config.")
    current = await service.read_config(dashboard.server.database)
    values = {
        name: value
        for name, value in ((name, _setting_from_form(name, text)) for name, text in given.items())
        if value != current.get(name)
    }
    if not values:
        return nothing_done(request, "/settings", "Nothing was changed.")
    try:
        previous, new = await service.configure(dashboard.server.database, values)
    except InvalidConfig as error:
        return await _settings_page(
            request, dashboard, visitor, status=422, given=given, problem=_refusal(error)
        )
    note_action(
        request,
        "changed the configuration",
        detail={name: [previous[name], new[name]] for name in values},
    )
    return redirect("/settings", "Saved. The change takes effect at once, for every worker.")


def _as_in_form(name: str, value: Any) -> Any:
    """A setting as the form shows it: numbers in its unit and with separators, 450,000."""
    return f"{value // SHOWN_UNITS.get(name, 1):,}" if name in CONFIG_RANGES else value


def _refusal(error: InvalidConfig) -> tuple[str, str]:
    """(the field that was refused, why, in the units of the form)."""
    if error.field not in SHOWN_RANGES:
        return error.field, str(error)
    return error.field, f"Nothing was changed: the value must be {SHOWN_RANGES[error.field]}."


def _setting_from_form(name: str, text: str) -> Any:
    """A setting from the form, in the type and unit of the service.

    A text that should be a number and is none stays a text: the service refuses it.
    """
    if name in SWITCHES:
        return text == "true"
    plain = text.replace(",", "").replace(" ", "")
    if name not in CONFIG_RANGES or not plain.isascii() or not plain.isdecimal() or len(plain) > 15:
        return text
    return int(plain) * SHOWN_UNITS.get(name, 1)


@router.post("/settings/budgets")
async def change_budgets(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Store the caps on money in the form; an empty one is removed."""
    given = (await read_form(request)).starting_with("cap.")
    caps = {period: _cap_from_form(text) for period, text in given.items()}
    try:
        await set_budgets(dashboard.server.database, caps)
    except InvalidBudget as error:
        return await _settings_page(
            request,
            dashboard,
            visitor,
            status=422,
            problem=(error.field, str(error)),
            given_caps=given,
        )
    note_action(request, "changed the caps on money", detail=caps)
    return redirect(
        "/settings#budgets",
        "Saved. The caps on money apply from the next call of every server and worker.",
    )


def _cap_from_form(text: str) -> float | str | None:
    """A cap from the form in USD, None for an empty one.

    A text that is no number stays a text: the service refuses it.
    """
    plain = text.replace(",", "").replace("$", "").strip()
    try:
        return float(plain) if plain else None
    except ValueError:
        return text


@router.post("/settings/tokens")
async def make_token(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Make a token and show it; it is never shown again."""
    form = await read_form(request)
    name, role = form.text("name"), _role(form)
    try:
        token = await add_token(dashboard.server.database, name, role)
    except WeighbridgeError as error:
        return await _settings_page(
            request, dashboard, visitor, status=422, problem=("token", str(error))
        )
    dashboard.server.gate.forget()
    note_action(request, "added a token", name, {"role": role.value})
    return await _settings_page(request, dashboard, visitor, new_token=(name, token))


def _role(form: Form) -> Role:
    return Role.OPERATOR if form.text("role") == Role.OPERATOR.value else Role.READ_ONLY


@router.post("/settings/tokens/revoke")
async def end_token(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Revoke a token, which ends its sessions."""
    name = (await read_form(request)).text("name")
    await revoke_token(dashboard.server.database, name)
    dashboard.server.gate.forget()
    note_action(request, "revoked a token", name)
    return redirect("/settings", f"The token {name} is revoked, and its sessions have ended.")
