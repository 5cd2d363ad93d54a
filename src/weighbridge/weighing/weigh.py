"""Answers, corrections and factors → a footprint, ready to be stored. No model is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.carbon.calculate import METHOD_VERSION, calculate
from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    Subject,
)
from weighbridge.domain.results import Provenance, picture_note
from weighbridge.errors import CalculationError
from weighbridge.store.footprints import StoredFootprint
from weighbridge.store.stored_detail import StoredDetail
from weighbridge.weighing.correcting import corrected
from weighbridge.weighing.product_factors import with_product_factors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import Answer, StepName
    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.results import AnswerProvenance
    from weighbridge.steps import Steps
    from weighbridge.store.products import StoredProduct


class Weigher:
    """Computes footprints from one table of factors."""

    def __init__(self, factors: FactorTable, steps: Steps) -> None:
        self._factors = factors
        self._steps = steps

    def use(self, factors: FactorTable, steps: Steps) -> None:
        """Compute with this table from now on."""
        self._factors, self._steps = factors, steps

    def weigh(
        self,
        stored: StoredProduct,
        given: Mapping[StepName, Answer],
        provenance: Mapping[StepName, AnswerProvenance],
        corrections: Sequence[Correction],
        cost_usd: float,
    ) -> StoredFootprint:
        """The footprint that follows from the model's answers (`given`) with these corrections.

        Raises CalculationError when no figure can be computed from them.
        """
        product = stored.product
        result = corrected(product, given, corrections, self._steps)
        subject = Subject(product, result.answers)
        # The calculation works with these answers; whatever else was answered is stored and shown
        # beside them.
        classification = subject.answer(Classification)
        bill = subject.answer(BillOfMaterials)
        processes = subject.answer(ManufacturingProcesses)
        if classification is None or bill is None or processes is None:
            raise CalculationError(
                f"The stored answers of product {product.code} are not in the form that the "
                "current steps expect. Process it again."
            )
        factors, notes = with_product_factors(self._factors, corrections, bill)
        footprint = calculate(product, classification, bill, processes, factors)
        encode = self._steps.encode
        before = (
            *_reuse_notes(provenance),
            *_picture_notes(provenance),
            *result.notes,
            *notes,
        )
        if before:
            footprint = replace(footprint, notes=(*before, *footprint.notes))
        detail = StoredDetail(
            footprint,
            {step: encode(answer) for step, answer in result.answers.items()},
            Provenance(
                method=METHOD_VERSION,
                factors=f"{factors.name} {factors.version}",
                answers=provenance,
            ),
            {step: encode(answer) for step, answer in result.overridden(given).items()},
        )
        return StoredFootprint(
            product_id=stored.id,
            revision=stored.revision,
            detail=detail,
            category=classification.category,
            subcategory=classification.subcategory,
            cost_usd=cost_usd,
        )


def _reuse_notes(provenance: Mapping[StepName, AnswerProvenance]) -> Iterable[str]:
    """A note where an answer was given earlier, to the same text."""
    if any(given.reused for given in provenance.values()):
        yield "from the model's earlier answer about the same text; no new call was made"


def _picture_notes(provenance: Mapping[StepName, AnswerProvenance]) -> Iterable[str]:
    """Notes on pictures that the model did not see: each reason once, however many steps it is
    about.
    """
    reasons = (given.without_picture for given in provenance.values())
    return dict.fromkeys(picture_note(why) for why in reasons if why)
