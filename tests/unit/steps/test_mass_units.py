"""Replies in another unit than kilograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.step_builders import bill_entry, classified, products_reply
from tests.support.vocabulary import small_vocabulary
from weighbridge.steps.bill_of_materials import BillOfMaterialsStep
from weighbridge.steps.mass_units import UnitWatch
from weighbridge.steps.question import single_question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.answers import Subject
    from weighbridge.steps.base import Accepted

VOCABULARY = small_vocabulary()
QUESTION = single_question(BillOfMaterialsStep(VOCABULARY))
FIRST, SECOND = list(VOCABULARY.materials)[:2]
WEIGHTS_KG: dict[str, float | None] = {"A": 0.4, "B": 12.0, "C": None, "D": 3.3}
GUESSED_KG = 0.7


def subjects(weights_kg: Mapping[str, float | None], doubted_unit: str | None) -> list[Subject]:
    return [
        classified(code, "Furniture", "Seating & chairs", kg)._replace(doubted_unit=doubted_unit)
        for code, kg in weights_kg.items()
    ]


def asked(
    masses: Mapping[str, float],
    weights_kg: Mapping[str, float | None] = WEIGHTS_KG,
    watch: UnitWatch | None = None,
) -> Accepted:
    watch = watch or UnitWatch()
    group = subjects(weights_kg, watch.doubted)
    entries = [
        bill_entry(code, {FIRST: kg * 0.75, SECOND: kg * 0.25}, None) for code, kg in masses.items()
    ]
    accepted = QUESTION.accept(products_reply(entries), group)
    watch.observe(accepted, group)
    return accepted


def times(factor: float) -> dict[str, float]:
    return {code: (kg or GUESSED_KG) * factor for code, kg in WEIGHTS_KG.items()}


@pytest.mark.parametrize(
    ("masses", "unit"),
    [
        (times(1000), "grams"),
        (times(970), "grams"),
        (times(1e6), "milligrams"),
        (times(2.20462), "pounds"),
        (times(35.274), "ounces"),
        (times(0.001), "tonnes"),
        (dict.fromkeys(WEIGHTS_KG, 100.0), "percent of the whole"),
        (dict.fromkeys(WEIGHTS_KG, 1.0), "parts of the whole"),
        (times(7.0), "7 times the kilograms"),
    ],
)
def test_a_product_without_a_weight_is_refused_with_the_others(
    masses: dict[str, float], unit: str
) -> None:
    accepted = asked(masses)
    assert not accepted.answers
    reasons = {refusal.code: str(refusal.error) for refusal in accepted.refusals}
    assert set(reasons) == set(WEIGHTS_KG)
    assert all(unit in reason for reason in reasons.values())


def test_a_single_product_with_a_weight_is_enough_for_a_known_unit() -> None:
    assert not asked({"A": 400.0, "C": 700.0}, {"A": 0.4, "C": None}).answers


def test_masses_that_are_off_in_different_ways_say_nothing_of_the_others() -> None:
    assert set(asked({"A": 400.0, "B": 3.0, "C": 0.7, "D": 9.0}).answers) == {"C"}


def test_masses_in_kilograms_are_kept() -> None:
    assert set(asked(times(1.0)).answers) == set(WEIGHTS_KG)


def test_a_reply_in_which_one_product_fits_is_believed_for_the_one_without_a_weight() -> None:
    assert set(asked({**times(1000), "A": 0.4}).answers) == {"A", "C"}


def test_asked_alone_it_is_doubted_as_long_as_the_others_show_the_unit() -> None:
    watch = UnitWatch()
    alone: dict[str, float | None] = {"C": None}
    asked(times(1000), watch=watch)
    (refusal,) = asked({"C": 700.0}, alone, watch).refusals
    assert "grams" in str(refusal.error)
    asked({"A": 0.4}, {"A": 0.4}, watch)
    assert asked({"C": 0.7}, alone, watch).answers


def test_one_wrong_weight_in_the_catalogue_throws_no_doubt_on_later_replies() -> None:
    watch = UnitWatch()
    asked({"A": 400.0}, {"A": 0.4}, watch)
    assert asked({"C": 0.7}, {"C": None}, watch).answers
