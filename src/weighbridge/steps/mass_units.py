"""Finds replies whose masses are in another unit than kilograms: grams, pounds, percent of the
whole.

Products whose weight is known show it: their masses all add up to the same multiple of it, or all
to 100. A product without a weight in the same reply has nothing to check its masses against, so
they are not believed either. Asked alone it shows nothing, therefore `UnitWatch` remembers what the
last products with a weight have shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import BillOfMaterials
from weighbridge.errors import ImplausibleAnswer
from weighbridge.steps.base import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.domain.answers import Answer, Subject
    from weighbridge.steps.base import Accepted

MAX_DEVIATION: Final = 0.5
"""How far the masses may be off the given weight, as a share of it: those that add up to less than
half or more than 1.5 times the weight are refused.
"""
SAME: Final = 0.1
"""Ratios of two masses that differ by less than this share count as the same."""
ROUNDED: Final = 0.02
"""A sum of shares may be off 100 or 1 by this share, because they were rounded."""
ENOUGH: Final = 2
"""How many products must be off by the same factor before it is believed although no unit has it;
and how many must point to the same wrong unit before the masses of later products are doubted.
"""
UNITS_PER_KG: Final = {
    "milligrams": 1e6,
    "grams": 1000.0,
    "ounces": 35.274,
    "pounds": 2.20462,
    "tonnes": 0.001,
}
"""Unit, as messages name it → how many make a kilogram."""
SHARES: Final = {"percent of the whole": 100.0, "parts of the whole": 1.0}
"""Kinds of shares of the whole → what they add up to."""


class UnitWatch:
    """Watches in which unit the model gives masses, from the products with a weight in the latest
    replies. One per process.
    """

    def __init__(self) -> None:
        self._unit: str | None = None
        self._shown_by: set[str] = set()

    @property
    def doubted(self) -> str | None:
        """The unit in which the model gives masses at present, in words; None: nothing speaks
        against kilograms.
        """
        return self._unit if len(self._shown_by) >= ENOUGH else None

    def observe(self, accepted: Accepted, group: Sequence[Subject]) -> None:
        """Note which unit of mass the model seems to confuse in this reply, and which products show
        it. A reply without a weight to compare with changes nothing.
        """
        bills = {
            code: found[BillOfMaterials.step]
            for code, found in accepted.answers.items()
            if BillOfMaterials.step in found
        }
        sums = stated_sums(bills, accepted.refusals, group)
        if not sums:
            return
        unit = wrong_unit([*sums.values()])
        if unit is None or unit != self._unit:
            self._shown_by.clear()
        self._unit = unit
        if unit is not None:
            self._shown_by |= sums.keys()


def refuse_other_units(
    answers: Mapping[str, Answer], refusals: Sequence[Refusal], group: Sequence[Subject]
) -> tuple[Refusal, ...]:
    """Refuse the masses of a group that are in another unit than kilograms; none where they are in
    kilograms.

    The reason names the unit. These refusals replace earlier ones of the same products.
    """
    sums = stated_sums(answers, refusals, group)
    unit = wrong_unit([*sums.values()])
    if unit is None:
        return ()
    off = [
        Refusal(code, ImplausibleAnswer(f"{code}: {_wrong_unit_reason(unit, *pair)}", pair[0]))
        for code, pair in sums.items()
    ]
    without = answers.keys() | {r.code for r in refusals if isinstance(r.error, ImplausibleAnswer)}
    unchecked = [
        Refusal(code, ImplausibleAnswer(f"{code}: {unchecked_masses_reason(unit)}"))
        for code in sorted(without - sums.keys())
    ]
    return (*off, *unchecked)


def unchecked_masses_reason(unit: str) -> str:
    """Why masses without a weight to check them against are not believed."""
    return (
        f"the model gave the masses of other products as {unit} instead of kilograms, and this "
        "product has no usable weight in the catalogue to check them against. Give its weight in the "
        "catalogue, or set WEIGHBRIDGE_MODEL to another model."
    )


def stated_sums(
    answers: Mapping[str, Answer], refusals: Iterable[Refusal], group: Sequence[Subject]
) -> dict[str, tuple[float, float]]:
    """Product code → (sum of the masses as stated, weight in the catalogue in kg), for the products
    that have both.
    """
    refused = {
        refusal.code: refusal.error.stated_kg
        for refusal in refusals
        if isinstance(refusal.error, ImplausibleAnswer)
    }
    sums = {}
    for subject in group:
        code, weight_kg = subject.product.code, subject.product.weight_kg
        bill = answers.get(code)
        if weight_kg is None:
            continue
        if stated_kg := refused.get(code):
            sums[code] = (stated_kg, weight_kg)
        elif isinstance(bill, BillOfMaterials) and not bill.mass_inferred:
            sums[code] = (bill.stated_mass_kg, weight_kg)
    return sums


def wrong_unit(sums: Sequence[tuple[float, float]]) -> str | None:
    """The unit, in words, that all of these (stated sum, weight in kg) agree on; None where that is
    the kilogram, or where they do not agree.
    """
    factors = [stated / weight_kg for stated, weight_kg in sums]
    if all(abs(factor - 1) <= MAX_DEVIATION for factor in factors):
        return None  # as good in kilograms
    for unit, per_kg in UNITS_PER_KG.items():
        if all(abs(factor / per_kg - 1) <= SAME for factor in factors):
            return unit
    for unit, whole in SHARES.items():
        if all(abs(stated / whole - 1) <= ROUNDED for stated, _ in sums):
            return unit
    lowest, highest = min(factors), max(factors)
    is_same = len(factors) >= ENOUGH and highest <= lowest * (1 + SAME)
    return f"{lowest:.3g} times the kilograms" if is_same else None


def _wrong_unit_reason(unit: str, stated: float, weight_kg: float) -> str:
    """Why masses in another unit are refused; `stated` is their sum."""
    return (
        f"the masses add up to {stated:g}, the catalogue says {weight_kg:g} kg: the model seems to "
        f"have given {unit} instead of kilograms. If the weight is right, set WEIGHBRIDGE_MODEL to "
        "another model."
    )
