"""Somebody who is told: a real server on this machine that keeps what it got."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook

from tests.support.loopback import loopback

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"  # noqa: S105 - signs tests alone


@dataclass
class Receiver:
    """`statuses` are its next answers; after them every answer is 204. While `held` is not
    set it does not answer.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    held: asyncio.Event | None = None

    @property
    def kinds(self) -> list[str]:
        """The types of what has arrived, in order."""
        return [event["type"] for event in self.events]

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Checks the signature with the library of the convention."""
        body = (await receive()).get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        event = Webhook(SECRET).verify(body, headers)
        status = self.statuses.pop(0) if self.statuses else 204
        self.ids.append(headers["webhook-id"])
        if self.held is not None:
            await self.held.wait()
        if status < 300:
            self.events.append(event)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    async with loopback(receiver.app) as server:
        receiver.url = f"http://127.0.0.1:{server.port}/hook?token=t0ken"
        yield receiver
