"""Who may come in: the token (header or session cookie), requests from other sites, and the headers of every answer.

Plain ASGI classes around the app, outermost first in `app.py`; streams pass through untouched.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from weighbridge.api.errors import problem_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from weighbridge.clock import Clock

COOKIE: Final = "weighbridge_session"
SESSION_S: Final = 12 * 3600
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/login"})
"""Health is for machines that hold no secrets; the login page is how a browser gets in."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}


class Sessions:
    """Session cookies that the server need not remember: an end time, signed with a key made of the token.

    A new token ends every session.
    """

    def __init__(self, token: str) -> None:
        self._token_digest = _digest(token)
        self._key = hashlib.sha256(b"weighbridge session\0" + token.encode()).digest()

    def is_token(self, given: str) -> bool:
        """Compared in constant time, whatever the lengths."""
        return hmac.compare_digest(_digest(given), self._token_digest)

    def open(self, now_s: float) -> str:
        """The value of a new cookie."""
        ends = str(int(now_s) + SESSION_S)
        return f"{ends}.{self._sign(ends)}"

    def is_open(self, value: str, now_s: float) -> bool:
        """Whether we gave out this cookie and it still holds."""
        ends, _, signature = value.partition(".")
        is_ours = hmac.compare_digest(self._sign(ends).encode(), signature.encode())
        return is_ours and now_s < int(ends)

    def _sign(self, ends: str) -> str:
        return hmac.new(self._key, ends.encode(), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class RequireToken:
    """Without the token only the open paths answer. Browsers are sent to the login page."""

    def __init__(self, app: ASGIApp, token: SecretStr, clock: Clock) -> None:
        self.app = app
        self._sessions = Sessions(token.get_secret_value())
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 401."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._may_enter(scope):
            await self.app(scope, receive, send)
            return
        await _ask_to_log_in(scope)(scope, receive, send)

    def _may_enter(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._sessions.is_token(credentials.strip())
        cookie = session_cookie(headers)
        return cookie is not None and self._sessions.is_open(cookie, self._clock.now().timestamp())


def session_cookie(headers: Headers) -> str | None:
    """The session in a request's cookies."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _ask_to_log_in(scope: Scope) -> Response:
    if scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
        query = scope["query_string"]
        wanted = scope["raw_path"] + (b"?" + query if query else b"")
        return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)
    return problem_response(
        scope["path"],
        401,
        "unauthorized",
        "Authentication required",
        "Send the token of WEIGHBRIDGE_API_TOKEN as 'Authorization: Bearer …'; in a browser, log in at /login.",
        headers={"WWW-Authenticate": 'Bearer realm="weighbridge"'},
    )


class RefuseOtherSites:
    """A page of another site must not use the browser of somebody who can reach us.

    It could send simple requests (and, with a cookie or on this machine without a token, have them
    obeyed), or reach us under a name of its own (DNS rebinding). `hosts` are the names that we answer
    to; none: any.
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
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts and _without_port(host) not in self._hosts:
            detail = "This server does not answer to that host name."
            return problem_response(
                scope["path"], 400, "malformed-request", "The request is malformed", detail
            )
        if scope["method"] in SAFE_METHODS or self._is_from_here(headers, host):
            return None
        detail = "Requests that change something are not taken from pages of other sites."
        return problem_response(scope["path"], 403, "forbidden", "Not allowed from there", detail)

    def _is_from_here(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        return origin in self._origins or _netloc(origin) == host.lower()


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class SecurityHeaders:
    """Adds to every answer the headers that keep browsers strict; an answer may set its own instead."""

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
