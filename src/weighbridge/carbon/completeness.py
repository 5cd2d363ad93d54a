"""How much of a product its bill of materials can be expected to name, and how uncertain the bill's
figure is therefore: a σ (of the logarithm) that decides the weight of the bill route.

A bill of metal, plastic, glass, paper or food is nearly the whole footprint: σ = 0.5 (95 % within a
factor of 2.7). Sewing, finishing, workshops and overheads are most of what a garment or a chair
needs beyond its materials: σ = 0.7. Even a full bill of electronics comes to a third to two thirds
of what makers publish: what is between the parts (yields, clean rooms, assembly) is in no bill.
Bills of 100 devices of 14 makers were off by 1.05 (root mean square of the logarithm; 0.98 to 1.13
whichever maker is left out): σ = 1.0, and each part that is missing adds to it, up to 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.carbon.components import CHIPS, PROCESSORS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.carbon.mass_flow import Chain
    from weighbridge.domain.answers import BillOfMaterials, Classification

COMPLETE: Final = 0.5
"""σ (of the logarithm of the figure) for a bill of materials that names nearly everything."""
MADE_UP: Final = 0.7
"""σ for a bill of a product whose making up (sewing, upholstering, finishing) causes much of its
footprint.
"""
ELECTRONIC: Final = 1.0
"""σ for a bill of electronics that lacks no parts."""
MISSING_CHIPS: Final = 0.3
"""Added to σ where the bill has no chips."""
MISSING_DISPLAY: Final = 0.15
"""Added to σ where the bill has no display although all products of its kind have one."""
MISSING_STORAGE: Final = 0.15
"""Added to σ where the bill has no memory or storage although all products of its kind do."""
LEAST_KNOWN: Final = 1.2
"""The highest σ that a bill gets, however many parts it lacks."""

MADE_UP_CATEGORIES: Final = frozenset(
    {"Apparel", "Home textiles", "Footwear & leather goods", "Furniture"}
)
ELECTRONIC_CATEGORIES: Final = frozenset({"Consumer electronics", "IT & telecom infrastructure"})
WITH_DISPLAY: Final = frozenset(
    {
        "Smartphones",
        "Tablets",
        "E-readers",
        "Laptops",
        "All-in-one computers",
        "Monitors",
        "Televisions",
        "Wearables",
        "Virtual reality headsets",
        "Navigation & in-car devices",
    }
)
"""Kinds of product that always have a display."""
WITH_STORAGE: Final = frozenset(
    {
        "Smartphones",
        "Tablets",
        "Laptops",
        "Desktop computers",
        "All-in-one computers",
        "Thin clients & mini PCs",
        "Servers",
        "Storage devices",
        "Solid-state drives",
        "Memory cards & USB sticks",
    }
)
"""Kinds of product that always have memory or storage."""

MAY_BE_PASSIVE: Final = frozenset({"Computer accessories & peripherals", "Chargers & cables"})
"""Kinds of product that count as electronics, though some of them hold none: a case, a cable."""

_DISPLAY: Final = "display_"
_STORAGE_ATTRIBUTES: Final = frozenset({"memory_gb", "flash_gb", "hard_disks"})
_STORAGE_MATERIALS: Final = frozenset(
    {"solid_state_drive", "memory_module", "hard_disk_drive", "ic_memory"}
)
_BOARD_WITH_CHIPS: Final = "pcb_assembled"
_ELECTRONIC_PARTS: Final = ("pcb_", "power_supply", "ic_", "battery_")
"""What the keys of materials that are or contain electronics begin with."""


class Completeness(NamedTuple):
    """How uncertain the bill's figure is (σ of the logarithm), and the parts that the bill
    lacks.
    """

    log_sigma: float
    missing: tuple[str, ...]
    complete_articles: bool
    """Whether factors of whole products make up most of the bill's mass: its figure then is already
    one of whole products, and is not combined with that of the class.
    """


def completeness(
    classification: Classification,
    bill: BillOfMaterials,
    line_chains: Sequence[Chain],
    factors: FactorTable,
) -> Completeness:
    """Judge the bill by what it names, not by how sure the model was."""
    articles_kg = sum(
        line.mass_kg
        for line, chain in zip(bill.lines, line_chains, strict=True)
        if chain.material.complete_article
    )
    if articles_kg >= bill.mass_kg / 2:
        return Completeness(COMPLETE, (), True)
    if classification.category in MADE_UP_CATEGORIES:
        return Completeness(MADE_UP, (), False)
    materials = {line.material for line in bill.lines}
    named = {attribute.name for attribute in bill.attributes if attribute.value > 0}
    passive = classification.subcategory in MAY_BE_PASSIVE and not (
        named or any(key.startswith(_ELECTRONIC_PARTS) for key in materials)
    )
    if classification.category in ELECTRONIC_CATEGORIES and not passive:
        return _electronics(classification.subcategory, materials, named)
    bare = any(factors.material(key).chips_share > 0 for key in materials)
    if bare and not _has_chips(materials, named):
        return Completeness(MADE_UP, ("chips",), False)
    return Completeness(COMPLETE, (), False)


def _electronics(kind: str, materials: Collection[str], named: Collection[str]) -> Completeness:
    """A bill of electronics is the more uncertain, the more parts of its kind it lacks."""
    missing = []
    sigma = ELECTRONIC
    if not _has_chips(materials, named):
        missing.append("chips")
        sigma += MISSING_CHIPS
    if kind in WITH_DISPLAY and not any(key.startswith(_DISPLAY) for key in (*materials, *named)):
        missing.append("display")
        sigma += MISSING_DISPLAY
    if kind in WITH_STORAGE and not (
        _STORAGE_ATTRIBUTES & set(named) or _STORAGE_MATERIALS & set(materials)
    ):
        missing.append("memory and storage")
        sigma += MISSING_STORAGE
    return Completeness(min(sigma, LEAST_KNOWN), tuple(missing), False)


def _has_chips(materials: Collection[str], named: Collection[str]) -> bool:
    """Whether a material or an attribute stands for integrated circuits."""
    return any(
        key.startswith((CHIPS, _BOARD_WITH_CHIPS, PROCESSORS)) for key in (*materials, *named)
    )
