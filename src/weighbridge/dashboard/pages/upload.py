"""The page for uploading a catalogue, which shows how the file is understood before it is stored.

The browser sends the file to the API, first to be inspected and then to be stored; this module
renders the API's answers.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import from_json

from weighbridge.dashboard.context import Dashboard, Pages, Visitor
from weighbridge.dashboard.forms import read_body
from weighbridge.dashboard.rendering import page
from weighbridge.domain.calls import Lane
from weighbridge.errors import InputError
from weighbridge.ingest.columns.fields import Field
from weighbridge.service.access.audit import latest_uploads

router = APIRouter(include_in_schema=False)

LONGEST_REPORT_BYTES: Final = 4_000_000
LANES: Final = {
    "": (
        "As before",
        "Products stored earlier keep their setting of online, flex or batch; new ones are online.",
    ),
    Lane.ONLINE: ("Online", "Answers come at once, as fast as the limits per minute allow."),
    Lane.FLEX: (
        "Flex",
        "Answers come within minutes, from the provider’s cheaper tier; later when that is busy.",
    ),
    Lane.BATCH: (
        "Batch",
        "Answers come within 24 hours for each batch. A product takes three batches, or one if all steps are asked in one call.",
    ),
}
"""The label of each lane, and when answers come in it."""


@router.get("/upload")
async def upload(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Choose or drop a file."""
    return page(
        request,
        "upload/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        is_running=(await dashboard.live.status()).state.running,
        **await _recent(dashboard),
    )


@router.get("/upload/recent")
async def recent_uploads(request: Request, dashboard: Pages) -> Response:
    """The part of the page with the last uploads, which the page loads again while one is
    stored.
    """
    # An upload that was just stored is listed once its entry is written: load once more.
    again = request.query_params.get("again") == "1"
    return page(request, "upload/recent.html", **await _recent(dashboard, look_again=again))


async def _recent(dashboard: Dashboard, *, look_again: bool = False) -> dict[str, Any]:
    """The template's values for the last uploads; `look_again`: the page loads them once more."""
    storing = dashboard.server.storing.now  # first: what is stored meanwhile is in the other list
    uploads = await latest_uploads(dashboard.server.database)
    return {"storing": storing, "uploads": uploads, "look_again": look_again}


@router.post("/upload/report")
async def show_report(request: Request) -> Response:
    """The document that POST /api/products/inspect answered, as a part of the page."""
    return page(
        request,
        "upload/report.html",
        report=await _document(request),
        fields=[field.value for field in Field],
        lanes=LANES,
    )


@router.post("/upload/result")
async def show_result(request: Request) -> Response:
    """The document that POST /api/products/bulk-upload answered, as a part of the page."""
    return page(request, "upload/result.html", result=await _document(request))


async def _document(request: Request) -> dict[str, Any]:
    """The JSON object in the request's body; raises InputError if it is none."""
    try:
        document = from_json(await read_body(request, LONGEST_REPORT_BYTES))
    except ValueError as error:
        raise InputError("The report is not JSON.") from error
    if not isinstance(document, dict):
        raise InputError("The report is not an object.")
    return document
