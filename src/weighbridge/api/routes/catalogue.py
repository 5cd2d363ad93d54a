"""Routes for whole catalogues: upload, rejected rows, totals, exports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from weighbridge.api.bodies import receive_file
from weighbridge.api.context import Context, FollowFactors
from weighbridge.api.downloads import stream_export, stream_rows
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.routes.selecting import ListFilter
from weighbridge.api.schemas.imports import ImportDone, ReportView
from weighbridge.api.schemas.totals import TotalsView
from weighbridge.api.uploads import (
    CATALOGUE_BODY,
    import_answer,
    read_lane,
    read_options,
    report_view,
)
from weighbridge.domain.totals import TotalBy
from weighbridge.errors import NotFound, UnsupportedFormat
from weighbridge.export import MEDIA_TYPES, Extras, checked_format, file_name
from weighbridge.export.rejected_writer import HEADER, NOTES_HEADER, note_cells, rejected_cells
from weighbridge.service import products as service
from weighbridge.service.access.audit import NAMED_IN_AUDIT
from weighbridge.service.access.gate import Principal
from weighbridge.service.access.storing import StoringUpload
from weighbridge.service.estimates import Estimator
from weighbridge.service.imports import import_file, inspect_file
from weighbridge.service.views.listing import codes_of
from weighbridge.service.views.totals import catalogue_totals

router = APIRouter(prefix="/api/products", tags=["catalogues"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/bulk-upload",
    responses={
        **problem_responses(413, 415),
        201: {"model": ImportDone, "description": "At least one product was created."},
    },
    openapi_extra={"requestBody": CATALOGUE_BODY},
)
async def bulk_upload(request: Request, response: Response, context: Context) -> ImportDone:
    """Add or update products from CSV, XLSX, JSON, JSONL or Parquet, or from a JSON array.

    Usable rows are imported even if others are rejected. Processing starts automatically unless the
    queue is stopped.
    """
    settings = context.settings
    async with receive_file(request, settings.data_dir, settings.max_upload_bytes) as upload:
        sender: Principal = request.state.principal
        arrived = StoringUpload(context.clock.now(), sender.name, upload.name)
        with context.storing.note(arrived):
            async with context.imports:
                imported = await import_file(
                    context.database,
                    upload.path,
                    read_options(upload, settings),
                    max_rows=settings.max_import_rows,
                    lane=read_lane(upload),
                )
    request.state.audit = {"subject": upload.name, "detail": imported.result.counts}
    response.status_code = 201 if imported.result.created else 200
    return import_answer(imported.result, imported.report)


@router.post(
    "/inspect", responses=problem_responses(413, 415), openapi_extra={"requestBody": CATALOGUE_BODY}
)
async def inspect(request: Request, context: Context) -> ReportView:
    """Show how a file would be read, and what processing its products would cost. Nothing is
    stored.

    Takes the same body as bulk-upload. `questions` list what the file does not make clear; an
    upload that does not answer them is refused.
    """
    settings = context.settings
    async with (
        receive_file(request, settings.data_dir, settings.max_upload_bytes) as upload,
        context.imports,
    ):
        estimator = Estimator(context.estimate_basis) if context.estimate_basis else None
        inspection = await asyncio.to_thread(
            inspect_file, upload.path, read_options(upload, settings), estimator
        )
    return report_view(inspection.report, inspection.estimate)


ImportId = Annotated[
    UUID,
    Path(description="importId of an upload.", examples=["018f4d3e-7a8b-4c2d-9e1f-0a1b2c3d4e5f"]),
]


def _csv_responses(description: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of a route that answers with a CSV file, or 404."""
    return {
        **problem_responses(404),
        200: {"description": description, "content": {"text/csv": _BINARY}},
    }


