"""The workbook as LibreOffice reads and calculates it: figures are the sums of their contributions,
the Summary is the sum of the products, and codes are what they were.

Takes some seconds, because a real spreadsheet program does the arithmetic.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.application import program
from tests.support.libreoffice import saved_as, sheets_as_csv, with_formulas
from tests.support.review_workbooks import edited
from weighbridge.domain.corrections import read_change
from weighbridge.domain.results import RouteName
from weighbridge.service.desk.correcting import Request, correct
from weighbridge.service.desk.reviewing import Filter, import_review, write_for_review
from weighbridge.service.imports import import_file
from weighbridge.service.results import export_results
from weighbridge.service.views.totals import catalogue_totals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.review_workbooks import Sheets

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

ORDINARY = ("BOTTLE-1", "LAPTOP-1", "SHIRT-1", "SHIRT-2", "SOFA-1", "PHONE-1", "SHOE-1")
PUZZLING = ("-7", "=1+1", "00123", "123", "1E5", "100000", "A*", "AB", "TRUE", ">0", "@home")
"""Codes that a spreadsheet would take for something else."""
CATALOGUE = """code,name,description,weight,country of origin,quantity,supplier pcf,supplier pcf boundary
BOTTLE-1,Steel bottle,A drinking bottle of stainless steel,0.32,CN,1200,,
LAPTOP-1,Laptop 14 inch,A laptop computer with 16 GB memory,1.4,TW,35,,
SHIRT-1,T-shirt M,A T-shirt of cotton,0.16,BD,5000,,
SHIRT-2,T-shirt L,A T-shirt of cotton,0.17,BD,4000,,
SOFA-1,Sofa,A sofa of wood foam and polyester,58,PL,,,
PHONE-1,Smartphone,A smartphone with 128 GB,0.17,CN,0,,
SHOE-1,Running shoe,A pair of running shoes,0.6,VN,2.5,9.5,cradle-to-gate
"""


async def _workbook(database_url: str, folder: Path) -> tuple[Path, dict[str, float], float]:
    """The workbook, the figure of each product in JSONL, and the total of the service."""
    catalogue = folder / "catalogue.csv"
    odd = "".join(
        f'"{code}",Steel bottle {n},A drinking bottle of steel number {n},0.3,DE,{n},,\n'
        for n, code in enumerate(PUZZLING, start=1)
    )
    catalogue.write_text(CATALOGUE + odd, encoding="utf-8")
    async with program(database_url, folder / "data") as running:
        await import_file(running.app.database, catalogue)
        await running.start()
        await running.until(completed=len(ORDINARY) + len(PUZZLING))
        await running.add({"code": "LOST-1", "status": "failed", "error": "No answer was usable."})
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        mass = read_change("bill_of_materials.mass_kg", 0.4)
        await correct(*tools, ["BOTTLE-1"], Request((mass,), "ana", "weighed"))
        paths = [(name, folder / f"results.{name}") for name in ("xlsx", "jsonl")]
        await export_results(app.database, app.taxonomy, app.factors, app.questions.steps, paths)
        totals = await catalogue_totals(app.database, app.factors)
    lines = map(json.loads, (folder / "results.jsonl").read_text("utf-8").splitlines())
    figures = {
        one["code"]: one["footprint"]["emissionsKgCo2e"] for one in lines if one["footprint"]
    }
    return folder / "results.xlsx", figures, totals.total_kg_co2e


async def test_figures_are_the_sums_of_their_contributions_and_the_summary_of_the_products(
    database_url: str, tmp_path: Path
) -> None:
    workbook, figures, total = await _workbook(database_url, tmp_path)
    products = len(figures)
    codes, counted = "Contributions!A$2:A$999", "Contributions!C$2:C$999"
    checked = with_formulas(
        workbook,
        tmp_path / "checked.xlsx",
        "Check",
        [
            (
                f"Products!A{row}",
                f"Products!F{row}",
                f"SUMIF({codes},Products!A{row},{counted})",
                f"SUMPRODUCT(EXACT({codes},Products!A{row})*{counted})",
                f"SUM(Products!J2:J{products + 2})",
                "SUM(Materials!D2:D999)",
                "Summary!B5",
            )
            for row in range(2, products + 2)
        ],
    )
    sheets = sheets_as_csv(checked, tmp_path)
    assert {row[5] for row in sheets["Contributions"][1:]} == set(RouteName)
    header = sheets["Products"][0]
    assert (header[0], header[5], header[9]) == ("code", "emissions_kg_co2e", "total_kg_co2e")
    assert {row[0] for row in sheets["Products"][1:]} == {*ORDINARY, *PUZZLING, "LOST-1"}
    for code, figure, by_sumif, exactly, of_products, of_materials, of_summary in sheets["Check"]:
        assert float(figure) == pytest.approx(figures.pop(code), rel=1e-12)
        assert float(exactly) == pytest.approx(float(figure), rel=1e-9)
        if code in ORDINARY:
            assert float(by_sumif) == pytest.approx(float(figure), rel=1e-9)
        for sum_of in (of_products, of_materials, of_summary):
            assert float(sum_of) == pytest.approx(total, rel=1e-9)
    assert not figures
    summary = {row[0].strip(): row[1:3] for row in sheets["Summary"] if row[0]}
    assert summary["failed"] == ["1", "MISSING from the total"]
    assert summary["Without a quantity"][0] == "1"
    assert any(text.startswith("SIMULATED") for text in summary)
    assert ["LOST-1", "Steel bottle", "failed", "No answer was usable."] in sheets["Notes"]


async def test_a_review_workbook_that_libreoffice_saved_changes_what_was_changed(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][1][sheets["Products"][0].index("mass_kg")] = 0.5
        lines = sheets["Lines"]
        lines[1][lines[0].index("component")] = "the whole body"

    async with program(database_url, tmp_path / "data") as running:
        await running.add_many(3, weight_kg=0.3, country_of_origin="DE")
        await running.start()
        await running.until(completed=3)
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        path = tmp_path / "review.xlsx"
        await write_for_review(app.database, app.questions.steps, path, Filter())
        folders = [tmp_path / name for name in ("unchanged", "ods", "back", "changed")]
        for folder in folders:
            folder.mkdir()
        unchanged = saved_as(path, folders[0], "xlsx")
        back = saved_as(saved_as(path, folders[1], "ods"), folders[2], "xlsx")
        for saved in (unchanged, back):
            assert await import_review(*tools, saved, "ana", "") == ([], [])
        changed = saved_as(edited(path, edit), folders[3], "xlsx")
        figures = (await import_review(*tools, changed, "ana", "")).figures
        assert {one.code for one in figures} == {"P-001"}
        targets = await running.fetch("SELECT step, path FROM corrections ORDER BY step, path")
        assert [(row["step"], *row["path"]) for row in targets] == [
            ("bill_of_materials", "lines", "1", "component"),
            ("bill_of_materials", "mass_kg"),
        ]
