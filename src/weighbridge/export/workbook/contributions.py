"""The rows of the sheets Contributions and Notes: several for each product, found by its code.

`counted_kg_co2e` of a product's contributions adds up to its figure. Where two routes are combined
(decision 0026), each contribution counts with its part of its route, times the route's weight,
times the figure; both stand in the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.domain.quantities import Origin
from weighbridge.export.columns import note_sentence
from weighbridge.export.workbook.sheets import EMISSIONS, SheetColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.export.base import ResultRow
    from weighbridge.export.columns import Cell

CONTRIBUTIONS: Final[tuple[tuple[SheetColumn, str, str], ...]] = (
    (SheetColumn("code", 17), "", "Product code. The rows of a code add up to the product's figure in counted_kg_co2e."),
    (SheetColumn("label", 62), "", "What is counted."),
    (
        SheetColumn("counted_kg_co2e", 18, EMISSIONS),
        "kg CO2e per unit of product",
        "What this row adds to the figure: emissions_kg_co2e × route_weight × figure / route_kg_co2e (emissions_kg_co2e itself where only one route counts).",
    ),
    (SheetColumn("share", 8, "0.0%"), "% of the footprint", "counted_kg_co2e as a share of the figure."),
    (SheetColumn("kind", 19), "", "material, process, component, class reference …"),
    (SheetColumn("route", 18), "", "Route that this row belongs to."),
    (SheetColumn("route_kg_co2e", 15, EMISSIONS), "kg CO2e per unit of product", "Result of the route alone: the sum of emissions_kg_co2e over its rows."),
    (SheetColumn("route_weight", 14, "0.000"), "0 to 1", "Weight of the route. The figure is route_kg_co2e ^ route_weight, multiplied over all routes."),
    (SheetColumn("activity", 11, "0.0###"), "activity_unit", "Amount that the factor is multiplied by."),
    (SheetColumn("activity_unit", 14), "", "kg, kWh …"),
    (SheetColumn("factor", 11, "0.0###"), "kg CO2e per activity_unit", "The emission factor."),
    (SheetColumn("emissions_kg_co2e", 20, EMISSIONS), "kg CO2e", "activity × factor, within its route."),
    (SheetColumn("source", 60), "", "Who published the factor."),
    (SheetColumn("year", 11), "", "Year of the factor."),
    (SheetColumn("region", 11), "", "Region of the factor."),
    (SheetColumn("licence", 22), "", "Licence of the factor."),
    (SheetColumn("is_proxy", 10), "yes or no", "yes: no factor is published for this, so the factor of something similar is used."),
)  # fmt: skip
"""Each column of the sheet Contributions, with its unit and meaning."""

PRINTED: Final = 13
"""How many columns of the sheet Contributions are printed: those up to the source."""

NOTES: Final = (
    SheetColumn("code", 17),
    SheetColumn("name", 34),
    SheetColumn("about", 14),
    SheetColumn("note", 110, is_long=True),
)


def contribution_rows(row: ResultRow) -> Iterator[tuple[Cell, ...]]:
    """One row for each contribution of a product, the largest first."""
    routes = {route.name: route for route in row.routes}
    terms = zip(row.contributions, row.shares, row.counted_kg_co2e, strict=True)
    for one, share, counted in sorted(terms, key=lambda term: -term[2]):
        route = routes.get(one.route)
        yield (
            row.code,
            one.label,
            counted,
            share,
            one.kind.value,
            one.route.value,
            None if route is None else route.emissions_kg_co2e,
            None if route is None else route.weight,
            one.activity,
            one.activity_unit,
            one.factor,
            one.emissions_kg_co2e,
            one.source,
            one.year,
            one.region,
            one.licence,
            "yes" if one.is_proxy else "no",
        )


def note_rows(row: ResultRow) -> Iterator[tuple[Cell, ...]]:
    """One row for all that should be known about a product: why it failed, and every note."""
    named = (row.code, row.name)
    if row.error:
        yield (*named, "failed", row.error)
    if row.simulated:
        yield (*named, "simulated", "The answers came from the built-in simulator.")
    if row.mass_origin is Origin.INFERRED and not any("mass" in note for note in row.notes):
        yield (*named, "figure", "The mass was estimated by the model.")
    for note in row.notes:
        yield (*named, "figure", note[:1].upper() + note[1:])
    for told in row.row_notes:
        yield (*named, "catalogue", note_sentence(told))
