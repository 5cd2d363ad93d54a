"""Answers that belong to a neighbour are refused, where the texts or the weights of two products
say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.step_builders import (
    AskedAlone,
    bill_entry,
    kind_entry,
    products_reply,
    subject,
)
from tests.support.vocabulary import small_vocabulary
from weighbridge.errors import WrongProducts
from weighbridge.steps.bill_of_materials import BillOfMaterialsStep
from weighbridge.steps.classification import ClassificationStep

if TYPE_CHECKING:
    from tests.support.step_builders import OneStepAccepted

KINDS = AskedAlone(ClassificationStep(small_vocabulary()))
BILLS = AskedAlone(BillOfMaterialsStep(small_vocabulary()))

CHAIR, BOTTLE, PHONE = "Seating & chairs", "Reusable bottles & flasks", "Smartphones"
WEIGHTS_KG: dict[str, float | None] = {"A": 1.0, "B": 1.2, "C": 0.8}
GROUP = {"C": "Oak chair", "B": "Steel bottle", "P": "Smartphone Model 9"}


def refused(accepted: OneStepAccepted) -> set[str]:
    assert all(isinstance(item.error, WrongProducts) for item in accepted.refusals)
    return {item.code for item in accepted.refusals}


def kinds(given: dict[str, str], names: dict[str, str] = GROUP, text: str = "") -> set[str]:
    """The products that are refused when a reply gives them these kinds."""
    group = [subject(code, name, text) for code, name in names.items()]
    entries = [kind_entry(code, kind) for code, kind in given.items()]
    return refused(KINDS.accept(products_reply(entries), group))


def bills(stated_kg: dict[str, float], weights_kg: dict[str, float | None]) -> set[str]:
    """The products that are refused when a reply gives them masses that add up so."""
    group = [subject(code, weight_kg=weight_kg) for code, weight_kg in weights_kg.items()]
    entries = [
        bill_entry(code, {"steel_sheet": mass_kg * share, "pp_resin": mass_kg * (1 - share)})
        for share, (code, mass_kg) in zip((0.3, 0.5, 0.7, 0.8), stated_kg.items(), strict=False)
    ]
    return refused(BILLS.accept(products_reply(entries), group))


class TestKinds:
    """Step 1."""

    def test_correct_answers_are_kept(self) -> None:
        assert kinds({"C": CHAIR, "B": BOTTLE, "P": PHONE}) == set()

    def test_two_swapped_answers_are_refused_and_the_third_kept(self) -> None:
        assert kinds({"C": BOTTLE, "B": CHAIR, "P": PHONE}) == {"C", "B"}

    def test_answers_shifted_by_one_are_refused(self) -> None:
        assert kinds({"C": BOTTLE, "B": PHONE, "P": CHAIR}) == {"C", "B", "P"}

    def test_one_kind_for_all_is_kept_only_where_the_text_says_so(self) -> None:
        assert kinds({"C": BOTTLE, "B": BOTTLE, "P": BOTTLE}) == {"C", "P"}

    def test_a_single_odd_kind_is_accepted(self) -> None:
        assert kinds({"C": BOTTLE, "B": BOTTLE, "P": PHONE}) == set()

    def test_a_kind_mentioned_in_the_products_text_is_accepted(self) -> None:
        text = "In a set of a bottle, a chair and a smartphone."
        assert kinds({"C": BOTTLE, "B": CHAIR, "P": PHONE}, text=text) == set()

    def test_names_mentioning_the_same_other_thing_are_accepted(self) -> None:
        """Sleeves for laptops beside a bag: what is sold is not what the names speak of."""
        names = {"A": "Laptop sleeve", "B": "Sleeve for laptops", "C": "Smartphone"}
        assert kinds({"A": PHONE, "B": PHONE, "C": PHONE}, names) == set()

    def test_names_in_another_language_are_no_evidence(self) -> None:
        names = {"C": "Eichenstuhl", "B": "Trinkflasche", "P": "Smartphone"}
        assert kinds({"C": BOTTLE, "B": CHAIR, "P": PHONE}, names) == set()


class TestBills:
    """Step 2."""

    def test_correct_answers_are_kept(self) -> None:
        assert bills({"A": 1.0, "B": 1.2, "C": 0.8}, WEIGHTS_KG) == set()

    def test_two_swapped_answers_are_refused_and_the_third_kept(self) -> None:
        assert bills({"A": 1.2, "B": 1.0, "C": 0.8}, WEIGHTS_KG) == {"A", "B"}

    def test_answers_shifted_by_one_are_refused(self) -> None:
        assert bills({"A": 1.2, "B": 0.8, "C": 1.0}, WEIGHTS_KG) == {"A", "B", "C"}

    def test_a_coincidentally_equal_weight_is_accepted(self) -> None:
        assert bills({"A": 1.2, "B": 1.2, "C": 0.8}, WEIGHTS_KG) == set()

    def test_slightly_wrong_masses_are_accepted(self) -> None:
        assert bills({"A": 1.1, "B": 1.1, "C": 0.9}, WEIGHTS_KG) == set()

    @pytest.mark.parametrize("weight_kg", [None, 1.0])
    def test_equal_or_missing_weights_are_no_evidence(self, weight_kg: float | None) -> None:
        weights_kg: dict[str, float | None] = dict.fromkeys("ABC", weight_kg)
        assert bills({"A": 1.2, "B": 1.0, "C": 0.8}, weights_kg) == set()
