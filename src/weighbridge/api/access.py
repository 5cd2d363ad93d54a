"""Checks each request's token, whether it allows the request, and records what was done.

Plain ASGI classes around the app. The rule is by method, so that no route can be forgotten: GET,
HEAD and OPTIONS are allowed with every token, other methods only with an operator's.
"""

from __future__ import annotations

import ipaddress
import math
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from weighbridge import telemetry
from weighbridge.api.errors import problem_response
from weighbridge.api.security import SAFE_METHODS
from weighbridge.service.access.audit import UPLOADED, record_action
from weighbridge.service.access.gate import LOCAL, Gate, Principal
from weighbridge.service.access.sessions import SESSION_COOKIE
from weighbridge.service.opening import DATABASE_AWAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from weighbridge.service.access.throttle import LoginThrottle
    from weighbridge.service.opening import Database

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/login", "/logout"})
"""Paths that need no token: monitoring asks for health, browsers for the login page."""
OPEN_FOLDER: Final = "/static/"
"""Paths below this one need no token, like those of `OPEN_PATHS`: the login page uses the style
sheets and scripts there.
"""
ACTIONS: Final = {
    "start_queue": "started the queue",
    "stop_queue": "stopped the queue",
    "reset_failed": "retried failed products",
    "queue_config": "changed the configuration",
    "set_budgets": "changed the budget",
    "bulk_upload": UPLOADED,
    "add_product": "added a product",
    "attach_picture": "added a picture",
    "delete_product": "deleted a product",
}
"""Name of a route → the audit log's words for it; a route that is not listed is recorded by its
name.
"""
NOT_RECORDED: Final = frozenset(
    {"inspect", "show_report", "show_result", "login", "logout"}
    | {
        "what_if",
        "import_review",
        "give_bills",
        "correct_answers",
        "take_back",
        "take_correction_back",
        "recompute_footprints",
        "upload_factors",
        "take_factors_back",
        "end_factors",
    }
)
"""Routes for which nothing is written to the audit log here: they change nothing although they are
POST requests, or their service writes the entry itself.
"""


class RequireAccess:
    """Refuses requests without a valid token, except to open paths; browsers are redirected to the
    login page.
    """

    def __init__(self, app: ASGIApp, gate: Gate, throttle: LoginThrottle) -> None:
        self.app = app
        self._gate = gate
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with `principal` in the request's state, or answer 401, 403 or 429."""
        if scope["type"] != "http" or scope["path"].startswith(OPEN_FOLDER):
            await self.app(scope, receive, send)
            return
        try:
            principal, refusal = await self._principal_and_refusal(scope)
        except DATABASE_AWAY:
            principal, refusal = None, None if _is_open(scope) else _cannot_check_token(scope)
        if refusal is None:
            scope.setdefault("state", {})["principal"] = principal
            await self.app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    async def _principal_and_refusal(
        self, scope: Scope
    ) -> tuple[Principal | None, Response | None]:
        """(who sends the request, or None; the refusal, or None if the request is allowed)."""
        if await self._gate.is_open():
            return LOCAL, None
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            address = client_address(scope)
            if wait_s := self._throttle.wait_s(address):
                return None, None if _is_open(scope) else _too_many_wrong_tokens(scope, wait_s)
            principal = await self._gate.by_token(token.strip())
            note = self._throttle.note_right if principal else self._throttle.note_wrong
            note(address)
        else:
            cookie = session_cookie(headers)
            principal = await self._gate.by_session(cookie) if cookie else None
        if _is_open(scope):
            return principal, None
        if principal is None:
            return None, _ask_to_log_in(scope)
        if scope["method"] not in SAFE_METHODS and not principal.may_operate:
            return principal, _read_only(scope, principal)
        return principal, None


def _is_open(scope: Scope) -> bool:
    return scope["path"] in OPEN_PATHS


def client_address(scope: Scope) -> str:
    """The IP address that a request comes from, or "unknown"."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def session_cookie(headers: Headers) -> str | None:
    """The session token in a request's cookies; None without one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _ask_to_log_in(scope: Scope) -> Response:
    """A redirect to /login for a page in a browser, which then returns to it; else a 401."""
    if scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
        query = scope["query_string"]
        wanted = scope["raw_path"] + (b"?" + query if query else b"")
        return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)
    return problem_response(
        scope["path"],
        401,
        "unauthorized",
        "Authentication required",
        "Send a token as 'Authorization: Bearer …'; in a browser, log in at /login.",
        headers={"WWW-Authenticate": 'Bearer realm="weighbridge"'},
    )


