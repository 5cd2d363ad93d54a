"""The overview: the present state of the queue, and buttons to start, stop and retry."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic_core import to_json

from weighbridge.dashboard.context import Pages, Visitor, note_action
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.links import own_page
from weighbridge.dashboard.live import KEPT_LINES, minutes_document
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.plain_text import counted
from weighbridge.service import queue as service
from weighbridge.service.budgets import read_budgets

router = APIRouter(include_in_schema=False)


@router.get("/")
async def overview(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """The overview as of now; its script then follows `/live`.

    Statistics and the last hour that take long to read are left out: `/live` sends them.
    """
    board, minutes, marks, budgets = await asyncio.gather(
        dashboard.live.look(),
        dashboard.live.minutes.soon(),
        dashboard.marks(),
        read_budgets(dashboard.server.database, dashboard.server.clock),
    )
    return page(
        request,
        "overview/page.html",
        principal=visitor,
        marks=marks,
        board=board,
        shown=board.document(),
        minutes=to_json(minutes_document(minutes)).decode() if minutes else "",
        lines=dashboard.server.events.recent_lines(KEPT_LINES),
        provenance=dashboard.server.provenance,
        budgets=budgets,
    )


@router.get("/live")
async def live(dashboard: Pages) -> StreamingResponse:
    """The changes of the overview, as server-sent events."""
    return StreamingResponse(
        dashboard.live.follow(),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


@router.post("/queue/start")
async def press_start(request: Request, dashboard: Pages) -> Response:
    """Start processing."""
    note_action(request, "started the queue")
    waiting = await service.start_queue(dashboard.server.database)
    return await _redirect_back(request, f"Started. {counted(waiting, 'product')} waiting.")


@router.post("/queue/stop")
async def press_stop(request: Request, dashboard: Pages) -> Response:
    """Stop processing: no further call begins."""
    note_action(request, "stopped the queue")
    await service.stop_queue(dashboard.server.database)
    return await _redirect_back(request, "Stopped. Calls in flight finish and are stored.")


@router.post("/queue/reset-failed")
async def press_retry(request: Request, dashboard: Pages) -> Response:
    """Retry every failed product."""
    note_action(request, "retried failed products")
    count = await service.reset_failed(dashboard.server.database)
    return await _redirect_back(
        request, f"{counted(count, 'failed product')} put back in the queue."
    )


async def _redirect_back(request: Request, message: str) -> Response:
    """A redirect to the page that the form names, which shows the message."""
    form = await read_form(request)
    return redirect(own_page(form.text("next", "/")), message)
