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
"""A supplier's figure more than this many times above or below the estimate is not believed."""
RANGE_GSD: Final = 1.2
"""Assumed geometric standard deviation of a supplier's figure: its 95 % range is the figure divided
and multiplied by 1.43.
"""
_QUALITY: Final = DataQuality(technological=1.0, geographical=1.0, temporal=3.0)
"""Data quality of a supplier's figure: it is of this very product and place, but no column states
its year.
"""
_Z95: Final = 1.96
_AGREES_WITHIN: Final = 1.5
"""The figure and the estimate agree when the higher is at most this many times the lower."""
_BESIDE: Final = "the estimate beside it: "
"""First words of the notes on the computed estimate, where the supplier's figure counts."""


def with_supplier_figure(footprint: Footprint, facts: ProductFacts) -> Footprint:
    """The footprint with the supplier's figure in its place, or with a note why that does not
    count; unchanged where the supplier states none.
    """
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
    notes = [f"primary data: {said}{_compared_with_estimate(figure)}"]
    if boundary is None:
        notes.append("the supplier's figure states no boundary: taken as cradle-to-gate")
    return with_supplier_route(
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
    figure_kg_co2e, estimate_kg_co2e = figure.emissions_kg_co2e, figure.estimate_kg_co2e
    if boundary not in (None, FootprintBoundary.CRADLE_TO_GATE):
        return f"it is {boundary.value}, and footprints here are cradle-to-gate"
    if not (math.isfinite(figure_kg_co2e) and figure_kg_co2e > 0):
        return "it is no amount above 0"
    if estimate_kg_co2e > 0:
        apart = max(figure_kg_co2e, estimate_kg_co2e) / min(figure_kg_co2e, estimate_kg_co2e)
        if apart > BEYOND_BELIEF:
            side = "above" if figure_kg_co2e > estimate_kg_co2e else "below"
            return (
                f"it is {side} the estimate of {significant(estimate_kg_co2e)} kg CO2e by a factor of "
                f"{significant(apart)}. Check its unit, and whether it is for one piece"
            )
    return ""


def _compared_with_estimate(figure: SupplierFigure) -> str:
    """The end of a note: whether the figure agrees with the estimate, or how far it is off."""
    figure_kg_co2e, estimate_kg_co2e = figure.emissions_kg_co2e, figure.estimate_kg_co2e
    if estimate_kg_co2e <= 0:
        return f"; the estimate is {significant(estimate_kg_co2e)} kg CO2e"
    apart = max(figure_kg_co2e, estimate_kg_co2e) / min(figure_kg_co2e, estimate_kg_co2e)
    if apart <= _AGREES_WITHIN:
        return f"; the estimate of {significant(estimate_kg_co2e)} kg CO2e agrees"
    return (
        f"; it differs from the estimate of {significant(estimate_kg_co2e)} kg CO2e by a factor of "
        f"{significant(apart)}"
    )


def with_supplier_route(footprint: Footprint) -> Footprint:
    """The footprint with the supplier's figure as its figure, and as a further route and
    contribution; the computed routes get the weight 0. Unchanged where there is no supplier's
    figure.
    """
    supplier = footprint.supplier
    if supplier is None:
        return footprint
    figure_kg_co2e, log_sigma = supplier.emissions_kg_co2e, math.log(RANGE_GSD)
    range_factor = math.exp(_Z95 * log_sigma)
    computed = (replace(route, weight=0.0) for route in footprint.routes)
    return replace(
        footprint,
        emissions_kg_co2e=figure_kg_co2e,
        low_kg_co2e=figure_kg_co2e / range_factor,
        high_kg_co2e=figure_kg_co2e * range_factor,
        routes=(*computed, _route(supplier, figure_kg_co2e, range_factor, log_sigma)),
        contributions=(
            *footprint.contributions,
            _contribution(supplier, figure_kg_co2e, range_factor),
        ),
    )


def without_supplier_route(footprint: Footprint) -> Footprint:
    """Undoes what `with_supplier_route` did to routes and contributions: the computed ones alone,
    with the weights that they have in the estimate. The totals stay.
    """
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


def _route(
    supplier: SupplierFigure, figure_kg_co2e: float, range_factor: float, log_sigma: float
) -> Route:
    """The route that all the weight goes to; its range is the figure divided and multiplied by
    `range_factor`.
    """
    stated = f"{significant(supplier.stated_kg_co2e)} kg CO2e per {supplier.per.value}"
    return Route(
        RouteName.SUPPLIER,
        figure_kg_co2e,
        figure_kg_co2e / range_factor,
        figure_kg_co2e * range_factor,
        log_sigma,
        log_sigma,
        1.0,
        stated,
    )


def _contribution(
    supplier: SupplierFigure, figure_kg_co2e: float, range_factor: float
) -> Contribution:
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
        emissions_kg_co2e=figure_kg_co2e,
        low_kg_co2e=figure_kg_co2e / range_factor,
        high_kg_co2e=figure_kg_co2e * range_factor,
    )
