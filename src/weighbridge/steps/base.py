"""What every step is: one thing to know about a product, and the rules for what is accepted as its answer.

A step is what is stored; a question (`question.py`) is what a call asks, and covers one step or several. Pure;
nothing here waits, reads or writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.domain.answers import Classification, StepName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Answer, Subject
    from weighbridge.errors import AnswerError


@dataclass(frozen=True, slots=True)
class Refusal:
    """A product whose part of the reply cannot be used, and why. The message is fit for a person."""

    code: str
    error: AnswerError


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reply, sorted. A product that is refused may have answers to the steps before the one that failed."""

    answers: Mapping[str, Mapping[StepName, Answer]]  # by product code
    refusals: tuple[Refusal, ...]


class Step(ABC):
    """One of the things that are asked about every product."""

    name: StepName
    needs: tuple[StepName, ...] = ()
    """The steps whose answers every `Subject` must carry before `read` is asked."""
    rules_number: int
    """Raised when the rules of this step change what they accept."""
    instructions: str
    """How to do it, when nothing else is asked: before the rules that all questions share."""
    chapter: str
    """The same as a part of longer instructions, in which the answers before are given by the model itself."""
    properties: Mapping[str, Any]
    """What the reply says about each product, `confidence` last."""
    about: str
    """The property that `confidence` is about; with other steps in one reply it is called after it."""
    shown_besides: Sequence[str] = ()
    """What the model is shown with the products and is neither instruction nor earlier answer."""
    sees_image: bool
    output_tokens_per_product: int
    """What to allow for one product before any real output length has been seen."""

    def row(self, subject: Subject) -> dict[str, Any]:
        """What the model is shown of a product: its data, and its category where that is known."""
        product = subject.product
        row: dict[str, Any] = {
            "code": product.code,
            "name": product.name,
            "description": product.description,
            "weight_kg": product.weight_kg,
        }
        known = subject.answers.get(StepName.CLASSIFICATION)
        if isinstance(known, Classification):
            row["category"] = f"{known.category} > {known.subcategory}"
        return row

    @abstractmethod
    def read(self, subject: Subject, entry: Mapping[str, Any]) -> Answer:
        """The answer in what a reply says about this product. Raises AnswerError: what is wrong with it."""

    def refuse_among(
        self,
        answers: Mapping[str, Answer],
        group: Sequence[Subject],
    ) -> tuple[Refusal, ...]:
        """Answers, each good by itself, that cannot all be true of this group."""
        return ()
