"""Step 1 accepts what is in the taxonomy, and nothing else."""

from __future__ import annotations

import pytest

from tests.support.step_builders import AskedAlone, kind_entry, products_reply, subject
from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import Classification, Confidence
from weighbridge.errors import AnswerMalformed
from weighbridge.steps.classification import ClassificationStep, subcategory_labels

STEP = AskedAlone(ClassificationStep(small_vocabulary()))


def test_the_category_follows_from_the_subcategory() -> None:
    accepted = STEP.accept(products_reply([kind_entry("A", "Luminaires", "low")]), [subject("A")])
    assert accepted.answers == {
        "A": Classification("Lighting & electrical", "Luminaires", Confidence.LOW)
    }


@pytest.mark.parametrize(
    "entry",
    [
        kind_entry("A", "Spaceships"),
        kind_entry("A", "Lighting & electrical"),
        kind_entry("A", "Luminaires", "very high"),
        {"code": "A", "confidence": "high"},
        {"code": "A", "subcategory": ["Luminaires"], "confidence": "high"},
    ],
)
def test_values_outside_the_lists_are_malformed(entry: dict[str, object]) -> None:
    accepted = STEP.accept(products_reply([entry]), [subject("A")])
    assert [type(refusal.error) for refusal in accepted.refusals] == [AnswerMalformed]


def test_a_subcategory_of_two_categories_names_its_category() -> None:
    labels = subcategory_labels({"Toys": ["Other", "Dolls"], "Tools": ["Other"]})
    assert labels == {
        "Other (Toys)": ("Toys", "Other"),
        "Dolls": ("Toys", "Dolls"),
        "Other (Tools)": ("Tools", "Other"),
    }


def test_every_taxonomy_pair_can_be_answered() -> None:
    categories = small_vocabulary().categories
    pairs = {(category, name) for category, names in categories.items() for name in names}
    assert set(subcategory_labels(categories).values()) == pairs
