"""Pages for people: login, logout, and the reference of the API. No scripts, nothing from other servers."""

from __future__ import annotations

import json
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from weighbridge.api.bodies import read_body
from weighbridge.api.context import Context
from weighbridge.api.security import COOKIE, SESSION_S, Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@router.get("/docs")
async def reference(request: Request) -> Response:
    """The OpenAPI document for reading."""
    return _page("Weighbridge API", _render(json.dumps(request.app.openapi())))


@lru_cache(maxsize=1)
def _render(document: str) -> str:
    spec: dict[str, Any] = json.loads(document)
    parts = [
        f"<h1>{escape(spec['info']['title'])}</h1><p>{escape(spec['info'].get('description', ''))}</p>",
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>',
    ]
    parts += [
        _operation(path, method, operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    ]
    parts.append("<h1>Schemas</h1>")
    parts += [
        f'<h2 id="{escape(name)}">{escape(name)}</h2><p>{escape(schema.get("description", ""))}</p>{_properties(schema)}'
        for name, schema in spec["components"]["schemas"].items()
    ]
    return "".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{_type(p['schema'])}</td><td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", [])
    )
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td><td>{_content(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    body = operation.get("requestBody")
    return (
        f'<h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
        f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"
        + (f"<table>{rows}</table>" if rows else "")
        + (f"<p>Body: {_content(body)}</p>" if body else "")
        + f"<table>{answers}</table>"
    )


def _content(holder: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"<code>{escape(kind)}</code> {_type(media.get('schema', {}))}"
        for kind, media in holder.get("content", {}).items()
    )


def _properties(schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(part)}</td><td>{escape(part.get('description', ''))}</td></tr>"
        for name, part in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    limits = f" ({low}–{'' if high is None else high})" if low is not None else ""
    return escape(str(schema.get("type", "any"))) + limits
