"""Step 1: what is it? One subcategory out of the closed list.

The model chooses the subcategory alone and the category follows from it: a pair that does not exist cannot be
said, and the list takes half the tokens of "Category > Subcategory" (1,072 against 2,027 for the bundled
taxonomy, counted in every call). The list keeps its order by category, so neighbours explain each other. A
subcategory that several categories have in common is written "Subcategory (Category)".
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import (
    Classification,
    Confidence,
    StepName,
    Subject,
    Vocabulary,
)
from weighbridge.domain.calls import CallReply, CallRequest
from weighbridge.steps.fields import choice, confidence
from weighbridge.steps.questions import (
    SHARED_RULES,
    enum_schema,
    product_row,
    products_content,
    reply_schema,
    step_version,
)
from weighbridge.steps.replies import Entry, accept_entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.steps.base import Accepted, Step

RULES_NUMBER: Final = 1
"""Raise it when `_read` changes what it accepts."""

INSTRUCTIONS: Final = f"""\
You sort products into a taxonomy that decides how their carbon footprint is calculated. For each product choose the one "subcategory" that says what it is.

Rules
- Choose by what is sold: not by what it is made of, used with, packed in or looks like. A steel water bottle is a bottle, a phone case is an accessory and no phone, a toy car is a toy.
- A part or spare part belongs to the subcategory for such parts if there is one, otherwise to the product it is part of.
- A set of different articles belongs where most of its mass belongs.
- The most specific subcategory that is true wins. Take a subcategory called "other" or "unspecified" only when no other one is true.
- Name and description count for more than the code. When they contradict each other, the description counts.

{SHARED_RULES}"""


class ClassificationStep:
    """Asks what each product is."""

    def __init__(self, vocabulary: Vocabulary, needed: Sequence[Step] = ()) -> None:
        self._labels = subcategory_labels(vocabulary.categories)
        self._schema = reply_schema(
            {
                "code": {"type": "string"},
                "subcategory": enum_schema(self._labels),
                "confidence": enum_schema(Confidence),
            }
        )
        self.name = StepName.CLASSIFICATION
        self.needs = tuple(step.name for step in needed)
        self.version = step_version(
            RULES_NUMBER, INSTRUCTIONS, self._schema, [step.version for step in needed]
        )
        self.output_tokens_per_product = 60

    def request(
        self, group: Sequence[Subject], max_output_tokens: int, image_url: str | None = None
    ) -> CallRequest:
        """The question about this group."""
        return CallRequest(
            instructions=INSTRUCTIONS,
            content=products_content(product_row(subject) for subject in group),
            schema_name=self.name.value,
            schema=self._schema,
            max_output_tokens=max_output_tokens,
            image_url=image_url,
        )

    def accept(self, reply: CallReply, group: Sequence[Subject]) -> Accepted:
        """Keep what names a known subcategory."""
        return accept_entries(reply, group, self._read)

    def _read(self, subject: Subject, entry: Entry) -> Classification:
        category, subcategory = self._labels[choice(entry, "subcategory", self._labels)]
        return Classification(category, subcategory, confidence(entry))


def subcategory_labels(categories: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """How each (category, subcategory) is written in the list, in the order of the taxonomy."""
    counts = Counter(name for names in categories.values() for name in set(names))
    return {
        name if counts[name] == 1 else f"{name} ({category})": (category, name)
        for category, names in categories.items()
        for name in names
    }
