"""The accepted answers that the carbon calculation works with, and the closed lists that answers
choose from.

An answer that no other part of the program calculates with lives in the file of its step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

from weighbridge.domain.facts import NOTHING_KNOWN, ProcessFacts
from weighbridge.domain.products import Product

StepName = str
"""The name of a step in the database, in files and in the API. `weighbridge.steps.STEPS` has the
steps.
"""


class Answer:
    """An accepted answer to one step: the base class of all answers, which are frozen
    dataclasses.
    """

    __slots__ = ()
    step: ClassVar[StepName]
    """The step that this is an answer to. Other steps and the calculation look an answer up by its
    class or by this name.
    """


A = TypeVar("A", bound=Answer)


class Confidence(StrEnum):
    """The model's stated confidence. Reported, never used in arithmetic."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Classification(Answer):
    """What the product is: one of the closed list of categories and subcategories."""

    step: ClassVar[StepName] = "classification"

    category: str
    subcategory: str
    confidence: Confidence


class AttributeBasis(StrEnum):
    """How the model came to know an attribute."""

    STATED = "stated"  # in the product's texts or picture
    INFERRED = "inferred"  # usual for such a product


class Attribute(NamedTuple):
    """A property of the product that its mass does not tell and that changes the footprint: 16 GB
    of memory, 12 pieces per pack.
    """

    name: str  # what a component factor is looked up by, or one of OTHER_ATTRIBUTES
    value: float
    basis: AttributeBasis


PIECES_PER_PACK: Final = "pieces_per_pack"
OTHER_ATTRIBUTES: Final = (PIECES_PER_PACK,)
"""Attributes that the model is asked for although no component factor is looked up by them."""
NO_LONGER_ASKED: Final = ("fabric_g_per_m2",)
"""Attributes that only answers from older versions have: they stay stored, and nothing is
calculated from them.
"""


class WeightBasis(StrEnum):
    """What the catalogue's weight is the weight of."""

    UNIT = "unit"
    GROSS = "gross"  # with the packaging that it is shipped in
    PACK = "pack"  # several pieces
    PALLET = "pallet"
    DECLARED_UNIT = (
        "declared unit"  # what the footprint is to be given for: a kilogram, a tonne, a cup
    )


class BomLine(NamedTuple):
    """One material of a product. Masses of a bill add up to the product's mass."""

    material: str  # a key of Vocabulary.materials
    mass_kg: float
    component: str  # what it is in the product, in a few words: "seat shell"


@dataclass(frozen=True, slots=True)
class BillOfMaterials(Answer):
    """What one unit of the product is made of.

    `stated_mass_kg` is the sum of the masses as the model gave them; the lines are already scaled
    to the product's weight where that is known. `weight_plausible` is the model's word on whether
    the given weight can be that of one unit (a 1,000 kg phone cannot); None when no weight was
    given.
    """

    step: ClassVar[StepName] = "bill_of_materials"

    lines: tuple[BomLine, ...]
    stated_mass_kg: float
    mass_inferred: bool
    weight_plausible: bool | None
    confidence: Confidence
    attributes: tuple[Attribute, ...] = ()
    weight_basis: WeightBasis | None = None
    notes: tuple[str, ...] = ()  # what was dropped from the model's answer, and why
    mass_kg: float = field(init=False, repr=False, compare=False)
    """The mass of one unit: the sum of its lines. Added up once, because a calculation reads it
    seven times.
    """

    def __post_init__(self) -> None:
        """Add up the lines."""
        object.__setattr__(self, "mass_kg", sum(line.mass_kg for line in self.lines))


class ProcessUse(NamedTuple):
    """A manufacturing process applied to one line of the bill, or (line None) to all lines of a
    material.
    """

    process: str  # a key of Vocabulary.processes
    material: str  # a material of the product's bill
    line: int | None = None  # its place in the bill, from 1
    known: ProcessFacts = NOTHING_KNOWN  # what a person knows of it; a model never says it

    def as_record(self) -> dict[str, Any]:
        """The use as a dictionary, with the fields of `known` at the same level as its own; None:
        not known.
        """
        named = {"process": self.process, "material": self.material, "line": self.line}
        return named | self.known._asdict()


@dataclass(frozen=True, slots=True)
class ManufacturingProcesses(Answer):
    """How the product's materials are worked.

    May be empty: not every product has a process we know.
    """

    step: ClassVar[StepName] = "manufacturing"

    uses: tuple[ProcessUse, ...]
    confidence: Confidence


class Subject(NamedTuple):
    """A product together with the answers it already has.

    `doubted_unit` names the unit in which the model has given masses lately, where that is not the
    kilogram ("grams"). None: nothing speaks against kilograms.
    """

    product: Product
    answers: Mapping[StepName, Answer] = MappingProxyType({})
    doubted_unit: str | None = None

    def answer(self, kind: type[A]) -> A | None:
        """The answer of this class, where the product has one."""
        found = self.answers.get(kind.step)
        return found if isinstance(found, kind) else None


@dataclass(frozen=True, slots=True)
class MaterialTerm:
    """A material that a bill may name."""

    key: str
    name: str
    family: str
    includes_forming: bool  # the factor covers shaping: no shaping process may be added
    offered: bool = True  # False: only in answers from older versions


@dataclass(frozen=True, slots=True)
class ProcessTerm:
    """A process that may be applied to materials of these families."""

    key: str
    name: str
    families: frozenset[str]
    offered: bool = True


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The closed lists that answers choose from. Comes from the taxonomy and the factor table."""

    categories: Mapping[str, Sequence[str]]  # category → its subcategories
    materials: Mapping[str, MaterialTerm]
    processes: Mapping[str, ProcessTerm]
    attributes: Sequence[str] = OTHER_ATTRIBUTES
    countries: Mapping[str, str] = field(
        default_factory=dict
    )  # code of each country with an electricity factor → name
