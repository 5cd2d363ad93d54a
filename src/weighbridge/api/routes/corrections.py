"""Routes for corrections of the model's answers.

Figures are computed anew at once, without a call.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request

from weighbridge.api.context import Context, FollowFactors
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.routes.products import Code
from weighbridge.api.routes.selecting import selected_codes
from weighbridge.api.schemas.corrections import (
    ApprovalDone,
    ApprovalInput,
    CorrectedProduct,
    CorrectionList,
    CorrectionsDone,
    CorrectionsInput,
    CorrectionView,
    RecomputeDone,
    RecomputeInput,
)
from weighbridge.domain.corrections import read_change
from weighbridge.errors import InputError
from weighbridge.service.access.audit import NAMED_IN_AUDIT
from weighbridge.service.desk import correcting, recomputing
from weighbridge.service.views import listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.service.desk.correcting import CorrectedFigure

router = APIRouter(prefix="/api/products", tags=["corrections"], dependencies=[FollowFactors])


@router.post("/corrections", responses=problem_responses(404, 409))
async def correct_answers(
    asked: CorrectionsInput, request: Request, context: Context
) -> CorrectionsDone:
    """Replace values in the model's answers about products, and recompute their figures.

    If one product cannot be corrected, none is changed.
    """
    if "\0" in asked.reason:
        raise InvalidField("reason", "A text cannot contain a NUL character.")
    codes = await selected_codes(context, asked)
    try:
        changes = tuple(read_change(each.target, each.value) for each in asked.changes)
        figures = await correcting.correct(
            context.database,
            context.factors,
            context.steps,
            codes,
            correcting.Request(changes, who_asks(request), asked.reason, asked.replace),
        )
    except InputError as error:
        raise InvalidField("changes", str(error)) from error
    return await asyncio.to_thread(corrections_done, figures)


@router.post("/recompute", responses=problem_responses(404))
async def recompute_footprints(
    asked: RecomputeInput, request: Request, context: Context
) -> RecomputeDone:
    """Compute figures anew from the stored answers, without a call to the model.

    They change if the method, the factors or the corrections have changed.
    """
    if any("\0" in code for code in asked.codes or ()):
        raise InvalidField("codes", "A code cannot contain a NUL character.")
    summary = recomputing.RecomputeSummary()
    ids = await recomputing.completed_ids(context.database, asked.codes)
    tools = (context.database, context.factors, context.steps)
    by = who_asks(request)
    async for done in recomputing.recompute(*tools, ids, dry_run=asked.dry_run, by=by):
        summary.add(done)
    if not asked.dry_run:
        await recomputing.record_recomputation(context.database, by, summary)
    return RecomputeDone.model_validate(summary.as_document())


@router.post("/approve")
async def approve_products(
    asked: ApprovalInput, request: Request, context: Context
) -> ApprovalDone:
    """Mark completed products as checked, or remove the mark. A mark ends when the figure
    changes.
    """
    if any("\0" in code for code in asked.codes):
        raise InvalidField("codes", "A code cannot contain a NUL character.")
    if asked.approved:
        done = await listing.approve_codes(context.database, asked.codes, who_asks(request))
    else:
        done = await listing.take_approval_back(context.database, asked.codes)
    action = "approved products" if asked.approved else "took approvals back"
    detail = {"codes": asked.codes[:NAMED_IN_AUDIT], "selected": len(asked.codes)}
    request.state.audit = {"action": action, "detail": detail}
    return ApprovalDone(
        modified_count=done.count,
        unknown_codes=list(done.unknown),
        unfinished_codes=list(done.unfinished),
    )


@router.get("/{code:code}/corrections", responses=problem_responses(404))
async def list_corrections(code: Code, context: Context) -> CorrectionList:
    """List every correction of a product, also those that were taken back, newest first."""
    found = await correcting.corrections_of(context.database, _storable(code))
    return CorrectionList(
        corrections=[
            CorrectionView(
                number=each.correction.id,
                target=each.correction.change.target,
                before=each.correction.before,
                after=each.correction.after,
                made_by=each.correction.made_by,
                reason=each.correction.reason,
                made_at=each.correction.made_at,
                withdrawn_at=each.withdrawn_at,
                withdrawn_by=each.withdrawn_by,
            )
            for each in found
        ]
    )


@router.delete(
    "/{code:code}/corrections/{number}",
    responses=problem_responses(404, 409),
)
async def take_correction_back(
    code: Code,
    number: Annotated[
        int,
        Path(
            ge=1,
            lt=2**63,
            description="The number of the correction, as in the list of corrections.",
            examples=[1],
        ),
    ],
    request: Request,
    context: Context,
) -> CorrectionsDone:
    """Withdraw a correction, and recompute the figure without it."""
    figures = await correcting.take_back(
        context.database, context.factors, context.steps, _storable(code), who_asks(request), number
    )
    return corrections_done(figures)


def corrections_done(figures: Sequence[CorrectedFigure]) -> CorrectionsDone:
    """The answer of the API about corrected products."""
    return CorrectionsDone(
        corrected=[CorrectedProduct.model_validate(one, from_attributes=True) for one in figures]
    )


def who_asks(request: Request) -> str:
    """The name to store with what the request changes: that of its token, or "API"."""
    principal: Any = getattr(request.state, "principal", None)
    return principal.name if principal is not None else "API"


def _storable(code: str) -> str:
    """The code without NUL, which PostgreSQL cannot take; it then matches no product."""
    return code.replace("\0", "\ufffd")  # no product has either
