"""Finds bills of materials that were copied from one product of a group to another.

Small models do that when a group is long. Two red chairs may well have the same bill; a chair and a
kettle may not, with the same components and the same masses to the gram. Only that is refused:
products of different categories whose bills agree in every material, component and stated mass, in
two lines or more.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    Classification,
    Subject,
)
from weighbridge.errors import WrongProducts
from weighbridge.steps.base import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FITS_WEIGHT: Final = 0.05
"""A bill whose stated masses are off the product's weight by more than this share is the copy, not
the original.
"""

Fingerprint = tuple[tuple[str, str, str], ...]
"""Material, component and stated mass of each line."""


def refuse_copies(answers: Mapping[str, Answer], group: Sequence[Subject]) -> tuple[Refusal, ...]:
    """Refusals of the answers (by product code) that certainly belong to another product of the
    group.
    """
    alike: dict[Fingerprint, list[Subject]] = defaultdict(list)
    for subject in group:
        bill = answers.get(subject.product.code)
        if isinstance(bill, BillOfMaterials) and len(bill.lines) > 1:
            alike[_fingerprint(bill)].append(subject)
    return tuple(
        Refusal(
            code,
            WrongProducts(
                f"{code}: the model gave this product the same bill of materials as another one of a "
                "different category."
            ),
        )
        for subjects in alike.values()
        if len({_category(subject) for subject in subjects} - {None}) > 1
        for code in _copies(subjects, answers)
    )


def _copies(subjects: Sequence[Subject], answers: Mapping[str, Answer]) -> list[str]:
    """The codes of the products whose bill is a copy: all of them, unless the weights tell which is
    the original.
    """
    codes = [subject.product.code for subject in subjects]
    copies = [s.product.code for s in subjects if not _fits_weight(s, answers[s.product.code])]
    return copies or codes


def _fits_weight(subject: Subject, bill: Answer) -> bool:
    """Whether the stated masses add up to the product's weight."""
    weight_kg = subject.product.weight_kg
    if weight_kg is None or not isinstance(bill, BillOfMaterials):
        return False
    return abs(bill.stated_mass_kg - weight_kg) <= FITS_WEIGHT * weight_kg


def _category(subject: Subject) -> str | None:
    known = subject.answer(Classification)
    return known.category if known else None


def _fingerprint(bill: BillOfMaterials) -> Fingerprint:
    """What two bills have in common when one is a copy: materials, components and masses as the
    model stated them, before scaling.

    Masses are rounded to six digits, so bills whose masses differ by less than one part in
    100,000 may count as equal.
    """
    unscale = bill.stated_mass_kg / bill.mass_kg
    return tuple(
        (line.material, line.component, f"{line.mass_kg * unscale:.6g}") for line in bill.lines
    )
