"""What we ask and what we accept: the three steps that need judgement, and the questions that ask for them.

Pure. `engine/` asks and stores; step 4, emissions, is arithmetic and lives in `carbon/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.steps.bill_of_materials import BillOfMaterialsStep
from weighbridge.steps.classification import ClassificationStep
from weighbridge.steps.held import held_answers, own_versions
from weighbridge.steps.manufacturing import ManufacturingStep
from weighbridge.steps.question import Question, ask_alone
from weighbridge.steps.stored_form import decode_answer, encode_answer
from weighbridge.steps.together import TOGETHER, ask_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.answers import Answer, StepName, Vocabulary
    from weighbridge.steps.held import Stored

__all__ = [
    "TOGETHER",
    "Question",
    "Questions",
    "build_questions",
    "decode_answer",
    "encode_answer",
]


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that can be asked: each step alone, in their order, and all together; and the lists behind it."""

    alone: tuple[Question, ...]
    together: Question
    own_versions: frozenset[str]
    vocabulary: Vocabulary

    def are_answered(self, answers: Mapping[StepName, Answer]) -> bool:
        """Whether nothing is left to be asked."""
        return len(answers) == len(self.alone)

    def held(self, stored: Stored) -> dict[StepName, str]:
        """Which of these answers hold: step → version."""
        return held_answers(stored, self.alone, self.together, self.own_versions, self.vocabulary)

    def expected_lengths(self) -> dict[str, int]:
        """Output tokens per product to start with, by the name of the question."""
        return {q.name: q.output_tokens_per_product for q in (*self.alone, self.together)}


def build_questions(vocabulary: Vocabulary) -> Questions:
    """The questions over these lists.

    Raises FactorTableInvalid when the vocabulary is larger than a strict schema may be.
    """
    steps = (
        ClassificationStep(vocabulary),
        BillOfMaterialsStep(vocabulary),
        ManufacturingStep(vocabulary),
    )
    alone = tuple(ask_alone(step) for step in steps)
    together = ask_together(steps)
    return Questions(alone, together, own_versions(alone, together), vocabulary)
