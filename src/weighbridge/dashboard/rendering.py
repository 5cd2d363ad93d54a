"""Renders templates as pages, with headers that forbid browsers inline scripts and styles,
and eval.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from weighbridge import __version__
from weighbridge.dashboard.assets import asset_url
from weighbridge.dashboard.formats import FILTERS
from weighbridge.dashboard.links import product_url
from weighbridge.dashboard.names import NAMES

if TYPE_CHECKING:
    from fastapi import Request

    from weighbridge.service.access.gate import Principal
    from weighbridge.service.views.marks import Marks

TEMPLATES: Final = Path(__file__).with_name("templates")
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
THEMES: Final = frozenset({"light", "dark"})
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/upload", "Upload"),
    ("/products", "Products"),
    ("/review", "Review"),
    ("/insights", "Insights"),
    ("/failures", "Failures"),
    ("/cost", "Cost"),
    ("/batches", "Batches"),
    ("/audit", "Audit log"),
    ("/settings", "Settings"),
)
FLASH_COOKIE: Final = "weighbridge_flash"
"""The cookie with a message that the next page shows once."""
FLASH_S: Final = 30
"""How many seconds the message in `FLASH_COOKIE` waits for the next page."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The Jinja environment with the dashboard's templates, filters and globals."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS | NAMES)
    made.globals.update(
        asset=asset_url, product_url=product_url, navigation=NAVIGATION, version=__version__
    )
    return made


def render_text(template: str, **values: Any) -> str:
    """The text of a template filled in with these values."""
    return environment().get_template(template).render(**values)


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    principal: Principal | None = None,
    marks: Marks | None = None,
    **values: Any,
) -> HTMLResponse:
    """The response with a filled-in template: a whole page, or a part of one for htmx.

    `marks` says whether the page must warn of simulated or recorded figures.
    """
    theme = request.cookies.get("weighbridge_theme", "")
    flash = request.cookies.get(FLASH_COOKIE, "")
    text = render_text(
        template,
        path=request.url.path,
        theme=theme if theme in THEMES else "",
        flash=flash,
        principal=principal,
        marks=marks,
        **values,
    )
    response = HTMLResponse(
        text, status, {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Vary": "HX-Request"}
    )
    if flash and status < 300:
        response.delete_cookie(FLASH_COOKIE)
    return response


def redirect(target: str, message: str = "") -> RedirectResponse:
    """A redirect to another page, which shows `message` once."""
    response = RedirectResponse(target, 303)
    if message:
        response.set_cookie(
            FLASH_COOKIE, _cookie_text(message), max_age=FLASH_S, httponly=True, samesite="strict"
        )
    return response


def _cookie_text(message: str) -> str:
    """The message without characters beyond Latin-1, which no cookie can have, and shortened."""
    return message.encode("latin-1", "replace").decode("latin-1")[:500]
