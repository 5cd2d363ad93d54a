"""Routes for the caps on spending."""

from __future__ import annotations

from fastapi import APIRouter, Request

from weighbridge.api.bodies import read_json
from weighbridge.api.context import ApiContext, Context
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.schemas.budgets import BudgetsDocument
from weighbridge.service import budgets as service

router = APIRouter(prefix="/api", tags=["queue"])

_BYTES = 10_000
"""The most bytes of a request body that sets caps."""
_CAP = {"type": ["number", "null"], "minimum": 0, "maximum": service.MOST_USD}
_CHANGE = {
    "type": "object",
    "properties": {
        period: {**_CAP, "description": f"Most USD to spend in a {period} (UTC); null: no cap."}
        for period in service.PERIODS
    },
    "additionalProperties": False,
    "minProperties": 1,
    "example": {"day": 10.0},
}


async def _budgets_document(context: ApiContext) -> BudgetsDocument:
    found = await service.read_budgets(context.database, context.clock)
    return BudgetsDocument.model_validate(
        {
            "budgets": [
                {
                    "name": budget.name,
                    "cap_usd": budget.cap_usd,
                    "committed_usd": budget.committed_usd,
                    "left_usd": budget.left_usd,
                }
                for budget in found
            ]
        }
    )


@router.get("/budgets")
async def read_budgets(context: Context) -> BudgetsDocument:
    """List the caps on spending that are in force, and what is left of each."""
    return await _budgets_document(context)


@router.put(
    "/budgets",
    responses=problem_responses(413, 415),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _CHANGE}}}
    },
)
async def set_budgets(request: Request, context: Context) -> BudgetsDocument:
    """Set or remove caps on spending; they hold for every process from the next call on.

    A queue that had paused at a cap goes on if there is money left.
    """
    caps = await read_json(request, _BYTES)
    if not isinstance(caps, dict) or not caps:
        raise InvalidField("body", 'Send a JSON object, such as {"day": 10}.')
    await service.set_budgets(context.database, caps)
    request.state.audit = {"detail": caps}
    return await _budgets_document(context)