def _read_only(scope: Scope, principal: Principal) -> Response:
    """The 403 for a change that a read-only token asks for."""
    detail = (
        f"The token {principal.name} is read-only: it may read everything and change nothing. "
        "Use a token with the role operator."
    )
    return problem_response(scope["path"], 403, "forbidden", "Not allowed with this token", detail)


def _too_many_wrong_tokens(scope: Scope, wait_s: float) -> Response:
    """A 429 whose Retry-After is `wait_s`, rounded up to whole seconds."""
    return problem_response(
        scope["path"],
        429,
        "too-many-tries",
        "Too many wrong tokens",
        "Too many requests with a wrong token came from your address. "
        f"Try again in {math.ceil(wait_s)} s.",
        headers={"Retry-After": str(math.ceil(wait_s))},
    )


def _cannot_check_token(scope: Scope) -> Response:
    """The 503 while the database is away."""
    detail = "The database is not responding, so the token could not be checked. Try again."
    return problem_response(
        scope["path"], 503, "database-unavailable", "Database unavailable", detail
    )


class RecordActions:
    """Writes successful changes and downloads into the audit log, before the response is sent.

    A route may set `request.state.audit` to `{"action": …, "subject": …, "detail": {…}}`, or to
    `{"nothing": True}` if it did nothing.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; write the entry when the response begins."""

        async def send_and_record(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await self._record(scope, MutableHeaders(raw=list(message.get("headers", ()))))
            await send(message)

        await self.app(scope, receive, send_and_record if scope["type"] == "http" else send)

    async def _record(self, scope: Scope, headers: MutableHeaders) -> None:
        """Log the action and store it in the audit log.

        Of requests that only read, only downloads are recorded. If the database is away, the entry
        is lost but the response is sent; the program's log says so.
        """
        principal: Principal | None = scope.get("state", {}).get("principal")
        name = getattr(scope.get("route"), "name", "")
        if principal is None or name in NOT_RECORDED:
            return
        if scope["method"] in SAFE_METHODS:
            if not headers.get("content-disposition", "").startswith("attachment"):
                return
            action = "exported"
        else:
            action = ACTIONS.get(name, name.replace("_", " "))
        said: dict[str, Any] = scope["state"].get("audit", {})
        if said.get("nothing"):
            return
        action = said.get("action", action)
        subject = said.get("subject") or scope.get("path_params", {}).get("code")
        if subject is None and action == "exported":
            subject = headers["content-disposition"].partition('filename="')[2].rstrip('"') or None
        detail = said.get("detail", {})
        what = " ".join(filter(None, (action, subject)))
        telemetry.info(
            "action",
            f"👤 {principal.name} {what}{f': {_in_words(detail)}' if detail else ''}",
            actor=principal.name,
            action=action,
            subject=subject,
            detail=detail,
        )
        try:
            await record_action(self._database, principal.name, action, subject, detail)
        except DATABASE_AWAY as error:
            telemetry.error(
                "audit_failed",
                f"❌ Not written to the audit log, because the database is not responding: "
                f"{principal.name} {action} ({type(error).__name__})",
                actor=principal.name,
                action=action,
            )


class BehindProxy:
    """Takes the client's address, the scheme and the host from the X-Forwarded headers of a
    trusted reverse proxy.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[Network]) -> None:
        self.app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as if the browser had sent it directly."""
        if scope["type"] == "http" and self._is_trusted(client_address(scope)):
            scope = self._without_proxy(scope)
        await self.app(scope, receive, send)

    def _is_trusted(self, address: str) -> bool:
        """Whether the address is that of a trusted proxy."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def _without_proxy(self, scope: Scope) -> Scope:
        """The scope with client, scheme and host as the proxy's headers state them."""
        changed = dict(scope)
        headers = MutableHeaders(raw=list(scope["headers"]))
        # Each proxy appends whom it heard; the last one that is not ours is the browser.
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
        for hop in reversed(hops):
            changed["client"] = (hop, 0)
            if not self._is_trusted(hop):
                break
        scheme = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        if scheme in {"http", "https"}:
            changed["scheme"] = scheme
        host = headers.get("x-forwarded-host", "").partition(",")[0].strip()
        if host:
            headers["host"] = host
            changed["headers"] = headers.raw
        return changed


def _in_words(detail: Mapping[str, Any]) -> str:
    """The details as `name=value, …`; None is "none"."""
    return ", ".join(
        f"{name}={'none' if value is None else value}" for name, value in detail.items()
    )
