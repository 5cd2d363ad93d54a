"""What every step is: one thing to know about a product, from the question to what people are
shown.

A step knows its question, the schema of the reply, how an answer is read and checked, how it is
stored, and which fields show it. A question (`question.py`) is what a call asks, and covers one
step or several. Pure; nothing here waits, reads or writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from weighbridge.domain.answers import A, Answer, Classification, StepName
from weighbridge.errors import AnswerMalformed, ImplausibleAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Subject, Vocabulary
    from weighbridge.domain.corrections import Path
    from weighbridge.domain.products import Product
    from weighbridge.errors import AnswerError
    from weighbridge.steps.shown import ShownField


Recorded = tuple[tuple[str, ...], Any]
"""Path and value of a correction."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A product whose part of the reply cannot be used, and why.

    The message is meant for people.
    """

    code: str
    error: AnswerError


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reply, sorted into answers and refusals.

    A product that is refused may have answers to the steps before the one that failed.
    """

    answers: Mapping[str, Mapping[StepName, Answer]]  # by product code
    refusals: tuple[Refusal, ...]


class Step(ABC, Generic[A]):
    """One thing asked about every product. `A` is the class of its answers."""

    name: ClassVar[StepName]
    """Name of the step; its answers have it as `step`."""
    fields: ClassVar[tuple[ShownField, ...]]
    """What exports and the API show of an answer. Names are unique across all steps."""
    needs: tuple[StepName, ...] = ()
    """The steps whose answers every `Subject` must carry before `read` is asked."""
    rules_number: int
    """The version of the step's rules for answers; increase it when the step accepts something else
    than before.
    """
    instructions: str
    """The instructions when this step is asked alone, placed before the rules all questions share.
    """
    chapter: str
    """The instructions as a chapter of the combined question, where the model itself gives the
    earlier answers.
    """
    properties: Mapping[str, Any]
    """JSON schema properties of each product in the reply, `confidence` last."""
    about: str
    """The property that `confidence` refers to. In a combined reply `confidence` is named after it:
    see `sureness_field`.
    """
    shown_besides: Sequence[str] = ()
    """Anything else the model sees with the products; part of the question's version."""
    sees_image: bool
    """Whether a call for this step carries the product's pictures."""
    corrections_add_up: ClassVar[bool] = False
    """Whether the result of a correction depends on earlier corrections of other values (a
    corrected mass is shared among the lines as they are then). If so, corrections that are replaced
    later are applied all the same.
    """
    output_tokens_per_product: int
    """Output allowance for one product until real lengths are known."""

    @abstractmethod
    def __init__(self, vocabulary: Vocabulary) -> None:
        """Raises FactorTableInvalid when a list is longer than a strict schema may hold."""

    def row(self, subject: Subject) -> dict[str, Any]:
        """What the model sees of a product: its data, and its category once known."""
        product = subject.product
        row: dict[str, Any] = {
            "code": product.code,
            "name": product.name,
            "description": product.description,
            "weight_kg": product.weight_kg,
            **product.facts.shown(),
        }
        known = subject.answer(Classification)
        if known is not None:
            row["category"] = f"{known.category} > {known.subcategory}"
        return row

    @abstractmethod
    def read(self, subject: Subject, entry: Mapping[str, Any]) -> A:
        """Read the answer from this product's entry in a reply.

        Raises AnswerError if it is unusable.
        """

    @abstractmethod
    def encode(self, answer: A) -> dict[str, Any]:
        """The answer as the JSON that is stored, with a name for everything.

        The form is ours and stable: it does not follow the schema that a model fills, which changes
        with every version of the step. Old answers stay readable.
        """

    @abstractmethod
    def decode(self, data: Mapping[str, Any]) -> A:
        """Read what `encode` wrote. Raises KeyError, TypeError or ValueError for anything else."""

    @abstractmethod
    def usual_answer(self) -> A:
        """A typical answer from today's lists, used to estimate the size of later questions."""

    def can_be_true(self, answer: A) -> bool:
        """Whether everything a stored answer names is in today's lists."""
        return True

    def rests_on(self, answer: A, before: Mapping[StepName, Answer]) -> bool:
        """Whether a stored answer is consistent with these earlier answers."""
        return True

    def correct(self, subject: Subject, answer: A, path: Path, value: Any) -> A:
        """The answer with the value at `path` overridden by a person. `subject` has the corrected
        earlier answers.

        Raises AnswerError when there is no such value, or it cannot be that.
        """
        data = self.encode(answer)
        self.value_at(answer, path)
        if len(path) != 1:
            raise AnswerMalformed(f"only {path[0]} as a whole can be corrected.")
        try:
            changed = self.decode({**data, path[0]: value})
        except (KeyError, TypeError, ValueError) as error:
            raise AnswerMalformed(f"{value!r} is not possible here.") from error
        if not self.can_be_true(changed):
            raise ImplausibleAnswer(f"{value!r} is not in the list of allowed values.")
        return changed

    def value_at(self, answer: A, path: Path) -> Any:
        """What `correct` would override, as JSON.

        Raises AnswerMalformed when there is no such value.
        """
        data = self.encode(answer)
        if len(path) != 1 or path[0] not in data:
            raise AnswerMalformed(f"there is no such value. Choose one of: {', '.join(data)}.")
        return data[path[0]]

    def recorded_as(self, answer: A, path: Path, value: Any) -> Recorded:
        """The path and value under which a correction is recorded; `answer` is what `correct`
        returned.
        """
        return path, value

    def choices(self, path: Path) -> Mapping[str, str]:
        """The closed list that the value at `path` is chosen from, key → name; empty: any value."""
        return {}

    def follow(self, answer: A, subject: Subject, base: Subject) -> A:
        """The answer adapted to the corrected earlier answers that `subject` has.

        `base` has those answers without the corrections of single values: as the model gave them,
        or a person as a whole.
        """
        return answer

    def anchor(self, path: Path, subject: Subject) -> str | None:
        """What the place of `path` can be found by in another answer (the material of a line); None
        where the path itself is enough.

        `subject` has the answers as the model gave them, or a person as a whole: corrections of
        single values may be taken back later.
        """
        return None

    def relocate(self, path: Path, anchor: str | None, subject: Subject) -> Path:
        """The path to the place with this anchor. `subject` has the answers as for `anchor`.

        Raises AnswerError when there is no such place.
        """
        return path

    def for_sibling(self, answer: A, asked: Product, sibling: Product) -> A:
        """The answer about `asked`, as it is true of a product of the same design. Raises
        AnswerError if it is not.

        What depends on size, mass or count is overridden here.
        """
        return answer

    def refuse_among(
        self,
        answers: Mapping[str, Answer],
        group: Sequence[Subject],
        refused: Sequence[Refusal] = (),
    ) -> tuple[Refusal, ...]:
        """Refuse answers that are valid on their own but cannot all be true of this group.

        `refused` are those that were refused on their own; a refusal that is returned replaces the
        earlier one.
        """
        return ()
