"""The steps that need a model's judgement, and the questions that ask for them.

Pure. `engine/` asks and stores; the step that follows them, emissions, is arithmetic and lives in
`carbon/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.steps.bill_of_materials import BillOfMaterialsStep
from weighbridge.steps.classification import ClassificationStep
from weighbridge.steps.held import held_answers, own_versions
from weighbridge.steps.manufacturing import ManufacturingStep
from weighbridge.steps.question import Question, single_question
from weighbridge.steps.registered import Steps
from weighbridge.steps.together import TOGETHER, combined_question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Answer, StepName, Vocabulary
    from weighbridge.steps.base import Step
    from weighbridge.steps.held import Stored

__all__ = [
    "STEPS",
    "TOGETHER",
    "Question",
    "Questions",
    "Steps",
    "build_questions",
]

STEPS: Final[tuple[type[Step[Any]], ...]] = (
    ClassificationStep,
    BillOfMaterialsStep,
    ManufacturingStep,
)
"""Every step, in the order they are asked: each one after the steps it needs."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that can be asked: each step alone, in their order, and all together.

    `own_versions` are all versions that these questions can have.
    """

    steps: Steps
    alone: tuple[Question, ...]
    together: Question
    own_versions: frozenset[str]

    def are_answered(self, answers: Mapping[StepName, Answer]) -> bool:
        """Whether every step is answered."""
        return all(name in answers for name in self.steps.names)

    def held(self, stored: Stored) -> dict[StepName, str]:
        """For each answered step, the version of its stored answer that still holds."""
        return held_answers(stored, self.alone, self.together, self.own_versions)

    def expected_lengths(self) -> dict[str, int]:
        """Question → output tokens per product to expect until real lengths are known."""
        return {q.name: q.output_tokens_per_product for q in (*self.alone, self.together)}


def build_questions(vocabulary: Vocabulary, steps: Sequence[type[Step[Any]]] = STEPS) -> Questions:
    """The questions of these steps, with answers from these closed lists.

    Raises FactorTableInvalid when the vocabulary is larger than a strict schema may be.
    """
    registered = Steps(steps, vocabulary)
    alone = tuple(single_question(step) for step in registered)
    together = combined_question(tuple(registered))
    return Questions(registered, alone, together, own_versions(alone, together))
