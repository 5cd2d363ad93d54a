"""The remarks on a correction: why it did not change the figure, and what the new figure leaves
out. Pure: they are found in the figure's own notes and routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.domain.answers import NO_LONGER_ASKED, PIECES_PER_PACK, Classification
from weighbridge.domain.corrections import NOT_APPLIED, Change
from weighbridge.domain.facts import ProcessFacts
from weighbridge.domain.results import RouteName
from weighbridge.steps.mass_units import MAX_DEVIATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.results import Footprint

_MASS = "bill_of_materials.mass_kg"
_LINES = "bill_of_materials.lines"
_NOT_COUNTED = ("dropped: ", "left out: ")
_CHECK = ": check "
"""Contained in each note that asks for a check of a value; whoever corrects the value is shown such
notes at once.
"""


def remarks(
    targets: Iterable[str],
    moved: bool,
    notes_before: Sequence[str],
    figure: Footprint,
    factors: FactorTable,
) -> tuple[str, ...]:
    """Sentences on what to check after a correction, which parts of it do not count and, unless
    `moved`, why the figure did not change.

    `targets` are the corrected values, `notes_before` the notes of the figure before; `figure` is
    the one after the correction.
    """
    changes = [Change(step, tuple(path), None) for step, *path in (t.split(".") for t in targets)]
    found = dict.fromkeys(_sentence(n) for n in figure.notes if _is_new_omission(n, notes_before))
    found |= dict.fromkeys(
        f"{note[0].upper()}{note[1:]}."
        for note in figure.notes
        if _CHECK in note and note not in notes_before
    )
    for change in changes:
        if change.path[:1] == ("attributes",):
            found |= dict.fromkeys(_not_counted(_name_of(change.path[-1], factors), figure))
    if not moved:
        found |= dict.fromkeys(reasons_unmoved(changes, figure, factors))
    return tuple(found)


def contradicted_masses(
    targets: Iterable[str], active: Sequence[Correction], figure: Footprint
) -> tuple[str, ...]:
    """A sentence where a correction of the bill's lines contradicts the mass of one unit to which
    the product was corrected before; `active` are all its corrections.
    """
    stated = [each.after for each in active if each.change.target == _MASS]
    if not stated or not isinstance(stated[-1], int | float):
        return ()
    if _MASS in (changed := set(targets)) or not any(t.startswith(_LINES) for t in changed):
        return ()
    if abs(figure.mass.value - stated[-1]) <= MAX_DEVIATION * stated[-1]:
        return ()
    said = (
        f"The lines add up to {figure.mass.value:.4g} kg now, but the mass of one unit was "
        f"corrected to {stated[-1]:.4g} kg: check which is right. Correcting the mass again scales "
        "the lines."
    )
    return (said,)


def no_longer_applied(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The corrections that hold no more because of what else was changed or taken back."""
    return tuple(
        f"No longer applied: {note.removeprefix(NOT_APPLIED)}"
        for note in after
        if note.startswith(NOT_APPLIED) and note not in before
    )


def _is_new_omission(note: str, before: Sequence[str]) -> bool:
    """Whether a note says that something does not count, and was not there before."""
    return note.startswith(_NOT_COUNTED) and note not in before


def _sentence(note: str) -> str:
    """A note on what the sum leaves out, as a sentence for people."""
    for prefix in _NOT_COUNTED:
        note = note.removeprefix(prefix)
    return f"Not counted: {note}."


def reasons_unmoved(
    changes: Iterable[Change], figure: Footprint, factors: FactorTable
) -> list[str]:
    """Why these changes did not change the figure, in different sentences; never empty.

    `figure` is the one after the correction.
    """
    if figure.supplier is not None:
        return ["The figure is the supplier's own: corrected answers do not change it."]
    reasons = [
        reason for change in changes for reason in _reasons(change, figure, factors) if reason
    ]
    return list(dict.fromkeys(reasons)) or ["The changed value is not part of the calculation."]


def _reasons(change: Change, figure: Footprint, factors: FactorTable) -> Iterator[str]:
    """Why this change did not change the figure; nothing if no reason is known."""
    compares = any(one.name is RouteName.CLASS and one.weight > 0 for one in figure.routes)
    match change.path:
        case ("attributes", name) if name in NO_LONGER_ASKED:
            yield f"Nothing is calculated from {_words(name)} any more."
        case ("attributes", name):
            noted = list(_not_counted(_name_of(name, factors), figure))
            yield from noted
            if name == PIECES_PER_PACK and not noted and not compares:
                yield (
                    "Pieces per pack only matter where published figures of whole products are "
                    "used, and this product uses none."
                )
        case ("lines", number, name) if name in ProcessFacts._fields:
            yield (
                f"The processes of line {number} do not use this kind of energy, or this product's "
                "figure is not calculated from the bill of materials."
            )
        case ("lines", _, "component"):
            yield (
                "The name of a part is a label; the calculation uses its material, mass and "
                "processes."
            )
        case ("subcategory",) if change.step == Classification.step and not compares:
            yield (
                "The subcategory only decides which published figures of whole products are used, "
                "and this product uses none."
            )
        case _:
            yield from _not_counted("", figure)


def _name_of(attribute: str, factors: FactorTable) -> str:
    """The name of an attribute: that of its component factor, if it has one."""
    factor = factors.components.get(attribute)
    return factor.name if factor else _words(attribute)


def _not_counted(name: str, figure: Footprint) -> Iterator[str]:
    """The notes of what the sum leaves out that contain this name ("": all), as sentences."""
    for note in figure.notes:
        for prefix in _NOT_COUNTED:
            said = note.removeprefix(prefix)
            if said != note and name in said:
                yield _sentence(note)


def _words(name: str) -> str:
    return name.replace("_", " ")
