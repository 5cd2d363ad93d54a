"""Routes for the user's own emission factors, which all processes use once they are uploaded."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from weighbridge.api.bodies import receive_file
from weighbridge.api.context import Context
from weighbridge.api.errors import problem_responses
from weighbridge.api.routes.corrections import who_asks
from weighbridge.api.schemas.desk_files import FactorsView
from weighbridge.api.uploads import desk_file_body
from weighbridge.service.upkeep import own_factors

router = APIRouter(prefix="/api/factors", tags=["corrections"])

MOST_BYTES: Final = 10 << 20
"""The most bytes of an uploaded file of factors. Useful files are far smaller, because a question
to the model has room for few factors.
"""
_CSV: Final[dict[str, Any]] = {"text/csv": {"schema": {"type": "string", "format": "binary"}}}


@router.get("")
async def show_factors(context: Context) -> FactorsView:
    """Show the emission factors in use, which of them you have uploaded, and the uploads."""
    found = await own_factors.factors_state(context.database, context.in_use)
    return FactorsView.model_validate(found.as_document())


@router.post(
    "",
    responses=problem_responses(413, 415),
    openapi_extra={"requestBody": desk_file_body("text/csv")},
)
async def upload_factors(request: Request, context: Context) -> FactorsView:
    """Upload your own emission factors, which replace or add to the server's: all or none.

    The file takes the place of any uploaded before. Recompute footprints to see what it changes.
    """
    limit = min(MOST_BYTES, context.settings.max_upload_bytes)
    async with receive_file(request, context.settings.data_dir, limit) as upload:
        content = await asyncio.to_thread(upload.path.read_bytes)
        name = upload.name if upload.format_name is None else own_factors.UNNAMED
    found = await own_factors.upload_factors(
        context.database, context.in_use, name, content, who_asks(request)
    )
    return FactorsView.model_validate(found.as_document())


@router.delete("", responses=problem_responses(409))
async def take_factors_back(request: Request, context: Context) -> FactorsView:
    """Withdraw the uploaded factors: from now on only those of the server's settings are used."""
    await own_factors.take_factors_back(context.database, who_asks(request))
    found = await own_factors.factors_state(context.database, context.in_use)
    return FactorsView.model_validate(found.as_document())


@router.get(
    "/{number}",
    response_class=Response,
    responses={
        **problem_responses(404),
        200: {"description": "The file as it was uploaded.", "content": _CSV},
    },
)
async def download_factors(
    number: Annotated[int, Path(ge=1, lt=2**63, description="Of the upload.", examples=[1])],
    context: Context,
) -> Response:
    """Download a file of factors as it was uploaded."""
    found = await own_factors.uploaded_file(context.database, number)
    return Response(
        found.content,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="factors-{number}.csv"'},
    )
