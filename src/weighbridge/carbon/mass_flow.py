"""How much material goes in so that the product's mass comes out, process by process.

The processes of one material are taken in the order of the answer: the first one works the raw material,
the last one delivers the finished mass m. Process k therefore puts out m / (the product of the yields of
all later processes), and the raw material needed is m / (the product of all yields). Everything in kg.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weighbridge.carbon.factors import FactorTable, MaterialFactor, ProcessFactor
    from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses

_PAIRS_REMEMBERED: Final = 16_384


class Stage(NamedTuple):
    """One process on its way from raw material to finished mass."""

    process: ProcessFactor
    input_kg: float
    output_kg: float

    @property
    def worked_kg(self) -> float:
        """The mass that the process's figures are per: its output, or what it takes away."""
        return self.input_kg - self.output_kg if self.process.is_per_kg_removed else self.output_kg


class Chain(NamedTuple):
    """One material of a product and the processes that it goes through."""

    material: MaterialFactor
    mass_kg: float  # in the product
    input_kg: float  # bought for it
    stages: tuple[Stage, ...]


def chain(material: MaterialFactor, mass_kg: float, processes: Sequence[ProcessFactor]) -> Chain:
    """Follow `mass_kg` of finished material back to its raw material, through `processes` in order."""
    stages: list[Stage] = []
    flowing_kg = mass_kg
    for process in reversed(processes):
        input_kg = flowing_kg / process.yield_fraction
        stages.append(Stage(process, input_kg, flowing_kg))
        flowing_kg = input_kg
    return Chain(material, mass_kg, flowing_kg, tuple(reversed(stages)))


def chains(
    bill: BillOfMaterials, processes: ManufacturingProcesses, factors: FactorTable
) -> tuple[dict[str, Chain], list[str]]:
    """One chain per material of the bill, in the bill's order, and notes on processes left out.

    Raises CalculationError for keys that the factor table does not know, for a process on a material that
    is not in the bill, and for a mass that is not a positive number.
    """
    masses_kg: dict[str, list[float]] = {}
    for line in bill.lines:
        if not (math.isfinite(line.mass_kg) and line.mass_kg > 0):
            raise CalculationError(
                f"The mass of {line.material!r} is {line.mass_kg} kg; it must be above 0. "
                "Rerun with --redo."
            )
        masses_kg.setdefault(line.material, []).append(line.mass_kg)
    applied, notes = _applied(masses_kg, processes, factors)
    found = {
        key: chain(factors.material(key), math.fsum(parts), applied[key])
        for key, parts in masses_kg.items()
    }
    return found, notes


def _applied(
    materials: Collection[str], processes: ManufacturingProcesses, factors: FactorTable
) -> tuple[dict[str, list[ProcessFactor]], list[str]]:
    applied: dict[str, list[ProcessFactor]] = {key: [] for key in materials}
    notes: list[str] = []
    for use in dict.fromkeys(processes.uses):  # a use said twice is one use
        process = factors.process(use.process)
        if use.material not in applied:
            raise CalculationError(
                f"The process {use.process!r} is applied to {use.material!r}, which is not in the "
                "product's bill of materials. Rerun with --redo."
            )
        note = _why_left_out(process, factors.material(use.material))
        if note is None:
            applied[use.material].append(process)
        else:
            notes.append(note)
    return applied, notes


@lru_cache(_PAIRS_REMEMBERED)
def _why_left_out(process: ProcessFactor, material: MaterialFactor) -> str | None:
    reason = _reason_to_skip(process, material)
    return reason and f"left out: {process.name} of {material.name}, because {reason}"


def _reason_to_skip(process: ProcessFactor, material: MaterialFactor) -> str | None:
    if material.includes_forming:
        return "the material's factor includes its forming"
    if process.key in material.included_processes:
        return "the material's factor includes this process"
    if material.family not in process.families:
        return f"the process is not known for the family {material.family!r}"
    return None
