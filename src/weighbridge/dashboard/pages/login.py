"""The page for logging in with a token, and logging out."""

from __future__ import annotations

import math
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.links import own_page
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.service.access.audit import record_action
from weighbridge.service.access.sessions import SESSION_COOKIE, SESSION_S

router = APIRouter(include_in_schema=False)

LOGIN_BYTES: Final = 10_000
"""The most bytes of the login form."""


@router.get("/login")
async def login_page(
    request: Request,
    dashboard: Pages,
    next: str = "/",  # noqa: A002 - the name in the address
) -> Response:
    """The login form; somebody who is logged in already is redirected to `next`."""
    if request.state.principal is not None:
        return redirect(own_page(next))
    return _login_form(request, next, has_ended=SESSION_COOKIE in request.cookies)


def _login_form(
    request: Request, target: str, problem: str = "", status: int = 200, *, has_ended: bool = False
) -> Response:
    return page(
        request,
        "login/page.html",
        status=status,
        target=own_page(target),
        problem=problem,
        has_ended=has_ended,
    )


@router.post("/login")
async def login(
    request: Request,
    dashboard: Pages,
) -> Response:
    """Exchange the token for a session cookie. After wrong tokens the next try has to wait."""
    form = await read_form(request, LOGIN_BYTES)
    token, target = form.text("token"), form.text("next", "/")
    server = dashboard.server
    if await server.gate.is_open():
        return redirect(own_page(target))
    address = request.client.host if request.client else "unknown"
    if wait_s := server.throttle.wait_s(address):
        said = f"Too many wrong tokens. Try again in {math.ceil(wait_s)} s."
        answer = _login_form(request, target, said, 429)
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        return answer
    opened = await server.gate.open_session(token)
    if opened is None:
        server.throttle.note_wrong(address)
        return _login_form(
            request,
            target,
            "This is not a valid token of this server. Ask its operator for one.",
            401,
        )
    server.throttle.note_right(address)
    principal, session = opened
    await record_action(server.database, principal.name, "logged in")
    response = redirect(own_page(target))
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
async def logout() -> Response:
    """Delete the session cookie in this browser."""
    response = redirect("/login")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return response
