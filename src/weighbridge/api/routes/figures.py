"""Routes for what a figure was before, and what it would be."""

from __future__ import annotations

from fastapi import APIRouter

from weighbridge.api.context import Context
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.routes.products import Code
from weighbridge.api.routes.selecting import selected_codes
from weighbridge.api.schemas.history import ProductHistory
from weighbridge.api.schemas.what_if import WhatIfDone, WhatIfInput
from weighbridge.errors import InputError
from weighbridge.service.desk import what_if as supposing
from weighbridge.service.desk.history import history_of

router = APIRouter(prefix="/api/products", tags=["corrections"])


@router.post("/what-if", responses=problem_responses(404, 409))
async def what_if(asked: WhatIfInput, context: Context) -> WhatIfDone:
    """Say what figures would be with other materials, another country or recycled share.

    Nothing is stored, and no call is made.
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


@router.get("/{code:code}/history", responses=problem_responses(404))
async def product_history(code: Code, context: Context) -> ProductHistory:
    """Show a product's earlier footprints and what made each another one, newest first."""
    return ProductHistory.of(code, await history_of(context.database, code.replace("\0", "\ufffd")))
