"""The workbook: text that stays text, sheets that go on, and an About sheet that does not hide the
simulator.
"""

from __future__ import annotations

import dataclasses
import re
import zipfile
from typing import TYPE_CHECKING

import polars as pl

from tests.unit.export.result_rows import COLUMNS, FIELDS, batches, completed
from weighbridge.export.columns import SIMULATED_WARNING
from weighbridge.export.xlsx_writer import XlsxWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from weighbridge.export.base import ResultRow


def written(path: Path, rows: Iterable[Sequence[ResultRow]], **options: int) -> Path:
    """Write these batches."""
    with XlsxWriter(path, FIELDS, **options) as writer:
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
    table = pl.read_excel(path, sheet_name="Results")
    assert table.columns == [column.name for column in COLUMNS]
    assert table["emissions_kg_co2e"].to_list() == [12.35]
    assert table["completed_at"].to_list() == [completed().completed_at.replace(tzinfo=None)]  # type: ignore[union-attr]


def test_no_cell_is_ever_a_formula_or_a_link(tmp_path: Path) -> None:
    hostile = [
        completed("=1+1", '=HYPERLINK("http://evil.example")'),
        completed("http://evil.example", "mailto:a@evil.example"),
        completed("{=1}", "internal:Results!A1"),
    ]
    path = written(tmp_path / "results.xlsx", [hostile])
    sheet = part(path, "xl/worksheets/sheet1.xml")
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    codes = pl.read_excel(path, sheet_name="Results")["code"].to_list()
    assert codes == ["'=1+1", "http://evil.example", "{=1}"]


def test_codes_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed("00123"), completed("1E5")]])
    assert pl.read_excel(path, sheet_name="Results")["code"].to_list() == ["00123", "1E5"]


def test_text_that_looks_like_an_excel_escape_round_trips(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed("_x0041_", " spaced ")]])
    row = pl.read_excel(path, sheet_name="Results").row(0, named=True)
    assert (row["code"], row["name"]) == ("_x0041_", " spaced ")


def test_text_is_truncated_to_excels_limit(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", [[completed("A", "x" * 40_000)]])
    assert pl.read_excel(path, sheet_name="Results")["name"][0] == "x" * 32_767


def test_the_header_is_frozen_bold_and_filtered(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", batches(20, 7))
    sheet = part(path, "xl/worksheets/sheet1.xml")
    assert re.search(r'<pane [^>]*ySplit="1"[^>]*state="frozen"', sheet)
    assert '<autoFilter ref="A1:AN21"/>' in sheet
    assert "<b/>" in part(path, "xl/styles.xml")


def test_a_long_catalogue_continues_on_more_sheets(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", batches(25, 7), rows_per_sheet=10)
    sheets = pl.read_excel(path, sheet_id=0)
    assert list(sheets) == ["Results", "About", "Results 2", "Results 3"]
    assert [sheets[name].height for name in ("Results", "Results 2", "Results 3")] == [10, 10, 5]
    codes = [
        code for name in ("Results", "Results 2", "Results 3") for code in sheets[name]["code"]
    ]
    assert codes == [f"P-{number:07}" for number in range(25)]


def test_a_catalogue_that_fills_a_sheet_exactly_needs_no_second(tmp_path: Path) -> None:
    path = written(tmp_path / "results.xlsx", batches(10, 5), rows_per_sheet=10)
    assert list(pl.read_excel(path, sheet_id=0)) == ["Results", "About"]


def test_the_about_sheet_explains_columns_boundary_and_sources(tmp_path: Path) -> None:
    about = about_text(written(tmp_path / "results.xlsx", [[completed()]]))
    for column in COLUMNS:
        assert f"{column.name} | {column.unit} | {column.meaning}" in about
    for words in ("cradle-to-gate", "GWP100", "DEFRA 2024 | OGL v3", "weighbridge-factors 2026.11"):
        assert words in about


def test_one_simulated_product_is_enough_for_the_simulated_notice(tmp_path: Path) -> None:
    rows = [completed("A", simulated=False), completed("B", simulated=True)]
    assert SIMULATED_WARNING in about_text(written(tmp_path / "results.xlsx", [rows]))


def test_results_of_a_real_model_are_not_labelled_simulated(tmp_path: Path) -> None:
    rows = [completed("A", simulated=False)]
    assert "SIMULATED" not in about_text(written(tmp_path / "results.xlsx", [rows]))


def test_only_one_row_is_held_in_memory(tmp_path: Path) -> None:
    writer = XlsxWriter(tmp_path / "results.xlsx", FIELDS)
    for batch in batches(300, 100):
        writer.write(batch)
    assert len(writer._sheet.table) <= 2
    assert writer._book.str_table.count == 0
    writer.close()


def test_a_hostile_source_name_is_neutralised_on_the_about_sheet(tmp_path: Path) -> None:
    hostile = completed().contributions[0]._replace(source="=1+1")
    row = dataclasses.replace(completed(), contributions=(hostile,), shares=(1.0,))
    assert "'=1+1 | OGL v3" in about_text(written(tmp_path / "results.xlsx", [[row]]))
