"""Step 1: what is it? One subcategory out of the closed list.

The model chooses the subcategory alone and the category follows from it: a pair that does not exist
cannot be said, and the list takes half the tokens of "Category > Subcategory" (1,072 against 2,027
for the bundled taxonomy, counted in every call). The list keeps its order by category, so
neighbours explain each other. A subcategory that several categories have in common is written
"Subcategory (Category)".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from weighbridge.domain.answers import Classification, Confidence
from weighbridge.steps.base import Step
from weighbridge.steps.fields import choice, confidence
from weighbridge.steps.misplaced import Kinds
from weighbridge.steps.schemas import enum_schema
from weighbridge.steps.shown import ShownField, TableColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Answer, Subject, Vocabulary
    from weighbridge.domain.corrections import Path
    from weighbridge.steps.base import Refusal
    from weighbridge.steps.replies import Entry

TASK: Final = """\
You sort products into a taxonomy that decides how their carbon footprint is calculated. For each product choose the one "subcategory" that says what it is.

Rules"""
CHAPTER: Final = """\
What it is: the one "subcategory" of the taxonomy that says so."""
RULES: Final = """\
- Choose by what is sold: not by what it is made of, used with, packed in or looks like. A steel water bottle is a bottle, a phone case is an accessory and no phone, a toy car is a toy.
- A part or spare part belongs to the subcategory for such parts if there is one, otherwise to the product it is part of.
- A set of different articles belongs where most of its mass belongs.
- The most specific subcategory that is true wins. Take a subcategory called "other" or "unspecified" only when no other one is true.
- Name and description count for more than the code. When they contradict each other, the description counts; but a name that is a known model tells more than a generic or wrong word ("desktop" for a known notebook).
- Where two seem to fit: printers and copiers of every size are Printers & scanners; loose rugs are Carpets & rugs, what is laid is Flooring; glasses and mugs are Drinkware & glassware, ceramic ones Tableware, ceramic; chargers and leads of devices are Chargers & cables; a coil, sheet, bar or reel that others work up is semi-finished or a material."""


class ClassificationStep(Step[Classification]):
    """What each product is."""

    name = Classification.step
    fields: ClassVar = (
        ShownField(
            "category",
            "category",
            "What the product is.",
            str,
            lambda answer: answer.category,
            TableColumn(22),
        ),
        ShownField(
            "subcategory",
            "subcategory",
            "What it is, more closely.",
            str,
            lambda answer: answer.subcategory,
            TableColumn(26),
        ),
    )
    rules_number = 2
    instructions = f"{TASK}\n{RULES}"
    chapter = f"{CHAPTER}\n{RULES}"
    about = "subcategory"
    sees_image = True
    output_tokens_per_product = 60

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._labels = subcategory_labels(vocabulary.categories)
        self._kinds = Kinds(self._labels.values())
        self.properties = {
            "subcategory": enum_schema(self._labels),
            "confidence": enum_schema(Confidence),
        }

    @override
    def read(self, subject: Subject, entry: Entry) -> Classification:
        """A known subcategory, with its category."""
        category, subcategory = self._labels[choice(entry, "subcategory", self._labels)]
        return Classification(category, subcategory, confidence(entry))

    @override
    def encode(self, answer: Classification) -> dict[str, Any]:
        return {
            "category": answer.category,
            "subcategory": answer.subcategory,
            "confidence": answer.confidence.value,
        }

    @override
    def decode(self, data: Mapping[str, Any]) -> Classification:
        return Classification(
            str(data["category"]), str(data["subcategory"]), Confidence(data["confidence"])
        )

    @override
    def usual_answer(self) -> Classification:
        category, subcategory = next(iter(self._labels.values()))
        return Classification(category, subcategory, Confidence.MEDIUM)

    @override
    def can_be_true(self, answer: Classification) -> bool:
        return (answer.category, answer.subcategory) in self._labels.values()

    @override
    def correct(
        self, subject: Subject, answer: Classification, path: Path, value: Any
    ) -> Classification:
        """The answer with another subcategory, given as its label in the list; the category follows
        from it.
        """
        if path != ("subcategory",):
            return super().correct(subject, answer, path, value)
        category, subcategory = self._labels[choice({"subcategory": value}, *path, self._labels)]
        return replace(answer, category=category, subcategory=subcategory)

    @override
    def choices(self, path: Path) -> Mapping[str, str]:
        """Label → subcategory, for the path of the subcategory."""
        if path != ("subcategory",):
            return {}
        return {label: subcategory for label, (_, subcategory) in self._labels.items()}

    @override
    def refuse_among(
        self,
        answers: Mapping[str, Answer],
        group: Sequence[Subject],
        refused: Sequence[Refusal] = (),
    ) -> tuple[Refusal, ...]:
        """Refuse classifications that belong to other products."""
        return self._kinds.refuse_misplaced(answers, group)


def subcategory_labels(categories: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Label in the list that the model chooses from → (category, subcategory), in the order of the
    taxonomy.
    """
    counts = Counter(name for names in categories.values() for name in set(names))
    return {
        name if counts[name] == 1 else f"{name} ({category})": (category, name)
        for category, names in categories.items()
        for name in names
    }
