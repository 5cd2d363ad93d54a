"""Step 4: from the answers of a product to its footprint, ready to be stored. Nobody is asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.carbon.calculate import METHOD_VERSION, calculate
from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    StepName,
)
from weighbridge.domain.results import Provenance
from weighbridge.errors import CalculationError
from weighbridge.store.footprints import StoredFootprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.providers.base import Provider


class Finisher:
    """Computes footprints from one table of factors."""

    def __init__(self, factors: FactorTable, provider: Provider) -> None:
        self._factors = factors
        self._provider = provider

    def finish(
        self, group: Sequence[JobProduct]
    ) -> tuple[list[StoredFootprint], dict[int, tuple[str, str]]]:
        """Returns (footprints, products whose figures cannot be computed with the reason)."""
        finished: list[StoredFootprint] = []
        failed: dict[int, tuple[str, str]] = {}
        for member in group:
            try:
                finished.append(self._footprint(member))
            except CalculationError as error:
                failed[member.id] = (type(error).__name__, str(error))
        return finished, failed

    def _footprint(self, member: JobProduct) -> StoredFootprint:
        classification = member.answers[StepName.CLASSIFICATION]
        bill = member.answers[StepName.BILL_OF_MATERIALS]
        processes = member.answers[StepName.MANUFACTURING]
        if not (
            isinstance(classification, Classification)
            and isinstance(bill, BillOfMaterials)
            and isinstance(processes, ManufacturingProcesses)
        ):
            raise CalculationError(
                f"The stored answers of product {member.code} do not fit their steps"
            )
        return StoredFootprint(
            product_id=member.id,
            revision=member.stored.revision,
            footprint=calculate(
                member.stored.product, classification, bill, processes, self._factors
            ),
            classification=classification,
            answers={step.value: answer for step, answer in member.kept.items()},
            provenance=Provenance(
                method=METHOD_VERSION,
                factors=f"{self._factors.name} {self._factors.version}",
                steps={step.value: version for step, version in member.versions.items()},
                provider=self._provider.name,
                model=self._provider.model,
                simulated=self._provider.simulated,
            ),
            cost_usd=member.cost_usd + member.stored.spent_usd,
        )
