"""The workbook: text that stays text, sheets that go on, and an About sheet that does not hide the
simulator.
"""

from __future__ import annotations

import dataclasses
import re
import zipfile
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.unit.export.result_rows import COLUMNS, FIELDS, batches, completed, failed
from weighbridge.domain.totals import CatalogueTotals, GroupTotal, TotalBy
from weighbridge.export.columns import SIMULATED_WARNING
from weighbridge.export.workbook.contributions import CONTRIBUTIONS, NOTES
from weighbridge.export.workbook.products import product_columns, sheet_column
from weighbridge.export.workbook.sheets import ROWS_PER_SHEET, emissions_format
from weighbridge.export.workbook.writer import WorkbookWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from weighbridge.export.base import ResultRow


TOTALS = CatalogueTotals(
    products=1,
    completed=1,
    failed=0,
    waiting=0,
    without_quantity=0,
    mass_inferred=0,
    simulated=0,
    recorded=0,
    total_kg_co2e=12.0,
    low_kg_co2e=6.0,
    high_kg_co2e=24.0,
    groups={by: (GroupTotal("a name", 1, 12.0),) for by in TotalBy},
    hotspots=(),
    check_first=(),
    missing=(),
)


def written(
    path: Path,
    rows: Iterable[Sequence[ResultRow]],
    totals: CatalogueTotals | None = None,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> Path:
    """Write these batches."""
    with WorkbookWriter(path, FIELDS, totals, rows_per_sheet) as writer:
        for batch in rows:
            writer.write(batch)
    return path


def part(path: Path, name: str) -> str:
    """One XML part of the workbook."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode("utf-8")


def about_text(path: Path) -> str:
    """All words of the About sheet."""
    table = pl.read_excel(path, sheet_name="About", has_header=False, infer_schema_length=0)
    return "\n".join(" | ".join(cell or "" for cell in row) for row in table.rows())


def test_numbers_are_numbers_and_times_are_times(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed()]])
    table = pl.read_excel(path, sheet_name="Products")
    assert sorted(table.columns) == sorted(column.name for column in COLUMNS)
    assert table["emissions_kg_co2e"].to_list() == [12.345678]
    assert table["completed_at"].to_list() == [completed().completed_at.replace(tzinfo=None)]  # type: ignore[union-attr]


def test_no_cell_is_ever_a_formula_or_a_link(tmp_path: Path) -> None:
    hostile = [
        completed("=1+1", '=HYPERLINK("http://evil.example")'),
        completed("http://evil.example", "mailto:a@evil.example"),
        completed("{=1}", "internal:Products!A1"),
    ]
    path = written(tmp_path / "results.xlsx", [hostile])
    sheet = part(path, "xl/worksheets/sheet1.xml")
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    codes = pl.read_excel(path, sheet_name="Products")["code"].to_list()
    assert codes == ["=1+1", "http://evil.example", "{=1}"]


def test_codes_that_look_like_numbers_or_formulas_stay_text_on_every_sheet(tmp_path: Path) -> None:
    codes = ["00123", "1E5", "-7", "+7", "=1+1", "@x", "1/2", "TRUE", "'7", " 7", "1,5", "#N/A"]
    path = written(tmp_path / "results.xlsx", [[completed(code) for code in codes]])
    sheets = pl.read_excel(path, sheet_id=0)
    assert sheets["Products"]["code"].to_list() == codes
    assert list(dict.fromkeys(sheets["Contributions"]["code"])) == codes
    assert list(dict.fromkeys(sheets["Notes"]["code"])) == codes


def test_text_like_a_formula_stays_text_when_somebody_edits_it(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed("=1+1")]])
    assert 'quotePrefix="1"' in part(path, "xl/styles.xml")


@pytest.mark.parametrize(
    ("kg", "shown"),
    [
        (0.0, '0" kg"'),
        (0.0000123, '0.0E+00" kg"'),
        (0.00123, '0.0000" kg"'),
        (0.0996, '0.00" kg"'),
        (1.26, '0.0" kg"'),
        (9.96, '#,##0" kg"'),
        (45.2, '#,##0" kg"'),
        (99.6, '0.00," t"'),
        (447.0, '0.00," t"'),
        (1234.0, '0.0," t"'),
        (45_600.0, '#,##0," t"'),
        (447_000.0, '0.00,," kt"'),
        (-12.3, '#,##0" kg"'),
    ],
)
def test_figures_show_two_significant_digits(kg: float, shown: str) -> None:
    assert emissions_format(kg) == shown


def test_text_that_looks_like_an_excel_escape_round_trips(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed("_x0041_", " spaced ")]])
    row = pl.read_excel(path, sheet_name="Products").row(0, named=True)
    assert (row["code"], row["name"]) == ("_x0041_", " spaced ")


def test_text_is_truncated_to_excels_limit(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed("A", "x" * 40_000)]])
    assert pl.read_excel(path, sheet_name="Products")["name"][0] == "x" * 32_767


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_table_is_frozen_filtered_and_prints_to_the_width_of_a_page(
    number: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "results.xlsx", batches(20, 7))
    sheet = part(path, f"xl/worksheets/sheet{number}.xml")
    assert re.search(r'<pane [^>]*ySplit="1"[^>]*state="frozen"', sheet)
    assert re.search(r'<autoFilter ref="A1:[A-Z]+\d+"/>', sheet)
    assert re.search(r'<pageSetup [^>]*orientation="landscape"', sheet)
    assert '<pageSetUpPr fitToPage="1"/>' in sheet
    names = part(path, "xl/workbook.xml")
    assert names.count("_xlnm.Print_Titles") == names.count("_xlnm.Print_Area") == 3


def test_a_long_catalogue_continues_on_more_sheets(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", batches(25, 7), rows_per_sheet=10)
    sheets = pl.read_excel(path, sheet_id=0)
    assert list(sheets)[:4] == ["Products", "Contributions", "Notes", "About"]
    names = ("Products", "Products 2", "Products 3")
    assert [sheets[name].height for name in names] == [10, 10, 5]
    codes = [code for name in names for code in sheets[name]["code"]]
    assert codes == [f"P-{number:07}" for number in range(25)]


def test_the_contributions_of_a_product_stand_on_one_sheet(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", batches(6, 2), rows_per_sheet=12)
    sheets = pl.read_excel(path, sheet_id=0)
    found = [sheets[name] for name in sheets if name.startswith("Contributions")]
    assert [sheet.height for sheet in found] == [10, 10, 10]  # of five each
    assert [sheet["code"].n_unique() for sheet in found] == [2, 2, 2]


def test_a_catalogue_that_fills_a_sheet_exactly_needs_no_second(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", batches(10, 5), rows_per_sheet=50)
    assert list(pl.read_excel(path, sheet_id=0)) == ["Products", "Contributions", "Notes", "About"]


def test_what_counts_of_each_contribution_adds_up_to_the_figure(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed()]])
    found = pl.read_excel(path, sheet_name="Contributions")["counted_kg_co2e"].sum()
    assert found == pytest.approx(12.345678, rel=1e-12)


def test_notes_say_why_a_product_failed_and_everything_about_a_figure(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed(), failed()]])
    notes = pl.read_excel(path, sheet_name="Notes").rows()
    assert ("CHAIR-1", "Chair", "figure", "One proxy factor") in notes
    assert ("LAMP-1", "Lamp", "failed", failed().error) in notes
    table = pl.read_excel(path, sheet_name="Products")
    assert table["notes"].to_list() == ["One proxy factor", failed().error]


def test_the_about_sheet_explains_columns_boundary_and_sources(tmp_path: Path) -> None:
    about = about_text(written(tmp_path / "results.xlsx", [[completed()]]))
    for column in COLUMNS:
        if column.name != "notes":
            assert f"{column.name} | {column.unit} | {column.meaning}" in about
    for named, unit, meaning in CONTRIBUTIONS:
        assert f"{named.name} | {unit} | {meaning}" in about
    for words in ("cradle-to-gate", "GWP100", "DEFRA 2024 | OGL v3", "weighbridge-factors 2026.11"):
        assert words in about


def test_one_simulated_product_is_enough_for_the_simulated_notice(tmp_path: Path) -> None:
    rows = [completed("A", simulated=False), completed("B", simulated=True)]
    assert SIMULATED_WARNING in about_text(written(tmp_path / "results.xlsx", [rows]))


def test_results_of_a_real_model_are_not_labelled_simulated(tmp_path: Path) -> None:
    rows = [completed("A", simulated=False)]
    assert "SIMULATED" not in about_text(written(tmp_path / "results.xlsx", [rows]))


def test_only_one_row_is_held_in_memory(tmp_path: Path) -> None:
    writer = WorkbookWriter(tmp_path / "results.xlsx", FIELDS)
    for batch in batches(300, 100):
        writer.write(batch)
    assert all(len(sheet.table) <= 2 for sheet in writer._book.worksheets())
    assert writer._book.str_table.count == 0
    writer.close()


def test_a_hostile_source_name_stays_text_on_the_about_sheet(tmp_path: Path) -> None:
    hostile = completed().contributions[0]._replace(source="=1+1")
    row = dataclasses.replace(
        completed(), contributions=(hostile,), shares=(1.0,), counted_kg_co2e=(1.0,)
    )
    assert "=1+1 | OGL v3" in about_text(written(tmp_path / "results.xlsx", [[row]]))


def test_every_indented_cell_says_on_which_side(tmp_path: Path) -> None:
    styles = part(written(tmp_path / "a.xlsx", [[completed("A")]], TOTALS), "xl/styles.xml")
    alignments = re.findall(r"<alignment[^>]*>", styles)
    indented = [one for one in alignments if "indent=" in one]
    assert indented
    # Spreadsheets pass over an indent without a side: text then touches the number before it.
    assert [one for one in indented if "horizontal=" not in one] == []


def test_every_bar_of_a_chart_has_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", [[completed("A")]], TOTALS)
    with zipfile.ZipFile(path) as book:
        charts = [name for name in book.namelist() if name.startswith("xl/charts/chart")]
    assert charts
    for name in charts:
        assert '<c:tickLblSkip val="1"/>' in part(path, name)


_CELL = re.compile(r'<c r="([A-Z]+)(\d+)" s="(\d+)"( t="(?:s|inlineStr)")?')
_LINE_POINTS = 15


def printed_cells(path: Path, sheet: str) -> Iterator[tuple[str, str, bool, float]]:
    """(column, text, whether it is wrapped, height of the row in lines) of each printed text."""
    number = re.findall(r'<sheet name="([^"]+)"', part(path, "xl/workbook.xml")).index(sheet) + 1
    found = part(path, f"xl/worksheets/sheet{number}.xml")
    formats = part(path, "xl/styles.xml").split("<cellXfs")[1].split("</cellXfs>")[0]
    wraps = ['wrapText="1"' in one for one in formats.split("<xf ")[1:]]
    heights = {
        row: float(height.group(1)) / _LINE_POINTS
        if (height := re.search(r' ht="([\d.]+)"', head))
        else 1.0
        for row, head in re.findall(r'<row r="(\d+)"([^>]*)>', found)
    }
    table = pl.read_excel(path, sheet_name=sheet, infer_schema_length=0)
    area = re.search(rf"Print_Area[^>]*>{sheet}!\$A\$1:\$([A-Z]+)\$", part(path, "xl/workbook.xml"))
    assert area
    printed = sum((ord(one) - 64) * 26**at for at, one in enumerate(reversed(area[1])))
    for letters, row, style, is_text in _CELL.findall(found):
        place = sum((ord(one) - 64) * 26**at for at, one in enumerate(reversed(letters))) - 1
        if is_text and row != "1" and place < printed:
            text = table[table.columns[place]][int(row) - 2]
            yield table.columns[place], text, wraps[int(style)], heights[row]


@pytest.mark.parametrize("sheet", ["Products", "Contributions", "Notes"])
def test_long_texts_are_printed_whole(tmp_path: Path, sheet: str) -> None:
    row = completed("AN-UNUSUALLY-LONG-CODE-" * 3, "A chair with a name that is long. " * 5)
    long = tuple(
        one._replace(
            label=f"{one.label}, made in a very roundabout way " * 3,
            source="Published by a ministry " * 6,
        )
        for one in row.contributions
    )
    row = dataclasses.replace(row, contributions=long, notes=("what to know, said at length " * 9,))
    path = written(tmp_path / "results.xlsx", [[row, completed("SHORT-1")]], TOTALS)
    widths = {one.name: one.width for one, _, _ in CONTRIBUTIONS} | {
        one.name: one.width for one in NOTES
    }
    if sheet == "Products":
        widths = {one.name: sheet_column(one).width for one in product_columns(FIELDS)}
    seen = list(printed_cells(path, sheet))
    assert any(len(text) > widths[name] for name, text, _, _ in seen)
    for name, text, is_wrapped, lines in seen:
        assert is_wrapped, name
        assert lines >= min(len(text) / widths[name], 12), name
