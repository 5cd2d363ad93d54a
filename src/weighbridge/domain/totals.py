"""What a catalogue adds up to: each footprint times how many are sold or bought in a year.

A product without a quantity counts as one piece; a product without a figure is missing from every
total, and is counted and named. A range of a total is the sum of the ranges of its parts: how far
it would be off if all were wrong in the same direction, which is wider than a 95 % range of the sum
of independent errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NOT_STATED: Final = "(not stated)"
"""Name of the group of products that have no supplier, no country or no category."""


class TotalBy(StrEnum):
    """What totals are grouped by."""

    CATEGORY = "category"
    MATERIAL = "material"
    SUPPLIER = "supplier"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True)
class GroupTotal:
    """One category, material, supplier or country.

    Grouped by material, the emissions of one product go to several groups: each material gets what
    its lines decide of the figure, and what is no material (electricity, heat, parts, published
    figures) has groups of its own.
    """

    name: str
    products: int  # how many count towards it
    total_kg_co2e: float
    low_kg_co2e: float | None = None  # None by material: a range belongs to a whole figure
    high_kg_co2e: float | None = None
    share: float | None = None  # of the total, 0 to 1; None where the total is not above 0
    mass_kg: float | None = (
        None  # of this material in the products; None unless grouped by material
    )


@dataclass(frozen=True, slots=True)
class RankedProduct:
    """A product with what it adds to the total. Figures without `total` are for one unit."""

    code: str
    name: str
    category: str | None
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    quantity: float | None  # pieces a year; None: not known, counted as one
    total_kg_co2e: float
    range_kg_co2e: float  # high less low, times the quantity
    share: float | None  # of the total, 0 to 1; None where the total is not above 0


@dataclass(frozen=True, slots=True)
class MissingProduct:
    """A failed product, which no total includes."""

    code: str
    name: str
    error: str | None


@dataclass(frozen=True, slots=True)
class CatalogueTotals:
    """The totals of a catalogue, or of a part of it."""

    products: int
    completed: int
    failed: int  # missing from the total
    waiting: int  # pending or processing: missing too
    without_quantity: int  # of the completed: counted as one piece
    mass_inferred: int  # of the completed: no usable weight was given
    simulated: int  # of the completed: with an answer of the simulator
    recorded: int  # of the completed: with an answer replayed from a recording
    total_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    groups: dict[TotalBy, tuple[GroupTotal, ...]]  # each by total, the largest first
    hotspots: tuple[RankedProduct, ...]  # by total, the largest first
    check_first: tuple[RankedProduct, ...]  # by range × quantity, the largest first
    missing: tuple[MissingProduct, ...]  # the first of the failed products, by code
