"""The columns of CSV and XLSX: one table that says what each holds, in which unit, and how it is
rounded.

The columns of answers come from their steps. This is the only place where figures are rounded.
`docs/reference/export-columns.md` repeats the table for readers and a test compares the two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.results import Contribution, ContributionKind, RouteName
from weighbridge.export.cells import finite, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from weighbridge.export.base import ResultRow
    from weighbridge.steps.shown import ShownField

Cell = str | float | datetime | None

SIMULATED_WARNING: Final = (
    "SIMULATED: these figures come from the built-in simulator, not from a model"
)
RECORDED_WARNING: Final = "RECORDED: these figures come from replayed answers; the column model says which model gave them, and when"
_TOP: Final = 3
"""How many of a product's contributions, the largest, are named in one cell."""
_EMISSIONS_DIGITS: Final = 4
# Twelve digits keep every mass that a person wrote and drop what adding up a bill leaves:
# 0.30000000000000004.
_MASS_DIGITS: Final = 12
_GATHERED: Final = {
    ContributionKind.PROCESS_ELECTRICITY: "electricity",
    ContributionKind.PROCESS_HEAT: "heat",
    ContributionKind.PROCESS_DIRECT: "process emissions",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `value` gives a product's cell.

    `unit` is "" for text, `number_format` is Excel's (None: text), `width` is in characters.
    `figure` gives the number before it was rounded to `value`: a workbook stores it unrounded and
    shows it rounded.
    """

    name: str
    unit: str
    meaning: str
    width: int
    value: Callable[[ResultRow], Cell]
    number_format: str | None = None
    figure: Callable[[ResultRow], float | None] | None = None


def top_contributions(contributions: Sequence[Contribution], shares: Sequence[float]) -> str:
    """The largest shares of a footprint: "Stainless steel 62 %; Polypropylene 20 %; electricity 9
    %".

    Materials go by their own names; electricity, heat and direct emissions are each gathered over
    all processes. "" when there is no positive total to take a share of.
    """
    gathered: defaultdict[str, float] = defaultdict(float)
    for one, share in zip(contributions, shares, strict=True):
        gathered[_GATHERED.get(one.kind, one.label)] += share
    largest = sorted(gathered.items(), key=lambda named: (-named[1], named[0]))[:_TOP]
    return "; ".join(f"{name} {_percent(share)}" for name, share in largest if share > 0)


def _percent(share: float) -> str:
    """A share in whole percent, such as "62 %"."""
    return f"{share:.0%}".replace("%", " %") if share >= 0.005 else "<1 %"


def _rounded_emissions(value: float | None) -> float | None:
    known = finite(value)
    return None if known is None else significant(known, _EMISSIONS_DIGITS)


def _figure_column(
    name: str,
    meaning: str,
    width: int,
    figure: Callable[[ResultRow], float | None],
    unit: str = "kg CO2e per unit of product",
) -> Column:
    """A column of emissions, which `figure` gives and the column rounds."""
    return Column(
        name, unit, meaning, width, lambda row: _rounded_emissions(figure(row)), figure=figure
    )


def _emissions_of_route(name: RouteName) -> Callable[[ResultRow], float | None]:
    """A function that gives a product's emissions in kg CO2e by this route, None without it."""

    def route_kg_co2e(row: ResultRow) -> float | None:
        found = (route.emissions_kg_co2e for route in row.routes if route.name is name)
        return next(found, None)

    return route_kg_co2e


def _rounded_mass_kg(row: ResultRow) -> float | None:
    known = finite(row.mass_kg)
    return None if known is None else significant(known, _MASS_DIGITS)


def _rounded_data_quality(row: ResultRow) -> float | None:
    known = finite(row.data_quality.overall if row.data_quality else None)
    return None if known is None else round(known, 2)


def _rounded_cost_usd(row: ResultRow) -> float | None:
    known = finite(row.cost_usd)
    return None if known is None else round(known, 6)


def _weight_basis(row: ResultRow) -> str | None:
    """Whether the catalogue's weight is "gross" or "net"; None if there is none."""
    if row.weight_kg is None:
        return None
    return "gross" if row.facts.weight_is_gross else "net"


def _pictures(row: ResultRow) -> str | None:
    """The addresses or names of the product's pictures with spaces between; None if it has none."""
    first = row.image_url or row.picture
    return " ".join([first, *row.more_pictures]) if first else None


def note_sentence(note: Mapping[str, Any]) -> str:
    """A stored RowNote as a sentence: sheet, row and column, and what is wrong there."""
    sheet = f"sheet {note['sheet']}, " if note.get("sheet") else ""
    return f"{sheet}row {note['row']}, {note.get('column') or note['field']}: {note['reason']}"


def _catalogue_notes(row: ResultRow) -> str | None:
    return "; ".join(map(note_sentence, row.row_notes)) or None


_PRODUCT: Final[tuple[Column, ...]] = (
    Column("code", "", "Product code, as in the catalogue.", 18, lambda row: row.code),
    Column("name", "", "Product name, as in the catalogue.", 36, lambda row: row.name),
    Column(
        "status",
        "",
        "pending, processing, completed or failed.",
        12,
        lambda row: row.status.value,
    ),
)

_FIGURES: Final[tuple[Column, ...]] = (
    _figure_column(
        "emissions_kg_co2e",
        "Footprint: cradle-to-gate, GWP100, to 4 significant digits.",
        18,
        lambda row: row.emissions_kg_co2e,
    ),
    _figure_column(
        "low_kg_co2e",
        "Lower end of the 95 % range.",
        14,
        lambda row: row.low_kg_co2e,
    ),
    _figure_column(
        "high_kg_co2e",
        "Upper end of the 95 % range.",
        14,
        lambda row: row.high_kg_co2e,
    ),
    _figure_column(
        "total_kg_co2e",
        "Footprint times quantity; a product without a quantity counts as one piece.",
        14,
        lambda row: row.total_kg_co2e,
        unit="kg CO2e per year",
    ),
    Column(
        "decided_by",
        "",
        "Which route (bill of materials or class figure) decides the footprint, or by what factor they differ.",
        20,
        lambda row: row.dominance or None,
    ),
    _figure_column(
        "bill_kg_co2e",
        "Footprint by the bill of materials alone, the first of the two routes.",
        14,
        _emissions_of_route(RouteName.BILL),
    ),
    _figure_column(
        "class_kg_co2e",
        "Footprint by published figures of similar products alone, the second route.",
        14,
        _emissions_of_route(RouteName.CLASS),
    ),
    Column(
        "primary_data",
        "",
        "\"supplier's figure\" if the footprint is the supplier's own (primary data); empty if it is computed.",
        16,
        lambda row: row.primary_data,
    ),
    _figure_column(
        "estimate_kg_co2e",
        "Computed footprint that the supplier's own figure replaces; empty if there is no such figure.",
        16,
        lambda row: row.estimate_kg_co2e,
    ),
    Column(
        "data_quality",
        "1 (best) to 3",
        "Mean of PACT's technological, geographical and temporal ratings.",
        13,
        _rounded_data_quality,
        "0.00",
    ),
    Column(
        "mass_kg",
        "kg per unit of product",
        "Mass that the footprint was computed for.",
        12,
        _rounded_mass_kg,
        "#,##0.0#####",
    ),
    Column(
        "mass_origin",
        "",
        "given: the weight in the catalogue; inferred: estimated by the model; corrected: by a reviewer.",
        13,
        lambda row: row.mass_origin.value if row.mass_origin else None,
    ),
    Column(
        "country_of_origin",
        "ISO 3166-1 alpha-2",
        "Country of origin, as in the catalogue.",
        18,
        lambda row: row.country_of_origin,
    ),
    Column(
        "top_contributions",
        "% of the footprint",
        "The three largest contributions to the footprint.",
        52,
        lambda row: top_contributions(row.contributions, row.shares),
    ),
    Column(
        "notes",
        "",
        "What to know before using the figure.",
        60,
        lambda row: "; ".join(row.notes) or None,
    ),
    Column("error", "", "Why a failed product failed, and what to do.", 40, lambda row: row.error),
    Column(
        "model",
        "",
        "Model that gave the answers; where there were several, the model of each step.",
        22,
        lambda row: row.provenance.model if row.provenance else None,
    ),
    Column(
        "simulated",
        "yes, recorded or no",
        "yes: the built-in simulator invented the answers; recorded: a model's answers were replayed; no: a model answered.",
        11,
        lambda row: "yes" if row.simulated else "recorded" if row.recorded else "no",
    ),
    Column(
        "variant_of",
        "",
        "Code of the variant whose answers this product uses; empty if the model was asked about this product.",
        18,
        lambda row: row.provenance.variant_of if row.provenance else None,
    ),
    Column(
        "cost_usd",
        "USD",
        "Cost of the calls about this product: its share of each call.",
        11,
        _rounded_cost_usd,
        "0.000000",
    ),
    Column(
        "completed_at",
        "UTC",
        "When the product was processed; corrections and recomputations do not change it.",
        20,
        lambda row: row.completed_at,
        "yyyy-mm-dd hh:mm:ss",
    ),
    Column(
        "materials",
        "",
        "Composition, as in the catalogue.",
        30,
        lambda row: row.facts.materials,
    ),
    Column(
        "recycled_share",
        "0 to 1",
        "Share of the mass that is recycled material, as in the catalogue.",
        14,
        lambda row: row.facts.recycled_share,
        "0%",
    ),
    Column(
        "pieces_per_pack",
        "pieces",
        "Number of pieces in one unit of this product code, as in the catalogue.",
        14,
        lambda row: row.facts.pieces_per_pack,
        "#,##0.###",
    ),
    Column(
        "gross_weight_kg",
        "kg",
        "Weight with packaging, as in the catalogue.",
        14,
        lambda row: row.facts.gross_weight_kg,
        "#,##0.0#####",
    ),
    Column(
        "weight_basis",
        "",
        "net or gross: whether the catalogue's weight includes packaging; empty if there is no weight.",
        12,
        _weight_basis,
    ),
    Column(
        "process_hints",
        "",
        "How the product is made, as in the catalogue.",
        30,
        lambda row: row.facts.process_hints,
    ),
    Column(
        "variant",
        "",
        "What sets this variant apart from the others.",
        20,
        lambda row: row.facts.variant,
    ),
    Column(
        "parent_code",
        "",
        "Code of the product that this one is a variant of.",
        18,
        lambda row: row.facts.parent_code,
    ),
    Column(
        "quantity",
        "pieces per year",
        "Number of pieces sold or bought, as in the catalogue.",
        14,
        lambda row: row.facts.quantity,
        "#,##0.###",
    ),
    Column(
        "price",
        "currency",
        "Price of one unit, as in the catalogue.",
        12,
        lambda row: row.facts.price,
        "#,##0.00",
    ),
    Column("currency", "ISO 4217", "Currency of the price.", 10, lambda row: row.facts.currency),
    Column(
        "supplier",
        "",
        "Who sells or makes the product, as in the catalogue.",
        24,
        lambda row: row.facts.supplier,
    ),
    _figure_column(
        "supplier_footprint_kg_co2e",
        "The supplier's own figure, as in the catalogue.",
        18,
        lambda row: row.facts.supplier_footprint_kg_co2e,
        unit="kg CO2e",
    ),
    Column(
        "supplier_footprint_per",
        "",
        "Unit of the supplier's figure: piece or kg.",
        12,
        lambda row: row.facts.supplier_footprint_per,
    ),
    Column(
        "supplier_footprint_boundary",
        "",
        "What the supplier's figure covers: cradle-to-gate, cradle-to-grave or gate-to-gate.",
        18,
        lambda row: row.facts.supplier_footprint_boundary,
    ),
    Column(
        "pictures",
        "",
        "Up to four pictures, in order: addresses or file names of stored pictures, separated by spaces.",
        30,
        _pictures,
    ),
    Column(
        "catalogue_notes",
        "",
        "Cells of the product's catalogue row that were not used or are in doubt, and why.",
        40,
        _catalogue_notes,
    ),
)


def columns_of(fields: Iterable[ShownField]) -> tuple[Column, ...]:
    """Every column, in order: those of the product, of the steps' `fields`, and of the figures."""
    answered = [
        Column(
            field.name,
            field.column.unit,
            field.meaning,
            field.column.width,
            _cell_of_answer(field.name),
            field.column.number_format,
        )
        for field in fields
        if field.column is not None
    ]
    return (*_PRODUCT, *answered, *_FIGURES)


def _cell_of_answer(name: str) -> Callable[[ResultRow], Cell]:
    """A function that gives a product's cell for this field of a step; yes or no for booleans."""

    def cell(row: ResultRow) -> Cell:
        found = row.answered.get(name)
        if isinstance(found, bool):
            return "yes" if found else "no"
        return finite(found) if isinstance(found, float) else found

    return cell