@router.get(
    "/imports/{importId:uuid}/rejected",
    response_class=StreamingResponse,
    responses=_csv_responses("A CSV file with a line for each rejected row."),
)
async def rejected_rows(importId: ImportId, context: Context) -> StreamingResponse:  # noqa: N803 - as the contract names it
    """Download every row of an import that could not become a product, as CSV."""
    rows = service.rejected_rows(context.database, importId)
    first = await anext(rows, None)
    if first is None:
        raise NotFound(
            f"No rejected rows are stored for import {importId}: it had none, they were deleted "
            "after the retention time, or there is no such import."
        )
    cells = (rejected_cells(row) async for row in rows)
    return _csv_download(stream_rows(HEADER, rejected_cells(first), cells), f"rejected-{importId}")


@router.get(
    "/imports/{importId:uuid}/notes",
    response_class=StreamingResponse,
    responses=_csv_responses("A CSV file with a line for each note."),
)
async def row_notes(importId: ImportId, context: Context) -> StreamingResponse:  # noqa: N803 - as the contract names it
    """Download every cell of an import that was not used or is doubtful, as CSV."""
    notes = service.row_notes(context.database, importId)
    first = await anext(notes, None)
    if first is None:
        raise NotFound(
            f"No notes are stored for import {importId}: it had none, they were deleted after the "
            "retention time, or there is no such import."
        )
    cells = (note_cells(note) async for note in notes)
    return _csv_download(stream_rows(NOTES_HEADER, note_cells(first), cells), f"notes-{importId}")


def _csv_download(pieces: AsyncGenerator[bytes, None], name: str) -> StreamingResponse:
    return StreamingResponse(
        pieces,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


@router.get("/totals", dependencies=[FollowFactors], responses=problem_responses())
async def totals(
    context: Context,
    by: Annotated[
        TotalBy, Query(description="What the groups are.", examples=["category"])
    ] = TotalBy.CATEGORY,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="At most so many groups.", examples=[100])
    ] = 100,
) -> TotalsView:
    """Add up all footprints times their quantities, and list the products to check first.

    A product without a quantity counts as one piece. The total does not include failed and waiting
    products; their numbers are given.
    """
    found = await catalogue_totals(context.database, context.factors, by=(by,))
    return TotalsView.of(found, by, limit)


@router.get(
    "/export",
    dependencies=[FollowFactors],
    response_class=StreamingResponse,
    responses={
        **problem_responses(),
        200: {
            "description": "All products with their results.",
            "content": {kind.partition(";")[0]: _BINARY for kind in MEDIA_TYPES.values()},
        },
    },
)
async def export(
    request: Request,
    context: Context,
    wanted: ListFilter,
    format: Annotated[  # noqa: A002 - as the contract names it
        str,
        Query(
            description="File format.",
            json_schema_extra={"enum": list(MEDIA_TYPES)},
            examples=["xlsx"],
        ),
    ] = "csv",
    code: Annotated[
        list[str] | None,
        Query(
            description="Only products with these codes; repeat the parameter for each code. Unknown codes are ignored.",
            examples=[["PROD-001"]],
        ),
    ] = None,
    bom: Annotated[
        bool,
        Query(
            description="Begin a CSV file with a byte order mark, so that Excel reads it as UTF-8.",
            examples=[False],
        ),
    ] = False,
    names: Annotated[
        bool | None,
        Query(
            description="Also write who corrected a value, and why; otherwise the file says: a reviewer. The default is WEIGHBRIDGE_EXPORT_NAMES."
        ),
    ] = None,
) -> StreamingResponse:
    """Download every product with its result, or those with the given codes and those that pass
    every filter.
    """
    try:
        name = checked_format(format)
    except UnsupportedFormat as error:
        raise InvalidField("format", str(error)) from None
    codes = None if code is None else [one for one in code if "\0" not in one]
    if not wanted.is_everything:
        named = None if codes is None else tuple(codes)
        codes = await codes_of(context.database, replace(wanted, codes=named))
    if codes is not None:
        request.state.audit = {"detail": {"codes": codes[:NAMED_IN_AUDIT], "selected": len(codes)}}
    today = context.clock.now().date().isoformat()
    file = file_name(f"weighbridge-results-{today}", name)
    return StreamingResponse(
        stream_export(
            context,
            name,
            codes,
            Extras(byte_order_mark=bom),
            names=context.settings.export_names if names is None else names,
        ),
        media_type=MEDIA_TYPES[name],
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )
