"""Short ways to say what a step is asked about and what a model replied."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    StepName,
    Subject,
)
from weighbridge.domain.calls import CallReply, FinishReason, Remaining, Usage
from weighbridge.domain.products import Product
from weighbridge.steps import STEPS
from weighbridge.steps.question import single_question

STEP_NAMES = tuple(step.name for step in STEPS)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.calls import CallRequest
    from weighbridge.steps.base import Refusal, Step


@dataclass(frozen=True)
class OneStepAccepted:
    """What was accepted where only one step was asked: its answer to each product, by code."""

    answers: Mapping[str, Answer]
    refusals: tuple[Refusal, ...]


class AskedAlone:
    """A question about one step."""

    def __init__(self, step: Step[Any]) -> None:
        self._step = step
        self._question = single_question(step)

    def request(self, group: Sequence[Subject], max_output_tokens: int) -> CallRequest:
        """The call."""
        return self._question.request(group, max_output_tokens)

    def accept(self, reply: CallReply, group: Sequence[Subject]) -> OneStepAccepted:
        """Its judgement."""
        accepted = self._question.accept(reply, group)
        assert all(list(answers) == [self._step.name] for answers in accepted.answers.values())
        return OneStepAccepted(
            {code: answers[self._step.name] for code, answers in accepted.answers.items()},
            accepted.refusals,
        )


def subject(
    code: str,
    name: str = "A product",
    description: str = "Nothing special.",
    weight_kg: float | None = None,
    answers: Mapping[StepName, Answer] | None = None,
) -> Subject:
    """A product with whatever it has been answered so far."""
    return Subject(Product(code, name, description, weight_kg), answers or {})


def classified(code: str, category: str, subcategory: str, weight_kg: float | None) -> Subject:
    """A product that has been through step 1."""
    answer = Classification(category, subcategory, Confidence.HIGH)
    return subject(code, weight_kg=weight_kg, answers={Classification.step: answer})


def with_bill(code: str, *materials: str) -> Subject:
    """A product that has been through step 2: a kilogram of each of these materials."""
    lines = tuple(BomLine(material, 1.0, "part") for material in materials)
    bill = BillOfMaterials(lines, float(len(lines)), False, True, Confidence.HIGH)
    kind = Classification("Furniture", "Seating & chairs", Confidence.HIGH)
    answers: dict[StepName, Answer] = {
        Classification.step: kind,
        BillOfMaterials.step: bill,
    }
    return subject(code, answers=answers)


def reply(text: str, finish_reason: FinishReason = FinishReason.STOP) -> CallReply:
    """A reply with this text."""
    return CallReply(text, finish_reason, Usage(100, 50), Remaining(), "a-model")


def products_reply(entries: Sequence[Mapping[str, Any]]) -> CallReply:
    """A reply in the form that was asked for."""
    return reply(json.dumps({"products": list(entries)}))


def kind_entry(code: str, subcategory: str, confidence: str = "high") -> dict[str, Any]:
    """What a model says about one product in step 1."""
    return {"code": code, "subcategory": subcategory, "confidence": confidence}


def bill_entry(
    code: str, masses_kg: Mapping[str, float], weight_plausible: bool | None = True
) -> dict[str, Any]:
    """What a model says about one product in step 2."""
    lines = [
        {"material": material, "mass_kg": mass_kg, "component": f"{material} part"}
        for material, mass_kg in masses_kg.items()
    ]
    return {
        "code": code,
        "weight_plausible": weight_plausible,
        "weight_basis": "unit",
        "materials": lines,
        "attributes": [],
        "confidence": "medium",
    }


def uses_entry(code: str, *uses: tuple[str, int]) -> dict[str, Any]:
    """What a model says about one product in step 3: pairs of process and line of the bill."""
    listed = [{"process": process, "line": line} for process, line in uses]
    return {"code": code, "uses": listed, "confidence": "low"}


def whole_entry(
    code: str, subcategory: str, masses_kg: Mapping[str, float], *uses: tuple[str, int]
) -> dict[str, Any]:
    """What a model says about one product when it is asked for all steps at once."""
    kind, bill = kind_entry(code, subcategory), bill_entry(code, masses_kg)
    made = uses_entry(code, *uses)
    return {
        "code": code,
        "subcategory": kind["subcategory"],
        "subcategory_confidence": kind["confidence"],
        "weight_plausible": bill["weight_plausible"],
        "weight_basis": bill["weight_basis"],
        "materials": bill["materials"],
        "attributes": bill["attributes"],
        "materials_confidence": bill["confidence"],
        "uses": made["uses"],
        "uses_confidence": made["confidence"],
    }
