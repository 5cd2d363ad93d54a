"""Short ways to say a product, its answers and a small factor table, for the carbon tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.carbon.calculate import calculate
from weighbridge.carbon.factors import (
    Citation,
    ElectricityFactor,
    FactorTable,
    HeatFactor,
    MaterialFactor,
    ProcessFactor,
    RangedValue,
)
from weighbridge.domain.answers import (
    Attribute,
    AttributeBasis,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
    WeightBasis,
)
from weighbridge.domain.products import Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.results import Footprint

HEAT = HeatFactor(
    "gas", "Gas", RangedValue(0.2, 0.1, 0.4), Citation("a gas book", "g", "2024", "GB", "CC0-1.0")
)


def cited(region: str = "GLO", year: str = "2020") -> Citation:
    """A source somewhere, some time."""
    return Citation("a book", "page 7", year, region, "CC-BY-4.0")


def material(
    key: str,
    value: float = 2.0,
    low: float | None = None,
    high: float | None = None,
    *,
    family: str = "plastic",
    region: str = "GLO",
    year: str = "2020",
    includes_forming: bool = False,
    complete_article: bool = False,
    included_processes: frozenset[str] = frozenset(),
    technological_quality: int = 2,
    proxy_reason: str | None = None,
) -> MaterialFactor:
    """A material whose range is a third to three times its value, if nothing else is said."""
    ranged = RangedValue(
        value, value / 3 if low is None else low, value * 3 if high is None else high
    )
    return MaterialFactor(
        key,
        f"Some {key}",
        family,
        ranged,
        cited(region, year),
        includes_forming=includes_forming,
        complete_article=complete_article,
        included_processes=included_processes,
        technological_quality=technological_quality,
        proxy_reason=proxy_reason,
    )


def process(
    key: str,
    electricity_kwh: float = 1.0,
    heat_kwh: float = 0.0,
    direct_kg: float = 0.0,
    yield_fraction: float = 1.0,
    *,
    families: frozenset[str] = frozenset({"plastic"}),
    is_per_kg_removed: bool = False,
    proxy_reason: str | None = None,
) -> ProcessFactor:
    """A process that is known to ±30 %."""
    return ProcessFactor(
        key,
        f"{key.capitalize()}ing",
        families,
        electricity_kwh,
        heat_kwh,
        direct_kg,
        yield_fraction,
        cited("US", "2010"),
        range_low=0.7,
        range_high=1.3,
        is_per_kg_removed=is_per_kg_removed,
        proxy_reason=proxy_reason,
    )


def grid(country: str, value: float, world_region: str = "Europe") -> ElectricityFactor:
    """A grid that is known to ÷ and × 1.25."""
    ranged = RangedValue(value, value / 1.25, value * 1.25)
    return ElectricityFactor(
        country, f"Grid of {country}", world_region, ranged, cited(country, "2023")
    )


def table(
    materials: Sequence[MaterialFactor], processes: Sequence[ProcessFactor] = ()
) -> FactorTable:
    """A table with three grids: DE (0.4), FR (0.05) and the world (0.5)."""
    grids = [grid("DE", 0.4), grid("FR", 0.05), grid("GLO", 0.5, "World")]
    return FactorTable.of("test", materials, processes, grids, HEAT)


def bill(
    *lines: tuple[str, float],
    stated_mass_kg: float | None = None,
    mass_inferred: bool = False,
    weight_plausible: bool | None = True,
) -> BillOfMaterials:
    """A bill of (material, kg) lines, whose stated masses fit unless said otherwise."""
    made = tuple(BomLine(key, mass_kg, "part") for key, mass_kg in lines)
    total = sum(mass_kg for _, mass_kg in lines)
    return BillOfMaterials(
        made,
        total if stated_mass_kg is None else stated_mass_kg,
        mass_inferred,
        weight_plausible,
        Confidence.HIGH,
    )


def bill_with_attributes(
    lines: tuple[BomLine, ...],
    attributes: Sequence[tuple[str, float]],
    basis: AttributeBasis,
    weight_basis: str,
    stated_mass_kg: float | None = None,
) -> BillOfMaterials:
    """A bill with attributes of (name, value), whose stated masses fit unless said otherwise."""
    total = sum(line.mass_kg for line in lines)
    return BillOfMaterials(
        lines,
        total if stated_mass_kg is None else stated_mass_kg,
        mass_inferred=False,
        weight_plausible=True,
        confidence=Confidence.HIGH,
        attributes=tuple(Attribute(name, value, basis) for name, value in attributes),
        weight_basis=WeightBasis(weight_basis),
    )


def worked_lines(
    lines: Sequence[BomLine], uses: Sequence[tuple[str, int]]
) -> ManufacturingProcesses:
    """Processes as (process, number of the line), in order."""
    made = (ProcessUse(process, lines[number - 1].material, number) for process, number in uses)
    return ManufacturingProcesses(tuple(made), Confidence.HIGH)


def worked(*uses: tuple[str, str]) -> ManufacturingProcesses:
    """Processes as (process, material), in order."""
    return ManufacturingProcesses(tuple(ProcessUse(*use) for use in uses), Confidence.HIGH)


def footprint(
    factors: FactorTable,
    materials: BillOfMaterials,
    processes: ManufacturingProcesses | None = None,
    *,
    country: str | None = "DE",
    category: str = "Tools & hardware",
    subcategory: str = "Hand tools",
    weight_kg: float | None = None,
) -> Footprint:
    """The footprint of some tool, unless another category is said."""
    return calculate(
        Product("P-1", "A product", "For tests.", weight_kg, country_of_origin=country),
        Classification(category, subcategory, Confidence.HIGH),
        materials,
        processes or worked(),
        factors,
    )
