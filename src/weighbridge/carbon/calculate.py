"""Step 4: accepted answers × factors → a footprint, with every contribution listed.

materials = Σ input × kg CO2e per kg; processes = Σ worked mass × (kWh electricity × grid + kWh heat × heat
+ direct emissions). Masses in kg, energy in kWh, results in kg CO2e of one unit, cradle-to-gate, GWP100.
Transport, use and disposal are not included. Pure: the same answers and factors give the same figure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from weighbridge.carbon.data_quality import MASS_TOLERANCE, mass_deviation, overall_quality
from weighbridge.carbon.mass_flow import Chain, chains
from weighbridge.carbon.terms import Place, material_term, process_terms
from weighbridge.carbon.uncertainty import UncertainTerm, interval
from weighbridge.carbon.validity import validity_notes
from weighbridge.domain.quantities import Origin, Quantity
from weighbridge.domain.results import Contribution, ContributionKind, Footprint
from weighbridge.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.carbon.factors import FactorTable, MaterialFactor, ProcessFactor
    from weighbridge.domain.answers import BillOfMaterials, Classification, ManufacturingProcesses
    from weighbridge.domain.products import Product

METHOD_VERSION: Final = "2"
"""Changes whenever the same answers and factors would give another figure, range or rating."""


def calculate(
    product: Product,
    classification: Classification,
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    factors: FactorTable,
) -> Footprint:
    """The footprint of one unit of `product`, in kg CO2e.

    Raises CalculationError when the answers name a material or process without a factor, when a process is
    applied to a material that is not in the bill, or when a mass is not above 0.
    """
    if not bill.lines:
        raise CalculationError(
            f"The bill of materials of {product.code!r} is empty. Rerun with --redo."
        )
    place = Place.of(product.country_of_origin, factors)
    by_material, skipped = chains(bill, processes, factors)
    terms = [material_term(line, by_material[line.material], place) for line in bill.lines]
    for chain in by_material.values():
        for stage in chain.stages:
            terms.extend(process_terms(stage, chain, place))
    contributions = tuple(term.contribution for term in terms)
    low, high = interval(
        [UncertainTerm(t.contribution.emissions_kg_co2e, t.spreads) for t in terms]
    )
    origin = Origin.INFERRED if bill.mass_inferred else Origin.GIVEN
    return Footprint(
        emissions_kg_co2e=math.fsum(c.emissions_kg_co2e for c in contributions),
        low_kg_co2e=low,
        high_kg_co2e=high,
        mass=Quantity(bill.mass_kg, "kg", origin),
        data_quality=overall_quality([term.rating for term in terms], bill),
        contributions=contributions,
        notes=(
            *validity_notes(classification, by_material),
            *_mass_notes(bill),
            *_electricity_notes(place, contributions),
            *_proxy_notes(by_material),
            *skipped,
        ),
    )


def _mass_notes(bill: BillOfMaterials) -> list[str]:
    notes = []
    if bill.weight_plausible is False:
        notes.append("the model doubts that the given weight is that of one unit")
    if bill.mass_inferred:
        known = (
            "the weight was not used" if bill.weight_plausible is False else "no weight was given"
        )
        notes.append(f"{known}: the mass was estimated by the model")
    deviation = mass_deviation(bill)
    if deviation > MASS_TOLERANCE:
        notes.append(
            f"the material masses came to {bill.stated_mass_kg:.4g} kg, {deviation:.0%} off, "
            f"and were scaled to {bill.mass_kg:.4g} kg"
        )
    return notes


def _electricity_notes(place: Place, contributions: Iterable[Contribution]) -> list[str]:
    uses_grid = any(c.kind is ContributionKind.PROCESS_ELECTRICITY for c in contributions)
    if not (uses_grid and place.grid.is_world):
        return []
    if place.country is None:
        return ["no country of origin: world average electricity"]
    return [f"no electricity factor for {place.country}: world average electricity"]


def _proxy_notes(by_material: Mapping[str, Chain]) -> list[str]:
    proxies: dict[str, str] = {}
    for chain in by_material.values():
        used: list[MaterialFactor | ProcessFactor] = [chain.material]
        used.extend(stage.process for stage in chain.stages)
        for factor in used:
            if factor.proxy_reason is not None:
                proxies[factor.name] = factor.proxy_reason
    return [f"proxy for {name}: {reason}" for name, reason in proxies.items()]
