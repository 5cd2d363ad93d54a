"""How much material goes in so that the product's mass comes out, process by process.

The processes of one material are taken in the order of the answer: the first one works the raw
material, the last one delivers the finished mass m. Process k therefore puts out m / (the product
of the yields of all later processes), and the raw material needed is m / (the product of all
yields). Everything in kg.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.domain.facts import NOTHING_KNOWN, ProcessFacts
from weighbridge.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import FactorTable, MaterialFactor, ProcessFactor
    from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses, ProcessUse

_PAIRS_REMEMBERED: Final = 16_384


class Work(NamedTuple):
    """A process as it is done to one material, with what a person knows of it there."""

    process: ProcessFactor
    known: ProcessFacts = NOTHING_KNOWN


_Group = tuple["MaterialFactor", tuple[Work, ...]]
"""A material with the processes that it goes through; lines of the bill that are equal in both are
calculated together.
"""


class Stage(NamedTuple):
    """One process on its way from raw material to finished mass."""

    process: ProcessFactor
    input_kg: float
    output_kg: float
    known: ProcessFacts = NOTHING_KNOWN

    @property
    def worked_kg(self) -> float:
        """The mass that the process's energy and emissions are per kg of: its output, or what it
        takes away.
        """
        return self.input_kg - self.output_kg if self.process.is_per_kg_removed else self.output_kg


class Chain(NamedTuple):
    """One material of a product and the processes that it goes through."""

    material: MaterialFactor
    mass_kg: float  # in the product
    input_kg: float  # bought for it
    stages: tuple[Stage, ...]


def chain(material: MaterialFactor, mass_kg: float, worked: Sequence[Work]) -> Chain:
    """The stages by which raw material becomes `mass_kg` of finished material; `worked` are the
    processes, first to last.
    """
    stages: list[Stage] = []
    flowing_kg = mass_kg
    for process, known in reversed(worked):
        input_kg = flowing_kg / process.yield_fraction
        stages.append(Stage(process, input_kg, flowing_kg, known))
        flowing_kg = input_kg
    return Chain(material, mass_kg, flowing_kg, tuple(reversed(stages)))


def chains(
    bill: BillOfMaterials, processes: ManufacturingProcesses, factors: FactorTable
) -> tuple[list[Chain], list[Chain], list[str]]:
    """(the chains, the chain of each line of the bill, notes on processes left out).

    Lines of the same material that go through the same processes, in the same places with the same
    energy, are one chain, in the bill's order. Raises CalculationError for keys that the factor
    table does not know, for a process on something that is not in the bill, and for a mass that is
    not a positive number.
    """
    applied, notes = _work_by_line(bill, processes, factors)
    groups: dict[_Group, list[float]] = {}
    members: list[_Group] = []
    for line, steps in zip(bill.lines, applied, strict=True):
        if not (math.isfinite(line.mass_kg) and line.mass_kg > 0):
            raise CalculationError(
                f"The mass of {line.material!r} is {line.mass_kg} kg; it must be above 0. "
                "Ask about the product again (run with --redo)."
            )
        group = factors.material(line.material), tuple(steps)
        groups.setdefault(group, []).append(line.mass_kg)
        members.append(group)
    made = {
        group: chain(group[0], math.fsum(masses_kg), group[1])
        for group, masses_kg in groups.items()
    }
    return list(made.values()), [made[group] for group in members], notes


def _work_by_line(
    bill: BillOfMaterials, processes: ManufacturingProcesses, factors: FactorTable
) -> tuple[list[list[Work]], list[str]]:
    """The work done to each line of the bill, in the order of the answer; then notes on processes
    left out.
    """
    applied: list[list[Work]] = [[] for _ in bill.lines]
    notes: dict[str, None] = {}
    for use in dict.fromkeys(processes.uses):  # a use said twice is one use
        process = factors.process(use.process)
        worked = _worked_lines(use, bill)
        if not worked:
            raise CalculationError(
                f"The process {use.process!r} is applied to {use.material!r}, which is not in the "
                "product's bill of materials. Ask about the product again (run with --redo)."
            )
        note = _left_out_note(process, factors.material(use.material))
        if note is None:
            for place in worked:
                if all(process is not done.process for done in applied[place]):
                    applied[place].append(Work(process, use.known))
        else:
            notes[note] = None
    return applied, list(notes)


def _worked_lines(use: ProcessUse, bill: BillOfMaterials) -> list[int]:
    """The lines (from 0) that a process is applied to; none where the bill has no such line."""
    if use.line is not None:
        fits = 0 < use.line <= len(bill.lines) and bill.lines[use.line - 1].material == use.material
        return [use.line - 1] if fits else []
    return [place for place, line in enumerate(bill.lines) if line.material == use.material]


@lru_cache(_PAIRS_REMEMBERED)
def _left_out_note(process: ProcessFactor, material: MaterialFactor) -> str | None:
    """The note that a process of this material is left out, and why; None where it counts."""
    reason = _why_left_out(process, material)
    return reason and f"left out: {process.name} of {material.name}, because {reason}"


def _why_left_out(process: ProcessFactor, material: MaterialFactor) -> str | None:
    """Why the process must not be added to this material; None where it may."""
    if material.includes_forming:
        return "the material's factor includes its forming"
    if process.key in material.included_processes:
        return "the material's factor includes this process"
    if material.family not in process.families:
        return f"the process is not known for the family {material.family!r}"
    return None
