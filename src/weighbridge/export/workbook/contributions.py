"""The sheets Contributions and Notes: several rows a product, found by its code.

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
    (SheetColumn("code", 17), "", "Product code; SUMIF over it gives the product's figure."),
    (SheetColumn("label", 62), "", "What is counted."),
    (
        SheetColumn("counted_kg_co2e", 18, EMISSIONS),
        "kg CO2e per unit of product",
        "What it adds to the figure: emissions × route_weight × figure / route_kg_co2e; as it is where a route stands alone.",
    ),
    (SheetColumn("share", 8, "0.0%"), "% of the footprint", "The same as a part of the figure."),
    (SheetColumn("kind", 19), "", "material, process, component, class reference …"),
    (SheetColumn("route", 18), "", "The route that it is a term of."),
    (SheetColumn("route_kg_co2e", 15, EMISSIONS), "kg CO2e per unit of product", "The route's own result: the sum of the emissions of its rows."),
    (SheetColumn("route_weight", 14, "0.000"), "0 to 1", "What the route counts for: the figure is the product of all route_kg_co2e ^ route_weight."),
    (SheetColumn("activity", 11, "0.0###"), "activity_unit", "How much of it."),
    (SheetColumn("activity_unit", 14), "", "kg, kWh …"),
    (SheetColumn("factor", 11, "0.0###"), "kg CO2e per activity_unit", "The emission factor."),
    (SheetColumn("emissions_kg_co2e", 20, EMISSIONS), "kg CO2e", "activity × factor, within its route."),
    (SheetColumn("source", 46), "", "Who published the factor."),
    (SheetColumn("year", 11), "", "Year of the factor."),
    (SheetColumn("region", 11), "", "Region of the factor."),
    (SheetColumn("licence", 22), "", "Licence of the factor."),
    (SheetColumn("is_proxy", 10), "yes or no", "yes: the factor stands in for one that nobody publishes."),
)  # fmt: skip
"""Each column with its unit and meaning."""

PRINTED: Final = 13
"""Contributions up to the source; the rest is for the screen."""

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
