"""A supplier's own figure takes precedence over what is computed: primary data.

It counts where it is of the same thing as our figures, cradle-to-gate, and can be true. Otherwise a
note says why it does not, and the computed figure stands:

- another boundary: a figure with use and disposal, or of one factory alone, is of something else.
- more than 100 times off the estimate: no estimate is that wrong, but figures in grams or tonnes,
  or of a pallet, are.

Where it counts, the computed routes stay beside it without a weight, and a note says how far they
are from it. Its range is an assumption: suppliers state none.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from weighbridge.domain.facts import FootprintBoundary, FootprintUnit
from weighbridge.domain.results import (
    Contribution,
    ContributionKind,
    DataQuality,
    Route,
    RouteName,
    SupplierFigure,
)
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from weighbridge.domain.facts import ProductFacts
    from weighbridge.domain.results import Footprint

BEYOND_BELIEF: Final = 100.0
RANGE_GSD: Final = 1.2
"""Assumed: a 95 % range of the figure divided and multiplied by 1.43."""
_QUALITY: Final = DataQuality(technological=1.0, geographical=1.0, temporal=3.0)
"""Of this very product and its place; no column states the year."""
_Z95: Final = 1.96
_WORTH_A_WORD: Final = 1.5
_BESIDE: Final = "the estimate beside it: "


def with_supplier_figure(footprint: Footprint, facts: ProductFacts) -> Footprint:
    """The footprint with the supplier's figure in its place, or with a note why not."""
    stated = facts.supplier_footprint_kg_co2e
    if stated is None:
        return footprint
    per = facts.supplier_footprint_per or FootprintUnit.PIECE
    boundary = facts.supplier_footprint_boundary
    units = footprint.mass.value if per is FootprintUnit.KG else 1.0
    figure = SupplierFigure(
        stated,
        per,
        units,
        footprint.emissions_kg_co2e,
        footprint.low_kg_co2e,
        footprint.high_kg_co2e,
        tuple(route.weight for route in footprint.routes),
    )
    said = f"the supplier's figure of {significant(stated)} kg CO2e per {per.value}"
    if reason := _reason_against(figure, boundary):
        return replace(footprint, notes=(f"{said} does not count: {reason}", *footprint.notes))
    notes = [f"primary data: {said}{_apart(figure)}"]
    if boundary is None:
        notes.append("its boundary is not stated: taken as cradle-to-gate")
    return counted(
        replace(
            footprint,
            data_quality=_QUALITY,
            notes=(*notes, *(f"{_BESIDE}{note}" for note in footprint.notes)),
            dominance=RouteName.SUPPLIER.value,
            supplier=figure,
        )
    )


def _reason_against(figure: SupplierFigure, boundary: FootprintBoundary | None) -> str:
    """Why the figure cannot be the footprint; "" where it can."""
    value, estimate = figure.emissions_kg_co2e, figure.estimate_kg_co2e
    if boundary not in (None, FootprintBoundary.CRADLE_TO_GATE):
        return f"it is {boundary.value}, and footprints here are cradle-to-gate"
    if not (math.isfinite(value) and value > 0):
        return "it is no amount above 0"
    if estimate > 0:
        apart = max(value, estimate) / min(value, estimate)
        if apart > BEYOND_BELIEF:
            side = "above" if value > estimate else "below"
            return (
                f"it is ×{significant(apart)} {side} the estimate of {significant(estimate)} kg CO2e. "
                "Check its unit, and that it is of one piece"
            )
    return ""


def _apart(figure: SupplierFigure) -> str:
    value, estimate = figure.emissions_kg_co2e, figure.estimate_kg_co2e
    if estimate <= 0:
        return f"; the estimate is {significant(estimate)} kg CO2e"
    apart = max(value, estimate) / min(value, estimate)
    if apart <= _WORTH_A_WORD:
        return f"; the estimate of {significant(estimate)} kg CO2e agrees"
    return f", ×{significant(apart)} from the estimate of {significant(estimate)} kg CO2e"


def counted(footprint: Footprint) -> Footprint:
    """The footprint with figure, route and contribution of its supplier; the computed routes have
    no weight.
    """
    supplier = footprint.supplier
    if supplier is None:
        return footprint
    value, sigma = supplier.emissions_kg_co2e, math.log(RANGE_GSD)
    times = math.exp(_Z95 * sigma)
    computed = (replace(route, weight=0.0) for route in footprint.routes)
    return replace(
        footprint,
        emissions_kg_co2e=value,
        low_kg_co2e=value / times,
        high_kg_co2e=value * times,
        routes=(*computed, _route(supplier, value, times, sigma)),
        contributions=(*footprint.contributions, _contribution(supplier, value, times)),
    )


def computed_alone(footprint: Footprint) -> Footprint:
    """What `counted` took: the computed routes with their weights, and their contributions."""
    supplier = footprint.supplier
    if supplier is None:
        return footprint
    computed = [route for route in footprint.routes if route.name is not RouteName.SUPPLIER]
    return replace(
        footprint,
        routes=tuple(
            replace(route, weight=weight)
            for route, weight in zip(computed, supplier.estimate_weights, strict=True)
        ),
        contributions=tuple(
            one for one in footprint.contributions if one.route is not RouteName.SUPPLIER
        ),
    )


def _route(supplier: SupplierFigure, value: float, times: float, sigma: float) -> Route:
    stated = f"{significant(supplier.stated_kg_co2e)} kg CO2e per {supplier.per.value}"
    return Route(RouteName.SUPPLIER, value, value / times, value * times, sigma, sigma, 1.0, stated)


def _contribution(supplier: SupplierFigure, value: float, times: float) -> Contribution:
    """The supplier's figure as the footprint's own contribution."""
    return Contribution(
        kind=ContributionKind.SUPPLIER_FIGURE,
        factor_key="supplier_figure",
        activity_unit=supplier.per.value,
        factor=supplier.stated_kg_co2e,
        source="the supplier's own figure, as in the catalogue",
        source_id="",
        year="",
        region="",
        licence="",
        is_proxy=False,
        label="Supplier's figure",
        activity=supplier.units,
        emissions_kg_co2e=value,
        low_kg_co2e=value / times,
        high_kg_co2e=value * times,
    )
