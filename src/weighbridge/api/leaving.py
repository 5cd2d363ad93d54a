"""What a client hears whose request is cut off because the server closes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from weighbridge.api.errors import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from weighbridge.api.context import ApiContext


class AnswerWhenCutOff:
    """An upload that is still coming in when the time to close is over is cancelled: it gets a problem to read.

    Without it the client would see a 500, and the log a traceback.
    """

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self.app = app
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer in place of whoever was cancelled before the answer began."""
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
                "The server was told to stop before the request was complete. Nothing of it is kept that was not "
                "answered; send it again when the server is back.",
                headers={"Connection": "close"},
            )
            await answer(scope, receive, send)
