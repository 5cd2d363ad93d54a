"""Writes the sheet About: what was computed, by which versions, from whose factors, and what each
column means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from weighbridge import __version__
from weighbridge.export.cells import writable_text
from weighbridge.export.columns import RECORDED_WARNING, SIMULATED_WARNING
from weighbridge.export.workbook.contributions import CONTRIBUTIONS
from weighbridge.export.workbook.sheets import set_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.export.base import ResultRow
    from weighbridge.export.columns import Column
    from weighbridge.export.workbook.sheets import Styles

_Line = tuple[tuple[str, ...], Any]
_WIDTHS: Final = (30, 30, 92)
_ADDING_UP: Final = (
    "The contributions of a product add up to its figure: use SUMIF over the column code of the "
    "sheet Contributions, summing counted_kg_co2e. For codes "
    "that a spreadsheet takes for numbers or wildcards (00123, 1E5, A*), use "
    "SUMPRODUCT(EXACT(Contributions!A$2:A$99, code) * Contributions!C$2:C$99)."
)
_TWO_DIGITS: Final = (
    "Cells show two significant digits, because the ranges are wider than a third digit would "
    "suggest; they hold the full value. Figures from 100 kg are shown in t (tonnes), from 100 t in kt."
)
_FIXED: Final = (
    ("Boundary", "cradle-to-gate", "Raw materials to finished product, per unit."),
    ("Characterisation", "GWP100", "All greenhouse gases, as kg CO2e."),
    ("Figures", "two significant digits", _TWO_DIGITS),
    ("Total", "footprint × quantity", "A product without a quantity counts as one piece. Failed products are not included."),
    ("Adding up", "counted_kg_co2e", _ADDING_UP),
)  # fmt: skip


@dataclass(slots=True)
class Seen:
    """The sources, versions and kinds of answers behind the rows of a workbook so far.

    `sources` has (publisher, licence) of factors.
    """

    simulated: bool = False
    recorded: bool = False
    sources: set[tuple[str, str]] = field(default_factory=set)
    factors: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)

    def add(self, row: ResultRow) -> None:
        """Add what one more row is computed from."""
        self.simulated = self.simulated or row.simulated
        self.recorded = self.recorded or row.recorded
        self.sources.update((one.source, one.licence) for one in row.contributions)
        if row.provenance:
            self.factors.add(row.provenance.factors)
            self.methods.add(row.provenance.method)

    @property
    def warnings(self) -> list[str]:
        """The warnings that some figures are simulated or recorded."""
        found = [SIMULATED_WARNING] if self.simulated else []
        return [*found, RECORDED_WARNING] if self.recorded else found


def write_about(sheet: Any, styles: Styles, seen: Seen, products: Sequence[Column]) -> None:
    """Write the whole sheet; `products` are the columns of the sheet Products."""
    set_page(sheet, "Weighbridge")
    for position, width in enumerate(_WIDTHS):
        sheet.set_column(position, position, width)
    for number, (cells, style) in enumerate(_lines(styles, seen, products)):
        for position, text in enumerate(cells):
            sheet.write_string(
                number, position, writable_text(text), style or styles.text(text, text_wrap=True)
            )


def _lines(styles: Styles, seen: Seen, products: Sequence[Column]) -> Iterator[_Line]:
    """The lines of the sheet from top to bottom, each with its style; warnings come first."""
    yield ("Weighbridge results",), styles.style(bold=True, font_size=14)
    for warning in seen.warnings:
        yield (warning,), styles.style(bold=True, font_size=12, font_color="#B00020")
    yield (), None
    yield ("Program", f"Weighbridge {__version__}", "What wrote this file."), None
    yield ("Method", _joined(seen.methods), "Version of the arithmetic."), None
    yield ("Factors", _joined(seen.factors), "Name and version of the factor table."), None
    for line in _FIXED:
        yield line, None
    yield (), None
    yield ("Column of Products", "Unit", "Meaning"), styles.header()
    for column in products:
        yield (column.name, column.unit, column.meaning), None
    yield (), None
    yield ("Column of Contributions", "Unit", "Meaning"), styles.header()
    for named, unit, meaning in CONTRIBUTIONS:
        yield (named.name, unit, meaning), None
    yield (), None
    yield ("Source of factors", "Licence", "Attribution"), styles.header()
    for source, licence in sorted(seen.sources):
        yield (source, licence, _attribution(source, licence)), None


def _joined(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none used"


def _attribution(source: str, licence: str) -> str:
    return f"Contains factors of {source}, used under {licence} and converted by Weighbridge."
