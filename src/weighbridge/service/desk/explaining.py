"""Explains a figure: how the stored footprint of one product was computed, as a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.carbon.explanation import Explanation, explain
from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    Subject,
)
from weighbridge.domain.products import ProcessingStatus, Product
from weighbridge.errors import Conflict, NotFound
from weighbridge.store import footprints, products
from weighbridge.weighing.by_people import by_people

if TYPE_CHECKING:
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database
    from weighbridge.store.stored_detail import StoredDetail

_WHAT_TO_DO = {
    ProcessingStatus.PENDING: "It is waiting to be processed: start the queue.",
    ProcessingStatus.PROCESSING: "It is being processed: try again in a moment.",
    ProcessingStatus.FAILED: "It failed: see its error, fix the cause and retry it.",
}


@dataclass(frozen=True, slots=True)
class ExplainedProduct:
    """How a product's figure was computed, as a tree, with the method, factors and model used."""

    code: str
    name: str
    category: str
    subcategory: str
    country_of_origin: str | None
    boundary: str
    decided_by: str
    explanation: Explanation
    remark: str
    """Why its last change moved the figure against what was changed; "" if it did not."""
    notes: tuple[str, ...]
    method: str
    factors: str
    model: str
    simulated: bool


async def explain_product(database: Database, steps: Steps, code: str) -> ExplainedProduct:
    """How the figure of a product was computed.

    Raises:
        NotFound: there is no such product.
        Conflict: it has no figure at present.
    """
    async with database.pool.acquire() as connection:
        row = await products.find(connection, code)
        if row is None:
            raise NotFound(f"There is no product {code}.")
        detail = await footprints.detail_of(connection, row)
    status = ProcessingStatus(row["status"])
    if detail is None or status is not ProcessingStatus.COMPLETED:
        raise Conflict(
            f"Product {code} has no figure to explain. {_WHAT_TO_DO.get(status, '')}".strip()
        )
    return explained(
        Product(code, row["name"], row["description"], country_of_origin=row["country_of_origin"]),
        detail,
        steps,
    )


def explained(product: Product, detail: StoredDetail, steps: Steps) -> ExplainedProduct:
    """How a stored footprint was computed. Raises Conflict if its answers are incomplete."""
    answers = {step: steps.decode(step, stored) for step, stored in detail.answers.items()}
    subject = Subject(product, answers)
    classification = subject.answer(Classification)
    bill = subject.answer(BillOfMaterials)
    processes = subject.answer(ManufacturingProcesses)
    if classification is None or bill is None or processes is None:
        raise Conflict(
            f"The stored answers of product {product.code} are incomplete. Process it again (run "
            "with --redo)."
        )
    model = {step: steps.decode(step, stored) for step, stored in detail.model_answers.items()}
    models = Subject(product, model)
    said = by_people(
        bill,
        processes,
        models.answer(BillOfMaterials),
        models.answer(ManufacturingProcesses),
    )
    footprint = detail.footprint
    return ExplainedProduct(
        code=product.code,
        name=product.name,
        category=classification.category,
        subcategory=classification.subcategory,
        country_of_origin=product.country_of_origin,
        boundary=footprint.boundary,
        decided_by=footprint.dominance,
        explanation=explain(footprint, bill, processes, said),
        remark=detail.cause.remark,
        notes=footprint.notes,
        method=detail.provenance.method,
        factors=detail.provenance.factors,
        model=detail.provenance.model,
        simulated=detail.provenance.simulated,
    )
