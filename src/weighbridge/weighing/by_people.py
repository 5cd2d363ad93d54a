"""What people said of a product's bill and processes, found by comparing the answers that a figure
rests on with the model's own.

Pure. A line counts as the model's if its mass is, or its share of the whole: a corrected mass of
the product leaves the shares as they were.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from weighbridge.carbon.explanation import ByPeople
from weighbridge.domain.answers import BillOfMaterials
from weighbridge.domain.corrections import (
    OWN_FACTOR,
    OWN_FACTOR_BY,
    REVIEWER,
    is_about_correction,
    without_person,
)
from weighbridge.domain.quantities import Origin
from weighbridge.errors import AnswerError
from weighbridge.weighing.product_factors import FACTORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import ManufacturingProcesses, StepName
    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.results import Footprint
    from weighbridge.steps import Steps

_SAME: Final = 1e-6
"""Two masses, or two shares of the whole, count as the same where they differ by no more than this
share of the larger one.
"""


def by_people(
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    models_bill: BillOfMaterials | None,
    models_processes: ManufacturingProcesses | None,
) -> ByPeople:
    """What in the bill and the processes differs from the model's own answers, and so comes from
    people. An answer of the model is None where nobody corrected it.
    """
    worked = set(processes.uses) - set(
        models_processes.uses if models_processes else processes.uses
    )
    of_processes = frozenset((use.process, use.material) for use in worked)
    if models_bill is None:
        return ByPeople(processes=of_processes)
    model = _amounts(models_bill)
    own = {key for key, found in _amounts(bill).items() if not _is_same(found, model.get(key))}
    attributes = {one.name for one in set(bill.attributes) - set(models_bill.attributes)}
    mass = not math.isclose(bill.mass_kg, models_bill.mass_kg, rel_tol=_SAME)
    return ByPeople(frozenset(own), of_processes, frozenset(attributes), mass)


def _amounts(bill: BillOfMaterials) -> dict[str, list[tuple[float, float]]]:
    """Material → (mass in kg, share of the whole) of each of its lines."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in bill.lines:
        share = line.mass_kg / bill.mass_kg if bill.mass_kg else 0.0
        found.setdefault(line.material, []).append((line.mass_kg, share))
    return found


def _is_same(own: list[tuple[float, float]], model: list[tuple[float, float]] | None) -> bool:
    """Whether the lines of a material are those of the model."""
    if model is None or len(own) != len(model):
        return False
    return all(
        any(math.isclose(a, b, rel_tol=_SAME) for a, b in zip(one, other, strict=True))
        for one, other in zip(sorted(own), sorted(model), strict=True)
    )


def with_corrected_mass(
    footprint: Footprint, model_answers: Mapping[StepName, Mapping[str, Any]], steps: Steps
) -> Footprint:
    """The footprint with the origin of its mass as "corrected" where the model's own bill, which is
    in `model_answers` if it is corrected, had another.

    That is not stored: programs of earlier versions know no such origin.
    """
    stored = model_answers.get(BillOfMaterials.step)
    if stored is None:
        return footprint
    try:
        bill = steps.decode(BillOfMaterials.step, stored)
    except AnswerError:
        return footprint
    if not isinstance(bill, BillOfMaterials):
        return footprint
    is_same = math.isclose(footprint.mass.value, bill.mass_kg, rel_tol=_SAME)
    origin = footprint.mass.origin if is_same else Origin.CORRECTED
    return replace(footprint, mass=replace(footprint.mass, origin=origin))


def names_a_person(footprint: Footprint) -> bool:
    """Whether the footprint names somebody who corrected the product."""
    return any(map(is_about_correction, footprint.notes)) or any(
        one.source_id.startswith(OWN_FACTOR_BY) for one in footprint.contributions
    )


def without_persons(footprint: Footprint, made: Sequence[Correction]) -> Footprint:
    """The footprint without who corrected the product and why: notes say "a reviewer", and a reason
    is no source of a factor. `made` are all corrections of the product.
    """
    stated = {
        str(each.change.value["source"])
        for each in made
        if each.change.step == FACTORS
        and isinstance(each.change.value, dict)
        and each.change.value.get("source")
    }
    contributions = tuple(
        one._replace(
            source_id=f"{OWN_FACTOR_BY}{REVIEWER}",
            source=one.source if one.source in stated else OWN_FACTOR,
        )
        if one.source_id.startswith(OWN_FACTOR_BY)
        else one
        for one in footprint.contributions
    )
    notes = tuple(without_person(note, made) for note in footprint.notes)
    return replace(footprint, notes=notes, contributions=contributions)
