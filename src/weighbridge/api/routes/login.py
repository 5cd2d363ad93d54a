"""The login page and logout. No scripts, nothing from other servers."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from weighbridge.api.bodies import read_body
from weighbridge.api.context import Context
from weighbridge.api.security import COOKIE, SESSION_S, Sessions

router = APIRouter(include_in_schema=False)

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin:2.5rem 0 .5rem;font-size:1.1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}
pre{padding:.75rem;overflow:auto;border:1px solid #8884;border-radius:6px}
.method{display:inline-block;min-width:4.2rem;font-weight:700}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8884;vertical-align:top}
form{display:grid;gap:.75rem;max-width:22rem}input,button{font:inherit;padding:.5rem}
.error{color:#c33}
"""
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
}
_LOGIN_BYTES = 10_000


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    document = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>'
    )
    return HTMLResponse(document, status, _PAGE_HEADERS)


@router.get("/")
async def home() -> Response:
    """Until there is a dashboard, the reference is the front page."""
    return RedirectResponse("/docs", 307)


@router.get("/login")
async def login_page(next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """The form."""
    return _login_form(next)


def _login_form(target: str, problem: str = "", status: int = 200) -> HTMLResponse:
    said = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        "Log in to Weighbridge",
        f'<h1>Weighbridge</h1>{said}<form method="post" action="/login">'
        '<label for="token">Token (WEIGHBRIDGE_API_TOKEN)</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
        f'<input type="hidden" name="next" value="{escape(target)}"><button>Log in</button></form>',
        status,
    )


@router.post("/login")
async def login(request: Request, context: Context) -> Response:
    """Exchange the token for a session cookie."""
    body = (await read_body(request, _LOGIN_BYTES)).decode("utf-8", "replace")
    form = parse_qs(body, max_num_fields=10)
    target = form.get("next", ["/"])[0]
    token = context.settings.api_token
    if token is None:
        return RedirectResponse(_own_page(target), 303)
    sessions = Sessions(token.get_secret_value())
    if not sessions.is_token(form.get("token", [""])[0].strip()):
        return _login_form(target, "That is not the token.", 401)
    response = RedirectResponse(_own_page(target), 303)
    response.set_cookie(
        COOKIE,
        sessions.open(context.clock.now().timestamp()),
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def _own_page(target: str) -> str:
    """The page to go on to, unless it lies on another server."""
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_ours and target.isprintable() else "/"


@router.post("/logout")
async def logout() -> Response:
    """Forget the session in this browser."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
