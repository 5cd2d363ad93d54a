"""Answers as the JSON that the database keeps, and back.

The form is ours and stable: it does not follow the schema that a model is asked to fill, which changes with
every step version. Old answers stay readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
    StepName,
)
from weighbridge.errors import AnswerMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode_answer(answer: Answer) -> dict[str, Any]:
    """The answer as JSON-ready data. `decode_answer` gives the same answer back."""
    match answer:
        case Classification():
            return {
                "category": answer.category,
                "subcategory": answer.subcategory,
                "confidence": answer.confidence.value,
            }
        case BillOfMaterials():
            return {
                "lines": [
                    {
                        "material": line.material,
                        "mass_kg": line.mass_kg,
                        "component": line.component,
                    }
                    for line in answer.lines
                ],
                "stated_mass_kg": answer.stated_mass_kg,
                "mass_inferred": answer.mass_inferred,
                "weight_plausible": answer.weight_plausible,
                "confidence": answer.confidence.value,
            }
        case ManufacturingProcesses():
            return {
                "uses": [{"process": use.process, "material": use.material} for use in answer.uses],
                "confidence": answer.confidence.value,
            }


def decode_answer(step: StepName, data: Mapping[str, Any]) -> Answer:
    """The answer that `encode_answer` wrote for this step.

    Raises AnswerMalformed when the data is not such an answer: asking again mends it.
    """
    try:
        match step:
            case StepName.CLASSIFICATION:
                return Classification(
                    str(data["category"]), str(data["subcategory"]), Confidence(data["confidence"])
                )
            case StepName.BILL_OF_MATERIALS:
                return _bill(data)
            case StepName.MANUFACTURING:
                uses = (
                    ProcessUse(str(use["process"]), str(use["material"])) for use in data["uses"]
                )
                return ManufacturingProcesses(tuple(uses), Confidence(data["confidence"]))
    except (KeyError, TypeError, ValueError) as error:
        raise AnswerMalformed(
            f"A stored answer of the step {step.value} cannot be read. Process the product again."
        ) from error


def _bill(data: Mapping[str, Any]) -> BillOfMaterials:
    plausible = data["weight_plausible"]
    return BillOfMaterials(
        lines=tuple(
            BomLine(str(line["material"]), float(line["mass_kg"]), str(line["component"]))
            for line in data["lines"]
        ),
        stated_mass_kg=float(data["stated_mass_kg"]),
        mass_inferred=bool(data["mass_inferred"]),
        weight_plausible=None if plausible is None else bool(plausible),
        confidence=Confidence(data["confidence"]),
    )
