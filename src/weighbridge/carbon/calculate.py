"""Step 4: accepted answers × factors → a footprint, with every contribution of both routes listed.

Route 1, the bill: materials = Σ input × kg CO2e per kg; processes = Σ worked mass × (kWh
electricity × grid + kWh heat × heat + direct emissions); components = Σ area, capacity or pieces ×
kg CO2e. Route 2, the class: published figures of products of the same kind, scaled to the mass.
`combination` makes one figure of the two; a supplier's own figure takes its place. Masses in kg,
energy in kWh, results in kg CO2e of one unit, cradle-to-gate, GWP100. Transport, use and disposal
are not included. Pure: the same answers and factors give the same figure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from weighbridge.carbon.bill import bill_result
from weighbridge.carbon.catalogue_facts import with_catalogue_facts
from weighbridge.carbon.class_route import class_figure, with_greater_parts
from weighbridge.carbon.combination import (
    bill_route,
    class_route,
    class_weight,
    combine,
    dominance,
    footprint_quality,
)
from weighbridge.carbon.completeness import completeness
from weighbridge.carbon.notes import (
    footprint_notes,
    name_notes,
    price_notes,
    replaced_weight_notes,
)
from weighbridge.carbon.terms import Place
from weighbridge.carbon.uncertainty import UncertainTerm, interval
from weighbridge.domain.quantities import Origin, Quantity
from weighbridge.domain.results import Footprint
from weighbridge.domain.supplier_figure import with_supplier_figure
from weighbridge.errors import CalculationError

if TYPE_CHECKING:
    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import BillOfMaterials, Classification, ManufacturingProcesses
    from weighbridge.domain.products import Product

METHOD_VERSION: Final = "9"
"""Version of the method of calculation. It goes up whenever the same answers and factors would give
another figure, range or rating.
"""


def calculate(
    product: Product,
    classification: Classification,
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    factors: FactorTable,
) -> Footprint:
    """The footprint of one unit of `product`, in kg CO2e.

    Raises CalculationError when the answers name a material or process without a factor, when a
    process is applied to a material that is not in the bill, or when a mass is not above 0.
    """
    if not bill.lines:
        raise CalculationError(
            f"The bill of materials of {product.code!r} is empty. Ask about the product again (run with --redo)."
        )
    bill, processes = with_catalogue_facts(product.facts, bill, processes, factors)
    place = Place.of(product.country_of_origin, factors)
    result = bill_result(classification.subcategory, bill, processes, factors, place)
    terms = result.terms
    judged = completeness(classification, bill, result.line_chains, factors)
    figure = class_figure(classification, bill, place)
    if figure is not None:
        figure = with_greater_parts(figure, result.components.counted_kg_co2e)
    bill_kg_co2e = math.fsum(term.contribution.emissions_kg_co2e for term in terms)
    low, high = interval(
        [UncertainTerm(t.contribution.emissions_kg_co2e, t.spreads) for t in terms]
    )
    weight = class_weight(judged, figure, bill_kg_co2e)
    basis = _basis(bill, judged.missing)
    routes = [bill_route(bill_kg_co2e, low, high, judged, 1.0 - weight, basis)]
    if figure is not None:
        routes.append(class_route(figure, weight))
    combined = combine(routes)
    inferred = Origin.INFERRED if bill.mass_inferred else Origin.GIVEN
    footprint = Footprint(
        emissions_kg_co2e=combined.emissions_kg_co2e,
        low_kg_co2e=combined.low_kg_co2e,
        high_kg_co2e=combined.high_kg_co2e,
        mass=Quantity(bill.mass_kg, "kg", inferred),
        data_quality=footprint_quality(
            [term.rating for term in terms], figure, routes, bill, judged
        ),
        contributions=(
            *(term.contribution for term in terms),
            *(figure.contributions if figure else ()),
        ),
        notes=footprint_notes(
            classification, bill, place, routes, judged, result, figure.notes if figure else ()
        )
        + replaced_weight_notes(product.weight_kg, bill)
        + name_notes(product.name, classification.category, bill)
        + price_notes(product.facts, classification.category, combined.emissions_kg_co2e),
        routes=tuple(routes),
        dominance=dominance(routes),
    )
    return with_supplier_figure(footprint, product.facts)


def _basis(bill: BillOfMaterials, missing: tuple[str, ...]) -> str:
    """What the bill route rests on, in words: "12 lines, without display"."""
    lines = "1 line" if len(bill.lines) == 1 else f"{len(bill.lines)} lines"
    return f"{lines}, without {', '.join(missing)}" if missing else lines
