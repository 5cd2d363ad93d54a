"""Routes for what a figure was before."""

from __future__ import annotations

from fastapi import APIRouter

from weighbridge.api.context import Context
from weighbridge.api.errors import problem_responses
from weighbridge.api.routes.products import Code
from weighbridge.api.schemas.history import ProductHistory
from weighbridge.service.desk.history import history_of

router = APIRouter(prefix="/api/products", tags=["corrections"])


@router.get("/{code:code}/history", responses=problem_responses(404))
async def product_history(code: Code, context: Context) -> ProductHistory:
    """Show a product's earlier footprints and what made each another one, newest first."""
    return ProductHistory.of(code, await history_of(context.database, code.replace("\0", "\ufffd")))
