"""From the answers of a product to its footprint, ready to be stored. No model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.carbon.calculate import METHOD_VERSION, calculate
from weighbridge.domain.answers import BillOfMaterials, Classification, ManufacturingProcesses
from weighbridge.domain.results import Provenance
from weighbridge.errors import CalculationError
from weighbridge.store.footprints import StoredFootprint
from weighbridge.store.stored_detail import StoredDetail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.steps import Steps


class Finisher:
    """Computes footprints from one table of factors."""

    def __init__(self, factors: FactorTable, steps: Steps) -> None:
        self._factors = factors
        self._steps = steps

    def finish(
        self, group: Sequence[JobProduct]
    ) -> tuple[list[StoredFootprint], dict[int, tuple[str, str]]]:
        """Returns (footprints, products whose figures cannot be computed with the reason)."""
        finished: list[StoredFootprint] = []
        failed: dict[int, tuple[str, str]] = {}
        for product in group:
            try:
                finished.append(self._footprint(product))
            except CalculationError as error:
                failed[product.id] = (type(error).__name__, str(error))
        return finished, failed

    def _footprint(self, product: JobProduct) -> StoredFootprint:
        subject = product.subject()
        # The calculation works with these answers; whatever else was answered is stored and shown
        # beside them.
        classification = subject.answer(Classification)
        bill = subject.answer(BillOfMaterials)
        processes = subject.answer(ManufacturingProcesses)
        if classification is None or bill is None or processes is None:
            raise CalculationError(
                f"The stored answers of product {product.code} do not fit their steps. Process it "
                "again."
            )
        footprint = calculate(
            product.stored.product, classification, bill, processes, self._factors
        )
        provenance = Provenance(
            method=METHOD_VERSION,
            factors=f"{self._factors.name} {self._factors.version}",
            answers=product.provenance,
        )
        answers = {step: self._steps.encode(answer) for step, answer in product.answers.items()}
        return StoredFootprint(
            product_id=product.id,
            revision=product.stored.revision,
            detail=StoredDetail(footprint, answers, provenance),
            category=classification.category,
            subcategory=classification.subcategory,
            cost_usd=product.cost_usd + product.stored.spent_usd,
        )
