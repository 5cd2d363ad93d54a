"""What every step is: one thing to know about a product, from the question to what people are shown.

A step knows its question, the schema of the reply, how an answer is read and checked, how it is stored, and which
fields show it. A question (`question.py`) is what a call asks, and covers one step or several. Pure; nothing here
waits, reads or writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from weighbridge.domain.answers import A, Answer, Classification, StepName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Subject, Vocabulary
    from weighbridge.errors import AnswerError
    from weighbridge.steps.shown import ShownField


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


class Step(ABC, Generic[A]):
    """One of the things that are asked about every product. `A` is the class of its answers."""

    name: ClassVar[StepName]
    """The `step` of its answers."""
    fields: ClassVar[tuple[ShownField, ...]]
    """What exports and the API show of an answer. Names are unique over all steps."""
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

    @abstractmethod
    def __init__(self, vocabulary: Vocabulary) -> None:
        """Raises FactorTableInvalid when a list is longer than a strict schema may hold."""

    def row(self, subject: Subject) -> dict[str, Any]:
        """What the model is shown of a product: its data, and its category where that is known."""
        product = subject.product
        row: dict[str, Any] = {
            "code": product.code,
            "name": product.name,
            "description": product.description,
            "weight_kg": product.weight_kg,
        }
        known = subject.answer(Classification)
        if known is not None:
            row["category"] = f"{known.category} > {known.subcategory}"
        return row

    @abstractmethod
    def read(self, subject: Subject, entry: Mapping[str, Any]) -> A:
        """The answer in what a reply says about this product. Raises AnswerError: what is wrong with it."""

    @abstractmethod
    def encode(self, answer: A) -> dict[str, Any]:
        """The answer as the JSON that is stored, with a name for everything.

        The form is ours and stable: it does not follow the schema that a model fills, which changes with every
        version of the step. Old answers stay readable.
        """

    @abstractmethod
    def decode(self, data: Mapping[str, Any]) -> A:
        """The answer that `encode` wrote. KeyError, TypeError or ValueError: it is not such an answer."""

    @abstractmethod
    def usual_answer(self) -> A:
        """An answer of usual length, made of today's lists: what later questions carry, for estimates."""

    def can_be_true(self, answer: A) -> bool:
        """Whether today's lists have what a stored answer names."""
        return True

    def rests_on(self, answer: A, before: Mapping[StepName, Answer]) -> bool:
        """Whether a stored answer can have been given with these answers `before` it."""
        return True

    def refuse_among(
        self,
        answers: Mapping[str, Answer],
        group: Sequence[Subject],
    ) -> tuple[Refusal, ...]:
        """Answers, each good by itself, that cannot all be true of this group."""
        return ()
