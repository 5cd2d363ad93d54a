"""A step: what a product is packed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from weighbridge.domain.answers import Answer, Classification, Confidence, StepName
from weighbridge.errors import ImplausibleAnswer
from weighbridge.steps.base import Step
from weighbridge.steps.fields import choice, confidence, finite_number
from weighbridge.steps.schemas import enum_schema
from weighbridge.steps.shown import ShownField, TableColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.answers import Subject, Vocabulary

KINDS = ("cardboard box", "plastic bag", "glass bottle", "no packaging")
HOW = """\
What one unit is packed in when a customer gets it: "packaging", and "mass_kg", the mass of that packaging alone."""


@dataclass(frozen=True, slots=True)
class Packaging(Answer):
    """What one unit of the product is packed in."""

    step: ClassVar[StepName] = "packaging"
    kind: str
    mass_kg: float
    confidence: Confidence


class PackagingStep(Step[Packaging]):
    """What each product is packed in."""

    name = Packaging.step
    needs = (Classification.step,)
    rules_number = 1
    instructions = HOW
    chapter = HOW
    about = "packaging"
    sees_image = True
    output_tokens_per_product = 60
    fields: ClassVar = (
        ShownField(
            "packaging",
            "packaging",
            "What one unit is packed in.",
            str,
            lambda answer: answer.kind,
            TableColumn(16),
        ),
        ShownField(
            "packaging_mass_kg",
            "packagingMassKg",
            "Mass of the packaging.",
            float,
            lambda answer: answer.mass_kg,
            TableColumn(12, "kg per unit of product", "#,##0.0#####"),
        ),
    )

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.properties = {
            "packaging": enum_schema(KINDS),
            "mass_kg": {"type": "number"},
            "confidence": enum_schema(Confidence),
        }

    @override
    def read(self, subject: Subject, entry: Mapping[str, Any]) -> Packaging:
        mass_kg = finite_number(entry, "mass_kg")
        if mass_kg < 0:
            raise ImplausibleAnswer(f"the packaging has a mass of {mass_kg:g} kg.")
        return Packaging(choice(entry, "packaging", KINDS), mass_kg, confidence(entry))

    @override
    def encode(self, answer: Packaging) -> dict[str, Any]:
        return {
            "kind": answer.kind,
            "mass_kg": answer.mass_kg,
            "confidence": answer.confidence.value,
        }

    @override
    def decode(self, data: Mapping[str, Any]) -> Packaging:
        return Packaging(str(data["kind"]), float(data["mass_kg"]), Confidence(data["confidence"]))

    @override
    def usual_answer(self) -> Packaging:
        return Packaging(KINDS[0], 0.1, Confidence.MEDIUM)
