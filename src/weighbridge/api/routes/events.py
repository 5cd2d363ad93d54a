"""The stream of server-sent events."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from weighbridge.api.context import ApiContext, Context
from weighbridge.api.errors import problem_responses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from weighbridge.service.events import Event

router = APIRouter(tags=["events"])

RECONNECT_AFTER_MS: Final = 2_000
"""How many milliseconds a browser waits before it opens a broken event stream again."""
HEARTBEAT: Final = b": still here\n\n"


@router.get(
    "/api/events",
    response_class=StreamingResponse,
    responses={
        **problem_responses(),
        200: {
            "description": (
                "A stream of events, each with an id. `progress`: the answer of queue-status, a "
                "few times per second at most. `state`: the queue was started, stopped, paused or "
                "configured. `log`: log lines. `products`: products that just finished. `reset`: "
                "the answer of queue-status, sent instead of the missed events when the client "
                "was disconnected for too long."
            ),
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'id: 5f0c1a2b-17\nevent: progress\ndata: {"queue": {"queueLength": 12}}\n\n',
                }
            },
        },
    },
)
async def events(
    context: Context,
    last_event_id: Annotated[
        str | None,
        Header(
            max_length=100,
            description="Id of the last event received. Browsers send it when they reconnect, to get the events that they missed.",
        ),
    ] = None,
    lastEventId: Annotated[  # noqa: N803 - as clients write it
        str | None,
        Query(
            max_length=100,
            description="Same as the header Last-Event-ID, for clients that cannot set headers.",
        ),
    ] = None,
) -> StreamingResponse:
    """Stream the queue's progress, log lines and finished products as server-sent events.

    To miss none, reconnect with the id of the last event received.
    """
    return StreamingResponse(
        _stream(context, last_event_id or lastEventId),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _stream(context: ApiContext, last_id: str | None) -> AsyncGenerator[bytes, None]:
    """The events after `last_id` in the form of server-sent events, with heartbeats."""
    yield f"retry: {RECONNECT_AFTER_MS}\n\n".encode()
    async with aclosing(context.events.listen(last_id)) as listening:
        async for event in listening:
            yield HEARTBEAT if event is None else _as_bytes(event)


def _as_bytes(event: Event) -> bytes:
    # JSON has no line ends outside of strings, and escapes them within: one data line is enough.
    return f"id: {event.id}\nevent: {event.kind}\ndata: ".encode() + event.data + b"\n\n"
