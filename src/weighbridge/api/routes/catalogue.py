"""Routes for whole catalogues: upload, rejected rows, exports."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from weighbridge.api.bodies import receive_file
from weighbridge.api.context import Context
from weighbridge.api.downloads import stream_export, stream_rejected
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.schemas.products import ImportDone
from weighbridge.api.uploads import CATALOGUE_BODY, import_answer, uploads_folder
from weighbridge.errors import NotFound, UnsupportedFormat
from weighbridge.export import MEDIA_TYPES, checked_format
from weighbridge.service import products as service

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

    Usable rows are imported even if others are rejected. Processing starts automatically unless the queue is stopped.
    """
    settings = context.settings
    async with (
        receive_file(request, uploads_folder(settings), settings.max_upload_bytes) as upload,
        context.imports,
    ):
        result = await service.import_file(
            context.database,
            upload.path,
            name=upload.name,
            format_name=upload.format_name,
            limits=settings.field_limits,
            max_rows=settings.max_import_rows,
            pictures_beside=False,
        )
    response.status_code = 201 if result.created else 200
    return import_answer(result)


@router.get(
    "/imports/{importId:uuid}/rejected",
    response_class=StreamingResponse,
    responses={
        **problem_responses(404),
        200: {"description": "One line per rejected row.", "content": {"text/csv": _BINARY}},
    },
)
async def rejected_rows(
    importId: Annotated[  # noqa: N803 - as the contract names it
        UUID,
        Path(
            description="importId of an upload.", examples=["018f4d3e-7a8b-4c2d-9e1f-0a1b2c3d4e5f"]
        ),
    ],
    context: Context,
) -> StreamingResponse:
    """All rejected rows of an import, as CSV."""
    rows = service.rejected_rows(context.database, importId)
    first = await anext(rows, None)
    if first is None:
        raise NotFound(f"There are no rejected rows of an import {importId}.")
    return StreamingResponse(
        stream_rejected(first, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="rejected-{importId}.csv"'},
    )


@router.get(
    "/export",
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
    context: Context,
    format: Annotated[  # noqa: A002 - as the contract names it
        str,
        Query(
            description="File format.",
            json_schema_extra={"enum": list(MEDIA_TYPES)},
            examples=["xlsx"],
        ),
    ] = "csv",
) -> StreamingResponse:
    """Download every product with its result."""
    try:
        name = checked_format(format)
    except UnsupportedFormat as error:
        raise InvalidField("format", str(error)) from None
    today = context.clock.now().date().isoformat()
    return StreamingResponse(
        stream_export(context, name),
        media_type=MEDIA_TYPES[name],
        headers={
            "Content-Disposition": f'attachment; filename="weighbridge-results-{today}.{name}"'
        },
    )
