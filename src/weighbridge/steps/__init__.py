"""What we ask and what we accept: the three questions that need judgement, in order.

Pure. `engine/` asks and stores; step 4, emissions, is arithmetic and lives in `carbon/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.steps.bill_of_materials import BillOfMaterialsStep
from weighbridge.steps.classification import ClassificationStep
from weighbridge.steps.manufacturing import ManufacturingStep
from weighbridge.steps.stored_form import decode_answer, encode_answer

if TYPE_CHECKING:
    from weighbridge.domain.answers import Vocabulary
    from weighbridge.steps.base import Step

__all__ = ["build_pipeline", "decode_answer", "encode_answer"]


def build_pipeline(vocabulary: Vocabulary) -> tuple[Step, ...]:
    """The steps in the order in which they are asked. Each knows the versions of those it needs.

    Raises FactorTableInvalid when the vocabulary is larger than a strict schema may be.
    """
    classification = ClassificationStep(vocabulary)
    bill_of_materials = BillOfMaterialsStep(vocabulary, (classification,))
    manufacturing = ManufacturingStep(vocabulary, (classification, bill_of_materials))
    return classification, bill_of_materials, manufacturing
