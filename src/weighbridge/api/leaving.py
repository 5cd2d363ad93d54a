"""Answers clients whose request is cut off by the server's shutdown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from weighbridge.api.errors import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from weighbridge.api.context import ApiContext


class AnswerWhenCutOff:
    """Answers a request that the shutdown cancels, such as a long upload, with a 503.

    Otherwise the client would get a 500, and the log a traceback.
    """

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self.app = app
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; if the shutdown cancels it before the response begins, answer
        503.
        """
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if has_begun or scope["type"] != "http" or not self.context.is_leaving:
                raise
            answer = problem_response(
                scope["path"],
                503,
                "leaving",
                "The server is closing",
                "The server shut down before it had answered the request. Send it again when the "
                "server is back; what was stored already is not stored twice.",
                headers={"Connection": "close"},
            )
            await answer(scope, receive, send)
