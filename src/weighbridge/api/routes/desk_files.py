"""Routes for the review workbook and for files with the user's own bills of materials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from weighbridge.api.bodies import ReceivedFile, receive_file
from weighbridge.api.context import Context, FollowFactors
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.routes.corrections import corrections_done, who_asks
from weighbridge.api.routes.selecting import of_known_category
from weighbridge.api.schemas.corrections import CorrectedProduct
from weighbridge.api.schemas.desk_files import BillsDone, ReviewDone
from weighbridge.api.uploads import desk_file_body
from weighbridge.domain.corrections import OWN_BILL
from weighbridge.errors import InputError
from weighbridge.export import MEDIA_TYPES
from weighbridge.ingest.values.wording import quote
from weighbridge.service.desk import own_bills, reviewing
from weighbridge.service.desk.bill_files import read_own_bills
from weighbridge.service.desk.correcting import Request as Wanted
from weighbridge.service.upkeep.scratch import scratch_folder

router = APIRouter(prefix="/api/products", tags=["corrections"], dependencies=[FollowFactors])

MOST_BYTES: Final = 50 << 20
_XLSX: Final = MEDIA_TYPES["xlsx"]
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}

Reason = Annotated[str, Query(max_length=1000, description="Why the values were corrected.")]
Replace = Annotated[
    bool, Query(description="Also replace values that somebody else has corrected.")
]


@router.get(
    "/review",
    response_class=Response,
    responses={
        **problem_responses(),
        200: {"description": "The workbook.", "content": {_XLSX: _BINARY}},
    },
)
async def review_workbook(
    context: Context,
    unchecked: Annotated[bool, Query(description="Only products that nobody has checked.")] = False,
    category: Annotated[
        str, Query(max_length=200, description="Only products of this category or subcategory.")
    ] = "",
) -> Response:
    """Download the model's answers about completed products as a workbook to edit."""
    if "\0" in category:
        raise InvalidField("category", "A text cannot contain a NUL character.")
    wanted = await of_known_category(
        context, reviewing.Filter(unchecked=unchecked, category=category)
    )
    async with context.exports, scratch_folder(context.settings.data_dir) as folder:
        path = folder / "review.xlsx"
        await reviewing.write_for_review(context.database, context.steps, path, wanted)
        content = await asyncio.to_thread(path.read_bytes)
    return Response(
        content,
        media_type=_XLSX,
        headers={"Content-Disposition": 'attachment; filename="review.xlsx"'},
    )


@router.post(
    "/review",
    responses=problem_responses(404, 409, 413, 415),
    openapi_extra={"requestBody": desk_file_body(_XLSX)},
)
async def import_review(
    request: Request, context: Context, reason: Reason = "", replace: Replace = False
) -> ReviewDone:
    """Upload an edited review workbook, and store its changes as corrections: all or none."""
    _refuse_nul(reason)
    limit = min(MOST_BYTES, context.settings.max_upload_bytes)
    async with (
        receive_file(request, context.settings.data_dir, limit) as upload,
        _named_by_its_sender(upload),
    ):
        done = await reviewing.import_review(
            context.database,
            context.factors,
            context.steps,
            upload.path,
            who_asks(request),
            reason,
            replace=replace,
        )
    corrected = corrections_done(done.figures).corrected
    return ReviewDone(corrected=corrected, left_out=done.left_out)


@router.post(
    "/bills",
    responses=problem_responses(404, 409, 413, 415),
    openapi_extra={"requestBody": desk_file_body(_XLSX, "text/csv")},
)
async def give_bills(
    request: Request, context: Context, reason: Reason = "", replace: Replace = False
) -> BillsDone:
    """Upload your own bills of materials, which replace the model's: the whole file or nothing.

    Columns: code, material and mass_kg. Optional: process and component, and what is known of the
    process: country, electricity_kwh_per_kg, heat_kwh_per_kg, electricity_kg_co2e_per_kwh,
    heat_kg_co2e_per_kwh and energy_source.
    """
    _refuse_nul(reason)
    limit = min(MOST_BYTES, context.settings.max_upload_bytes)
    async with (
        receive_file(request, context.settings.data_dir, limit) as upload,
        _named_by_its_sender(upload),
    ):
        bills = await asyncio.to_thread(read_own_bills, upload.path, context.factors)
    wanted = Wanted((), who_asks(request), reason or OWN_BILL, replace)
    done = await own_bills.give_bills(
        context.database, context.factors, context.steps, bills, wanted
    )
    return BillsDone(
        corrected=[
            CorrectedProduct.model_validate(one, from_attributes=True) for one in done.figures
        ],
        waiting=list(done.waiting),
        unchanged=list(done.unchanged),
        notes=list(done.notes),
    )


@asynccontextmanager
async def _named_by_its_sender(upload: ReceivedFile) -> AsyncIterator[None]:
    """Errors about the file call it by its sender's name for it, not by ours."""
    try:
        yield
    except InputError as error:
        said = str(error)
        for ours in (f'"{upload.path.name}"', upload.path.name):
            if said.startswith(f"{ours} "):
                error.args = (f"{quote(upload.name)}{said.removeprefix(ours)}",)
                break
        raise


def _refuse_nul(reason: str) -> None:
    if "\0" in reason:
        raise InvalidField("reason", "A text cannot contain a NUL character.")
