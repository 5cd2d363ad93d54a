"""The API reference at /docs: FastAPI's Swagger UI page with scripts that are in this package.

Swagger UI needs scripts, which no other page of the API may run, so this page carries its own
Content-Security-Policy. Everything comes from this server: the page works without the internet.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

ASSETS: Final = Path(__file__).parents[1] / "swagger_ui"
_ASSETS_PATH: Final = "/docs/assets"
_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def _make_page() -> str:
    """The HTML of the Swagger UI page."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Weighbridge API",
        swagger_js_url=f"{_ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS_PATH}/favicon-32x32.png",
        swagger_ui_parameters={"validatorUrl": None, "persistAuthorization": False},
    )
    return bytes(page.body).decode()


def _content_security_policy(page: str) -> str:
    """The Content-Security-Policy of the page: it allows scripts from this server and the page's
    own inline script, by its hash.
    """
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(page)
    )
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'; form-action 'none';"
        " frame-ancestors 'none'; base-uri 'none'"
    )


_PAGE: Final = _make_page()
_HEADERS: Final = {
    "Content-Security-Policy": _content_security_policy(_PAGE),
    # With no-referrer, browsers send "Origin: null" and the server would refuse try-it-out.
    "Referrer-Policy": "same-origin",
}

_FILES: Final = StaticFiles(directory=ASSETS)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs_page() -> HTMLResponse:
    """Swagger UI for /openapi.json."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get(_ASSETS_PATH + "/{name}")
async def docs_asset(name: str, request: Request) -> Response:
    """A file of Swagger UI. Browsers store it, but ask each time whether it has changed."""
    response = await _FILES.get_response(name, request.scope)
    response.headers["Cache-Control"] = "no-cache"
    return response
