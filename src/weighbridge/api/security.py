"""Refuses requests from other sites, and sets security headers. Tokens are checked in `access.py`.

Plain ASGI classes around the app (see `_protect` in `app.py`). They do not buffer streams.
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
    """Refuses requests that a page of another site makes a user's browser send to this server.

    Such a page could have simple requests carried out (with the user's cookie, or on this machine
    without a token), or reach this server under the page's own host name (DNS rebinding). `hosts`
    are the host names that are accepted; empty: any. `origins` are other sites that are allowed.

    The check is the one of Go's http.CrossOriginProtection
    (https://pkg.go.dev/net/http#CrossOriginProtection): browsers say in Sec-Fetch-Site where a
    request comes from, and no page can change that header. Where it is missing (plain http to
    another machine), Origin must name the host of the request. A client that sends neither is no
    browser, and needs a token.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str]) -> None:
        self.app = app
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400 or 403."""
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
            detail = (
                "This server does not accept that host name. Use the address that it listens on, "
                "or make a token with `weighbridge token add NAME` and restart it: then any name works."
            )
            return problem_response(
                scope["path"], 400, "malformed-request", "The request is malformed", detail
            )
        if scope["method"] in SAFE_METHODS or self._is_same_site(headers, host):
            return None
        detail = (
            "Pages of other sites may not send requests that change something, unless "
            "WEIGHBRIDGE_CORS_ORIGINS lists the site."
        )
        return problem_response(
            scope["path"], 403, "forbidden", "Request from another site refused", detail
        )

    def _is_same_site(self, headers: Headers, host: str) -> bool:
        """Whether the request comes from this site, an allowed one, or no browser."""
        origin = headers.get("origin")
        if origin is not None and origin in self._origins:
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is None or _netloc(origin) == host.lower()


def _without_port(host: str) -> str:
    """The host name in lower case, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _netloc(origin: str) -> str:
    """Host and port of an origin in lower case; empty for an invalid one."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class SecurityHeaders:
    """Adds security headers to every response, unless the response sets its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers when the response begins."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
