"""From the answers of the products of a job to their footprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import CalculationError
from weighbridge.weighing.weigh import Weigher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.steps import Steps
    from weighbridge.store.footprints import StoredFootprint


class Finisher:
    """Computes footprints from one table of factors."""

    def __init__(self, factors: FactorTable, steps: Steps) -> None:
        self._weigher = Weigher(factors, steps)

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
        return self._weigher.weigh(
            product.stored,
            product.answers,
            product.provenance,
            product.corrections,
            product.cost_usd + product.stored.spent_usd,
        )
