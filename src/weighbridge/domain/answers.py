"""The accepted answers to the three questions, and the closed lists that they choose from.

What is made many times for each product is a named tuple: a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from weighbridge.domain.products import Product


class StepName(StrEnum):
    """The questions, in the order in which they are asked. Step 4, emissions, is computed."""

    CLASSIFICATION = "classification"
    BILL_OF_MATERIALS = "bill_of_materials"
    MANUFACTURING = "manufacturing"


class Confidence(StrEnum):
    """How sure the model says it is. Reported, never multiplied by."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Classification:
    """What the product is: one of the closed list of categories and subcategories."""

    category: str
    subcategory: str
    confidence: Confidence


class BomLine(NamedTuple):
    """One material of a product. Masses of a bill add up to the product's mass."""

    material: str  # a key of Vocabulary.materials
    mass_kg: float
    component: str  # what it is in the product, in a few words: "seat shell"


@dataclass(frozen=True, slots=True)
class BillOfMaterials:
    """What one unit of the product is made of.

    `stated_mass_kg` is the sum of the masses as the model gave them; the lines are already scaled to the
    product's weight where that is known. `weight_plausible` is the model's word on whether the given
    weight can be that of one unit (a 1,000 kg phone cannot); None when no weight was given.
    """

    lines: tuple[BomLine, ...]
    stated_mass_kg: float
    mass_inferred: bool
    weight_plausible: bool | None
    confidence: Confidence

    @property
    def mass_kg(self) -> float:
        """The mass of one unit that the lines add up to."""
        return sum(line.mass_kg for line in self.lines)


class ProcessUse(NamedTuple):
    """A manufacturing process applied to one material of the bill."""

    process: str  # a key of Vocabulary.processes
    material: str  # a material of the product's bill


@dataclass(frozen=True, slots=True)
class ManufacturingProcesses:
    """How the product's materials are worked. May be empty: not every product has a process we know."""

    uses: tuple[ProcessUse, ...]
    confidence: Confidence


Answer = Classification | BillOfMaterials | ManufacturingProcesses

ANSWER_TYPES: Final[Mapping[StepName, type[Answer]]] = {
    StepName.CLASSIFICATION: Classification,
    StepName.BILL_OF_MATERIALS: BillOfMaterials,
    StepName.MANUFACTURING: ManufacturingProcesses,
}


class Subject(NamedTuple):
    """A product as a step sees it: with the answers that it already has."""

    product: Product
    answers: Mapping[StepName, Answer] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MaterialTerm:
    """A material that a bill may name."""

    key: str
    name: str
    family: str
    includes_forming: bool  # the factor covers shaping: no shaping process may be added


@dataclass(frozen=True, slots=True)
class ProcessTerm:
    """A process that may be applied to materials of these families."""

    key: str
    name: str
    families: frozenset[str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The closed lists that answers choose from. Comes from the taxonomy and the factor table."""

    categories: Mapping[str, Sequence[str]]  # category → its subcategories
    materials: Mapping[str, MaterialTerm]
    processes: Mapping[str, ProcessTerm]
