"""Routes for earlier figures of products, and for figures under other assumptions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from weighbridge.api.context import Context, FollowFactors
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.routes.products import Code
from weighbridge.api.routes.selecting import selected_codes
from weighbridge.api.schemas.history import Comparison, ProductHistory
from weighbridge.api.schemas.what_if import WhatIfDone, WhatIfInput
from weighbridge.errors import InputError
from weighbridge.service.desk import what_if as supposing
from weighbridge.service.desk.history import compare_moments, history_of, read_moment

router = APIRouter(prefix="/api/products", tags=["corrections"], dependencies=[FollowFactors])


@router.post("/what-if", responses=problem_responses(404, 409))
async def what_if(asked: WhatIfInput, context: Context) -> WhatIfDone:
    """Compute what figures would be with other materials, another country or recycled share.

    Nothing is stored, and the model is not called.
    """
    codes = await selected_codes(context, asked)
    supposed = supposing.Supposition(asked.materials, asked.country_of_origin, asked.recycled_share)
    try:
        found = await supposing.what_if(
            context.database, context.factors, context.steps, codes, supposed
        )
    except InputError as error:
        raise InvalidField("materials", str(error)) from error
    return WhatIfDone.model_validate(supposing.as_document(found))


_MOMENT = "such as 2026-11-01T10:00Z, or the word `now`. Without a time zone, UTC is assumed."


@router.get("/compare", responses=problem_responses())
async def compare(
    context: Context,
    start: Annotated[str, Query(alias="from", max_length=60, description=f"A moment, {_MOMENT}")],
    end: Annotated[
        str, Query(alias="to", max_length=60, description=f"A later moment, {_MOMENT}")
    ] = "now",
) -> Comparison:
    """Show which products' figures changed between two moments, by how much and why."""
    moments = _read_moment(context, "from", start), _read_moment(context, "to", end)
    if moments[1] <= moments[0]:
        raise InvalidField("to", "The moment `to` must be later than the moment `from`.")
    async with context.exports:
        moved = await compare_moments(context.database, *moments)
    return Comparison.model_validate(moved.as_document())


def _read_moment(context: Context, field: str, text: str) -> datetime:
    """The moment that the text names. Raises InvalidField."""
    try:
        return read_moment(text, context.clock.now(), UTC)
    except InputError as error:
        raise InvalidField(field, str(error)) from error


@router.get("/{code:code}/history", responses=problem_responses(404))
async def product_history(code: Code, context: Context) -> ProductHistory:
    """List a product's footprints and why each differs from the one before, newest first."""
    return ProductHistory.of(code, await history_of(context.database, code.replace("\0", "\ufffd")))
