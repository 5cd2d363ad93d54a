"""Requests from other sites, and the headers of every answer. Who may come in at all: `access.py`.

Plain ASGI classes around the app, outermost first in `app.py`; streams pass through untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from weighbridge.api.errors import problem_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}


class RefuseOtherSites:
    """Keeps pages of other sites from using the browser of a person who can reach this server.

    It could send simple requests (and, with a cookie or on this machine without a token, have them
    obeyed), or reach us under a name of its own (DNS rebinding). `hosts` are the names that we
    answer to; none: any.

    The check is the one of Go's http.CrossOriginProtection
    (https://pkg.go.dev/net/http#CrossOriginProtection): browsers say in Sec-Fetch-Site where a
    request comes from, and no page can change that header. Where it is missing (plain http to
    another machine), Origin must name the host that was asked. What sends neither is no browser,
    and brings a token of its own.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str]) -> None:
        self.app = app
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 400 or 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """400 for an unknown host name, 403 for a change asked for by another site; else None."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts and _without_port(host) not in self._hosts:
            detail = "This server does not accept that host name."
            return problem_response(
                scope["path"], 400, "malformed-request", "The request is malformed", detail
            )
        if scope["method"] in SAFE_METHODS or self._is_from_here(headers, host):
            return None
        detail = "Pages of other sites may not send requests that change something."
        return problem_response(
            scope["path"], 403, "forbidden", "Request from another site refused", detail
        )

    def _is_from_here(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if origin is not None and origin in self._origins:
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is None or _netloc(origin) == host.lower()


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class SecurityHeaders:
    """Adds security headers to every response, unless the response sets its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; add to the start of the answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
