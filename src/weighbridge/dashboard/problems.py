"""Shows errors as pages in browsers, instead of the JSON that programs get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import Request

from weighbridge.dashboard.rendering import page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBLEM_JSON: Final = "application/problem+json"
_ITS_OWN: Final = frozenset({"content-type", "content-length", "content-security-policy"})


class ProblemPages:
    """The outermost middleware: turns the JSON of an error outside of `/api` into a page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the response on; hold back an error until it is complete, and send it as a page."""
        if scope["type"] != "http" or not _wants_a_page(scope):
            await self.app(scope, receive, send)
            return
        begun: Message | None = None
        body = bytearray()

        async def send_or_hold(message: Message) -> None:
            """Send a message of the response, or hold it back if it belongs to an error."""
            nonlocal begun
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                if headers.get("content-type", "").startswith(PROBLEM_JSON):
                    begun = message
                    return
            if begun is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await _send_page(scope, receive, send, begun, bytes(body))

        await self.app(scope, receive, send_or_hold)


def _wants_a_page(scope: Scope) -> bool:
    return not scope["path"].startswith("/api/") and "text/html" in Headers(scope=scope).get(
        "accept", ""
    )


async def _send_page(
    scope: Scope, receive: Receive, send: Send, begun: Message, body: bytes
) -> None:
    """Send the page of an error; `begun` and `body` are the start and the JSON held back."""
    problem = from_json(body)
    answer = page(
        Request(scope),
        "problem.html",
        status=begun["status"],
        principal=scope.get("state", {}).get("principal"),
        problem=problem,
    )
    for name, value in Headers(raw=begun["headers"]).items():
        if name not in _ITS_OWN:
            answer.headers[name] = value
    await answer(scope, receive, send)
