"""What a catalogue adds up to: over SQL, by the API and on the command line the same."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from tests.support.application import program
from weighbridge.cli.main import app
from weighbridge.domain.totals import NOT_STATED, CatalogueTotals, TotalBy
from weighbridge.service.imports import import_file
from weighbridge.service.results import iterate_results
from weighbridge.service.views.totals import catalogue_totals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.export.base import ResultRow

pytestmark = pytest.mark.anyio

CATALOGUE = """code,name,description,weight,country of origin,quantity,supplier,supplier pcf,supplier pcf boundary
A,Steel bottle,A bottle of stainless steel,0.32,CN,1000,Acme,,
B,Laptop 14 inch,A laptop computer with 16 GB memory,1.4,TW,2,Acme,,
C,Sofa,A sofa of wood foam and polyester,58,PL,,Bolt,,
D,Smartphone,A smartphone with 128 GB,0.17,,0,,,
E,Running shoe,A pair of running shoes,0.6,VN,2.5,Bolt,9.5,cradle-to-gate
"""
PRODUCTS = 5


async def _weighed(running: RunningProgram, folder: Path) -> list[ResultRow]:
    path = folder / "catalogue.csv"
    path.write_text(CATALOGUE, encoding="utf-8")
    await import_file(running.app.database, path)
    await running.start()
    await running.until(completed=PRODUCTS)
    await running.add({"code": "LOST", "status": "failed", "error": "No usable answer."})
    app = running.app
    batches = iterate_results(app.database, app.taxonomy, app.questions.steps)
    return [row async for rows in batches for row in rows if row.emissions_kg_co2e is not None]


async def _totals(running: RunningProgram) -> CatalogueTotals:
    return await catalogue_totals(running.app.database, running.app.factors)


def _by(rows: list[ResultRow], by: TotalBy) -> dict[str, float]:
    """What the groups should be, added up from the exported rows."""
    found: dict[str, float] = {}
    for row in rows:
        keys = {
            TotalBy.CATEGORY: row.answered["category"],
            TotalBy.SUPPLIER: row.facts.supplier or NOT_STATED,
            TotalBy.COUNTRY: row.country_of_origin or NOT_STATED,
        }
        found[keys[by]] = found.get(keys[by], 0.0) + (row.total_kg_co2e or 0.0)
    return found


async def test_every_grouping_adds_up_to_the_figures_times_quantities(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        rows = await _weighed(running, tmp_path)
        totals = await _totals(running)
    total = sum(row.total_kg_co2e or 0 for row in rows)
    assert totals.total_kg_co2e == pytest.approx(total, rel=1e-12)
    for by in TotalBy:
        groups = totals.groups[by]
        assert sum(one.total_kg_co2e for one in groups) == pytest.approx(total, rel=1e-9)
        assert sum(one.share or 0 for one in groups) == pytest.approx(1, rel=1e-9)
        ranked = [one.total_kg_co2e for one in groups]
        assert ranked == sorted(ranked, reverse=True)
        if by is not TotalBy.MATERIAL:
            by_name = {one.name: one.total_kg_co2e for one in groups}
            assert by_name == pytest.approx(_by(rows, by), rel=1e-9)
    assert {one.name for one in totals.groups[TotalBy.SUPPLIER]} == {"Acme", "Bolt", NOT_STATED}


async def test_what_is_missing_or_counted_as_one_is_said(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _weighed(running, tmp_path)
        await running.add({"code": "LATER"})
        totals = await _totals(running)
    assert (totals.products, totals.completed, totals.failed) == (7, PRODUCTS, 1)
    assert (totals.waiting, totals.without_quantity, totals.simulated) == (1, 1, PRODUCTS)
    assert [(one.code, one.error) for one in totals.missing] == [("LOST", "No usable answer.")]


async def test_products_are_ranked_by_total_and_to_be_checked_by_range_times_quantity(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        rows = {row.code: row for row in await _weighed(running, tmp_path)}
        totals = await _totals(running)
    assert totals.hotspots[-1].code == "D"  # none is sold
    for ranked in totals.check_first:
        row = rows[ranked.code]
        quantity = 1.0 if row.facts.quantity is None else row.facts.quantity
        width = (row.high_kg_co2e or 0) - (row.low_kg_co2e or 0)
        assert ranked.range_kg_co2e == pytest.approx(width * quantity, rel=1e-9)
    widths = [one.range_kg_co2e for one in totals.check_first]
    assert widths == sorted(widths, reverse=True)


async def test_an_empty_catalogue_adds_up_to_nothing(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        totals = await _totals(running)
    assert (totals.products, totals.total_kg_co2e, totals.hotspots) == (0, 0, ())
    assert not any(totals.groups.values())


async def test_the_api_gives_the_same_totals_and_refuses_other_groupings(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _weighed(running, tmp_path)
        totals = await _totals(running)
    async with api_client(database_url, tmp_path) as client:
        answer = await client.get("/api/products/totals?by=supplier&limit=2")
        refused = await client.http.get("/api/products/totals?by=colour")
    assert answer["totalKgCo2e"] == pytest.approx(totals.total_kg_co2e, rel=1e-12)
    assert [one["name"] for one in answer["groups"]] == [
        one.name for one in totals.groups[TotalBy.SUPPLIER][:2]
    ]
    assert (answer["groupsLeftOut"], answer["withoutQuantity"]) == (1, 1)
    assert refused.status_code == 422


async def test_the_command_shows_totals_what_is_missing_and_that_they_are_simulated(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _weighed(running, tmp_path)
        totals = await _totals(running)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    by_country = ["totals", "--by", "country"]
    shown = await asyncio.to_thread(CliRunner().invoke, app, by_country)
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    for words in (
        "1 without a quantity, counted as one piece each",
        "Missing from the total: 1 failed product (LOST).",
        "5 products: SIMULATED",
        "Check first",
        NOT_STATED,
    ):
        assert words in told
    as_json = await asyncio.to_thread(CliRunner().invoke, app, [*by_country, "--json"])
    document = json.loads(as_json.stdout)
    assert document["totalKgCo2e"] == pytest.approx(totals.total_kg_co2e, rel=1e-12)
