"""Two exports are compared in every format, with the reasons that the files state."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter

from tests.unit.export.result_rows import FIELDS, completed, failed
from weighbridge.errors import UnreadableFile
from weighbridge.export import open_writer
from weighbridge.service.desk.exported_figures import UNSTATED, compare_exports, read_export

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.export.base import ResultRow
    from weighbridge.service.desk.movements import Movements

FORMATS = ("csv", "xlsx", "jsonl", "parquet")
A, B = completed("A"), completed("B")


def _compare(
    folder: Path, before: list[ResultRow], after: list[ResultRow], first: str, second: str
) -> Movements:
    paths = []
    for name, file_format, rows in (("before", first, before), ("after", second, after)):
        path = folder / f"{name}.{file_format}"
        with open_writer(file_format, path, FIELDS) as writer:
            writer.write(rows)
        paths.append(path)
    return compare_exports(*map(read_export, paths))


def _half(row: ResultRow, **changes: Any) -> ResultRow:
    return replace(row, emissions_kg_co2e=(row.emissions_kg_co2e or 0) / 2, **changes)


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
def test_what_moved_is_found_whatever_the_formats(tmp_path: Path, first: str, second: str) -> None:
    noted = "corrected: bill_of_materials.mass_kg from 1 to 2 by ana on 2026-11-01"
    after = [_half(A, notes=(*A.notes, noted)), B, completed("NEW")]
    moved = _compare(tmp_path, [A, B, completed("OLD"), failed("F")], after, first, second)
    (one,) = moved.moved
    assert (one.code, one.causes) == ("A", ("a correction",))
    assert one.change == pytest.approx(-0.5, abs=1e-3)
    assert (moved.products, moved.added, moved.gone) == (2, ["NEW"], ["OLD"])
    document = moved.as_document()
    assert document["causes"][0]["movedKgCo2e"] == pytest.approx(one.moved_kg_co2e)


@pytest.mark.parametrize("kg_co2e", [2e-5, 0.04, 3.0, 210.0, 45_600.0, 2.5e6])
def test_figures_of_any_size_are_read_from_a_workbook(tmp_path: Path, kg_co2e: float) -> None:
    before = replace(A, emissions_kg_co2e=kg_co2e)
    (one,) = _compare(tmp_path, [before], [_half(before)], "xlsx", "jsonl").moved
    assert one.before_kg_co2e == pytest.approx(kg_co2e)
    assert one.change == pytest.approx(-0.5)


def test_the_files_name_method_factors_model_and_country(tmp_path: Path) -> None:
    assert A.provenance is not None
    newer = replace(A.provenance, method="9", factors="mine 2")
    rates = tuple(one._replace(factor=one.factor * 2) for one in A.contributions)
    after = [_half(A, provenance=newer, country_of_origin="FR", contributions=rates)]
    (one,) = _compare(tmp_path, [A], after, "jsonl", "parquet").moved
    assert one.causes == (
        f"method {A.provenance.method} → 9",
        f"factors {A.provenance.factors} → mine 2",
        f"country of origin {A.country_of_origin} → FR",
    )


@pytest.mark.parametrize(("first", "second"), [("jsonl", "parquet"), ("parquet", "jsonl")])
def test_another_table_with_the_same_factors_is_no_cause(
    tmp_path: Path, first: str, second: str
) -> None:
    assert A.provenance is not None
    newer = replace(A.provenance, factors="mine 2")
    after = [_half(A, provenance=newer, mass_kg=(A.mass_kg or 0) / 2)]
    (one,) = _compare(tmp_path, [A], after, first, second).moved
    assert one.causes == ("the mass",)


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
def test_totals_are_the_figure_of_one_unit_times_the_quantity(
    tmp_path: Path, first: str, second: str
) -> None:
    sold = replace(A, facts=replace(A.facts, quantity=250.0))
    single = replace(B, facts=replace(B.facts, quantity=None))
    moved = _compare(tmp_path, [A, single], [_half(sold), single], first, second)
    unit, other = A.emissions_kg_co2e or 0.0, B.emissions_kg_co2e or 0.0
    assert moved.before_kg_co2e == pytest.approx(250 * unit + other, rel=1e-3)
    assert moved.after_kg_co2e == pytest.approx(125 * unit + other, rel=1e-3)
    (total,) = moved.causes.values()
    assert total.moved_kg_co2e == pytest.approx(-125 * unit, rel=1e-3)
    assert moved.without_quantity == 1


def test_a_move_that_the_files_do_not_explain_is_said_to_be_so(tmp_path: Path) -> None:
    (one,) = _compare(tmp_path, [A], [_half(A)], "csv", "csv").moved
    assert one.causes == (UNSTATED,)


def test_a_file_that_is_no_export_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("code", "name"), ("A", "Chair")])
    with pytest.raises(UnreadableFile, match=r"catalogue\.csv is not an export"):
        read_export(path)
    for name, content in (("a.jsonl", "{"), ("b.xlsx", "x"), ("c.parquet", "x"), ("d.txt", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(UnreadableFile, match=name):
            read_export(tmp_path / name)


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("code", ["-7", "=1+1", "@home", "+49", "a;-b", "00123"])
def test_a_code_is_the_same_in_every_format(
    tmp_path: Path, first: str, second: str, code: str
) -> None:
    moved = _compare(tmp_path, [completed(code)], [completed(code)], first, second)
    assert (moved.products, moved.added, moved.gone) == (1, [], [])


@pytest.mark.parametrize("first", FORMATS)
def test_a_correction_in_keys_is_the_same_in_words(tmp_path: Path, first: str) -> None:
    made = "by ana on 2026-11-01 (drawing 4711)"
    keys = f"corrected: bill_of_materials.lines.1.material from mdf to osb {made}"
    words = f"corrected: material of line 1 from MDF to Oriented strand board {made}"
    before, after = replace(A, notes=(keys,)), _half(A, notes=(words,))
    (one,) = _compare(tmp_path, [before], [after], first, "jsonl").moved
    assert one.causes == (UNSTATED,)


def test_a_formula_without_its_result_is_no_empty_figure(tmp_path: Path) -> None:
    path = tmp_path / "results.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Products")
        sheet.write_row(0, 0, ("code", "emissions_kg_co2e", "decided_by"))
        sheet.write_row(1, 0, ("P-1", 1.5, "bill"))
        sheet.write_formula(2, 1, "=B2*2", None, "")
    with pytest.raises(
        UnreadableFile, match=r"results.xlsx: Products!B3: the cell holds a formula without"
    ):
        read_export(path)
