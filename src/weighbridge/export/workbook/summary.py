"""Writes the sheets Summary and Materials: the totals of a catalogue, laid out for a manager.

A sheet is written from top to bottom (constant_memory), so tables stand one below the other, with
their charts beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.totals import TotalBy
from weighbridge.export.columns import RECORDED_WARNING, SIMULATED_WARNING
from weighbridge.export.workbook.sheets import (
    EMISSIONS,
    SheetColumn,
    TableSheet,
    set_page,
    write_cell,
)
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.domain.totals import CatalogueTotals, GroupTotal
    from weighbridge.export.columns import Cell
    from weighbridge.export.workbook.sheets import Styles

SHOWN_GROUPS: Final = 10
"""How many groups of products a table lists, at most; the others are added up in one more line."""
_WIDTHS: Final = (46, 20, 13, 13, 13, 11, 3)
_CHART_COLUMN: Final = len(_WIDTHS)
_CHART_SIZE: Final = {"width": 600, "height": 300}
_CHART_ROWS: Final = 16
_BLUE: Final = "#2F6F8F"
_FORMATS: Final[dict[str, str]] = {
    "products": "#,##0",
    "quantity": "#,##0.##",
    "share": "0%",
}
_TEXTS: Final = frozenset({"product", "code", "why", *TotalBy})
_GROUP_HEADER: Final = ("products", "total", "low", "high", "share")
_TITLES: Final = {
    TotalBy.CATEGORY: "Hotspots by category",
    TotalBy.MATERIAL: "Hotspots by material",
    TotalBy.SUPPLIER: "By supplier",
    TotalBy.COUNTRY: "By country of origin",
}
MATERIALS: Final = (
    SheetColumn("material", 56),
    SheetColumn("products", 11, "#,##0"),
    SheetColumn("mass_kg", 14, "[>=100]#,##0;[>=1]#,##0.0;0.000"),
    SheetColumn("total_kg_co2e", 16, EMISSIONS),
    SheetColumn("share", 10, "0.0%"),
)


class _Summary:
    """Writes the sheet Summary from top to bottom."""

    def __init__(self, book: Any, sheet: Any, styles: Styles) -> None:
        self._book = book
        self._sheet = sheet
        self._styles = styles
        self._row = 0

    def line(self, text: str, *, height: int | None = None, **properties: Any) -> None:
        """Write a line of text over the whole width."""
        self._sheet.set_row(self._row, height)
        self._sheet.write_string(self._row, 0, text, self._styles.style(**properties))
        self._row += 1

    def fact(self, name: str, value: float, meaning: str, number_format: str) -> None:
        """Write a line with a name, its number, and what it means."""
        self._write_cells((name, value), ("", number_format))
        self._sheet.write_string(self._row, 2, meaning, self._styles.style(font_color="#555555"))
        self._row += 1

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
        """Write a table with a title; returns the row of its first line below the header.

        `header` has the names of its columns; numbers of columns that are not in _FORMATS are
        emissions.
        """
        self._row += 1
        self.line(title, height=20, bold=True, font_size=13)
        for position, name in enumerate(header):
            style = self._styles.header(is_number=name not in _TEXTS)
            self._sheet.write_string(self._row, position, name, style)
        self._row += 1
        first = self._row
        formats = [_FORMATS.get(name, "" if name in _TEXTS else EMISSIONS) for name in header]
        for cells in rows:
            self._write_cells(cells, formats)
            self._row += 1
        return first

    def chart(self, title: str, first: int, last: int) -> None:
        """Draw a bar chart of the totals in the rows from `first` to `last`, beside them."""
        chart = self._book.add_chart({"type": "bar"})
        chart.add_series(
            {
                "categories": ["Summary", first, 0, last, 0],
                "values": ["Summary", first, 2, last, 2],
                "fill": {"color": _BLUE},
                "gap": 40,
            }
        )
        chart.set_title({"name": title, "name_font": {"size": 12}})
        chart.set_legend({"none": True})
        # Every bar has its name: programs leave out those for which they see no room.
        chart.set_y_axis({"reverse": True, "interval_unit": 1, "num_font": {"size": 7}})
        chart.set_plotarea({"layout": {"x": 0.36, "y": 0.16, "width": 0.6, "height": 0.63}})
        chart.set_x_axis(
            {
                "name": "kg CO2e",
                "num_format": "#,##0.##",
                "label_position": "high",  # below: the other axis is upside down
                "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}},
            }
        )
        chart.set_size(_CHART_SIZE)
        self._sheet.insert_chart(first - 2, _CHART_COLUMN, chart)
        self._row = max(self._row, first - 2 + _CHART_ROWS)

    def new_page(self) -> None:
        """Begin a new printed page here."""
        self._sheet.set_h_pagebreaks([self._row])

    def _write_cells(self, cells: Sequence[Cell], formats: Sequence[str]) -> None:
        """Write these cells into the next row, each with its number format, "" for text."""
        for position, (value, number_format) in enumerate(zip(cells, formats, strict=True)):
            column = SheetColumn("", 0, number_format or None)
            write_cell(self._sheet, self._styles, self._row, position, column, value)


def write_summary(book: Any, sheet: Any, styles: Styles, totals: CatalogueTotals) -> None:
    """Write the whole sheet Summary."""
    set_page(sheet, "Weighbridge")
    sheet.hide_gridlines(2)
    for position, width in enumerate(_WIDTHS):
        sheet.set_column(position, position, width)
    summary = _Summary(book, sheet, styles)
    summary.line(
        f"Carbon footprint of {counted(totals.products, 'product')}",
        height=24,
        bold=True,
        font_size=16,
    )
    for is_so, warning in (
        (totals.simulated, SIMULATED_WARNING),
        (totals.recorded, RECORDED_WARNING),
    ):
        if is_so:
            summary.line(warning, bold=True, font_color="#B00020")
    summary.line(
        "Cradle-to-gate, GWP100. Two significant digits are shown; cells hold full values."
    )
    summary.line("")
    for fact in _facts(totals):
        summary.fact(*fact)
    _write_missing(summary, totals)
    _write_groups(summary, totals, (TotalBy.CATEGORY, TotalBy.MATERIAL))
    _write_products(summary, totals)
    _write_groups(summary, totals, (TotalBy.SUPPLIER, TotalBy.COUNTRY))


def _facts(totals: CatalogueTotals) -> Iterator[tuple[str, float, str, str]]:
    """(label, value, meaning, number format) of the lines at the top; masses are kg CO2e."""
    pieces = (
        "a year where a quantity is known" if totals.without_quantity < totals.completed else ""
    )
    yield "Total", totals.total_kg_co2e, f"CO2e {pieces}".strip(), EMISSIONS
    yield "  if all figures were at their low end", totals.low_kg_co2e, "CO2e", EMISSIONS
    yield "  if all figures were at their high end", totals.high_kg_co2e, "CO2e", EMISSIONS
    for name, value, meaning in (
        ("Products", totals.products, "in this file"),
        ("  with a footprint", totals.completed, "in the total"),
        ("  failed", totals.failed, "MISSING from the total" if totals.failed else ""),
        ("  not processed yet", totals.waiting, "MISSING from the total" if totals.waiting else ""),
        ("Without a quantity", totals.without_quantity, "counted as one piece each"),
        ("Mass inferred", totals.mass_inferred, "no usable weight: the model estimated it"),
        ("Simulated", totals.simulated, "answers of the built-in simulator, not of a model"),
        ("Recorded", totals.recorded, "a model's earlier answers, replayed"),
    ):
        yield name, value, meaning, "#,##0"


def _write_groups(summary: _Summary, totals: CatalogueTotals, all_by: Sequence[TotalBy]) -> None:
    """A table for each grouping, those beyond `SHOWN_GROUPS` as one line; some with a chart."""
    for by in all_by:
        groups = totals.groups.get(by, ())
        if not groups or (len(groups) == 1 and by in (TotalBy.SUPPLIER, TotalBy.COUNTRY)):
            continue  # one supplier or country is the total once more
        shown = groups[:SHOWN_GROUPS]
        rows: list[Sequence[Cell]] = [_group_cells(one) for one in shown]
        if rest := groups[SHOWN_GROUPS:]:
            rest_total = sum(one.total_kg_co2e for one in rest)
            rows.append((f"{len(rest)} more", None, rest_total, None, None, _rest_share(rest)))
        first = summary.table(_TITLES[by], (by.value, *_GROUP_HEADER), rows)
        if by in (TotalBy.CATEGORY, TotalBy.MATERIAL):
            summary.chart(f"Total by {by}", first, first + len(shown) - 1)


def _group_cells(one: GroupTotal) -> Sequence[Cell]:
    return (
        one.name,
        one.products,
        one.total_kg_co2e,
        one.low_kg_co2e,
        one.high_kg_co2e,
        one.share,
    )


def _rest_share(rest: Sequence[GroupTotal]) -> float | None:
    """The share of these groups together; None if none of them has one."""
    shares = [one.share for one in rest if one.share is not None]
    return sum(shares) if shares else None


def _write_products(summary: _Summary, totals: CatalogueTotals) -> None:
    """The tables of products that matter most, and of those to check first."""
    summary.table(
        "Products that matter most",
        ("product", "code", "total", "per unit", "quantity", "share"),
        [
            (one.name, one.code, one.total_kg_co2e, one.emissions_kg_co2e, one.quantity, one.share)
            for one in totals.hotspots
        ],
    )
    summary.new_page()
    summary.table(
        "Check first: these products make the total most uncertain (range × quantity)",
        ("product", "code", "range", "low", "high", "quantity"),
        [
            (
                one.name,
                one.code,
                one.range_kg_co2e,
                one.low_kg_co2e,
                one.high_kg_co2e,
                one.quantity,
            )
            for one in totals.check_first
        ],
    )


def _write_missing(summary: _Summary, totals: CatalogueTotals) -> None:
    """The table of failed products, if there are any."""
    if totals.missing:
        more = totals.failed - len(totals.missing)
        rows: list[Sequence[Cell]] = [(one.name, one.code, one.error) for one in totals.missing]
        if more > 0:
            rows.append((f"{more:,} more on the sheet Notes", None, None))
        summary.table("Failed: missing from the total", ("product", "code", "why"), rows)


def write_materials(table: TableSheet, totals: CatalogueTotals) -> None:
    """Write the sheet Materials: totals by material, and those of contributions that are none."""
    table.append(
        [
            (one.name, one.products, one.mass_kg, one.total_kg_co2e, one.share)
            for one in totals.groups.get(TotalBy.MATERIAL, ())
        ]
    )
