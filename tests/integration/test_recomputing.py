"""Old answers weighed again: what moved, by how much and why; no call is made."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from tests.support.application import program
from weighbridge.application import load_factors
from weighbridge.carbon.factors import FactorTable
from weighbridge.cli.main import app as command_line
from weighbridge.domain.corrections import read_change
from weighbridge.errors import NotFound
from weighbridge.service.access.audit import audit_page
from weighbridge.service.desk.correcting import Request, correct
from weighbridge.service.desk.recomputing import (
    CORRECTION,
    RecomputedProduct,
    RecomputeSummary,
    completed_ids,
    recompute,
)
from weighbridge.service.product_views import show_product
from weighbridge.service.views.listing import Filter, Order, approve, list_page
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio


async def _completed(running: RunningProgram) -> None:
    await running.add_many(3, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=3)


async def _recompute(
    running: RunningProgram,
    factors: FactorTable | None = None,
    codes: Sequence[str] | None = None,
    *,
    dry_run: bool = False,
) -> list[RecomputedProduct]:
    app = running.app
    ids = await completed_ids(app.database, codes)
    tools = (app.database, factors or app.factors, app.questions.steps)
    return [one async for done in recompute(*tools, ids, dry_run=dry_run) for one in done]


def _dearer(factors: FactorTable) -> FactorTable:
    """Every material costs the climate twice as much."""
    materials = []
    for material in factors.materials.values():
        was = material.kg_co2e_per_kg
        twice = replace(was, value=2 * was.value, low=2 * was.low, high=2 * was.high)
        materials.append(replace(material, kg_co2e_per_kg=twice))
    return FactorTable.of(
        "dearer",
        materials,
        factors.processes.values(),
        factors.electricity.values(),
        factors.heat,
        factors.components.values(),
        (reference for kind in factors.references.values() for reference in kind),
    )


async def _stored(running: RunningProgram) -> list[tuple[object, ...]]:
    rows = await running.fetch("SELECT * FROM footprints ORDER BY product_id")
    return [tuple(row) for row in rows]


async def test_nothing_moves_and_nothing_is_written_where_nothing_is_new(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct_mass(running, ["P-002"])
        before = await _stored(running)
        done = await _recompute(running)
        assert [(one.code, one.has_moved, one.causes) for one in done] == [
            (code, False, ()) for code in ("P-001", "P-002", "P-003")
        ]
        assert await _stored(running) == before


async def _correct_mass(running: RunningProgram, codes: Sequence[str]) -> None:
    change = read_change("bill_of_materials.mass_kg", 0.6)
    tools = (running.app.database, running.app.factors, running.app.questions.steps)
    await correct(*tools, codes, Request((change,), "ana", "weighed"))


async def test_other_factors_move_figures_without_a_call_and_say_so(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        calls = await running.value("SELECT count(*) FROM calls")
        received = running.simulator.books.received
        dearer = _dearer(running.app.factors)
        stored = await _stored(running)
        would = await _recompute(running, dearer, dry_run=True)
        assert await _stored(running) == stored
        assert await approve(running.app.database, Filter(codes=("P-001",)), "ana") == 1
        done = await _recompute(running, dearer)
        assert done == would
        assert all(one.change > 0.2 for one in done)
        assert {len(one.causes) for one in done} == {1}
        assert done[0].causes[0].startswith("factors weighbridge-")
        assert dearer.version in done[0].causes[0]
        assert await running.value("SELECT count(*) FROM calls") == calls
        assert running.simulator.books.received == received
        unchecked = await list_page(running.app.database, Filter(unchecked=True), Order.UPLOADED)
        assert len(unchecked.rows) == 3
        back = await _recompute(running, codes=["P-001"])
        assert [one.after_kg_co2e for one in back] == [done[0].before_kg_co2e]
        await running.assert_sound()


async def test_own_factors_count_in_every_trace_and_recompute_says_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        material = await running.value(
            "SELECT detail #>> '{answers,bill_of_materials,lines,0,material}' FROM footprints "
            "LIMIT 1"
        )
        file = tmp_path / "ours.csv"
        file.write_text(
            "kind,key,value,low,high,unit,source,source_id,year,region,licence\n"
            f"material,{material},50,40,60,kg CO2e/kg,Our mill,EPD 7,2025,DE,ours\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("WEIGHBRIDGE_FACTORS", str(file))
        done = await _recompute(running, load_factors(load_settings()))
        assert all(one.change > 1 for one in done)
        assert "weighbridge-2026.11 + ours.csv" in done[0].causes[0]
        shown = await show_product(running.app.database, running.app.questions.steps, "P-001")
        assert shown.footprint is not None
        sources = {one.source for one in shown.footprint.footprint.contributions}
        assert "Our mill" in sources
        assert "+ ours.csv" in shown.footprint.provenance.factors


async def test_an_answer_that_cannot_be_read_leaves_its_figure_and_is_named(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await running.fetch(
            "UPDATE footprints SET detail = jsonb_set(detail, '{answers,classification}', '{}')"
            " WHERE product_id = (SELECT id FROM products WHERE code = 'P-002')"
        )
        stored = await _stored(running)
        done = await _recompute(running)
        assert [one.after_kg_co2e is None for one in done] == [False, True, False]
        assert done[1].problem.startswith("P-002: its stored answers can no longer be read.")
        assert await _stored(running) == stored
        summary = RecomputeSummary()
        summary.add(done)
        assert (summary.products, summary.without_figure) == (3, 1)
        with pytest.raises(NotFound, match="Not found, or not completed: X-1"):
            await _recompute(running, codes=["P-001", "X-1"])


async def test_recompute_over_http_and_on_the_command_line(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await running.fetch(  # as a program without corrections left it
            "INSERT INTO corrections (product_id, step, path, value, before, after, made_by, "
            "reason)"
            " SELECT id, 'bill_of_materials', '{mass_kg}', '0.6', '0.3', '0.6', 'ana', ''"
            " FROM products WHERE code = 'P-002'"
        )
    async with api_client(database_url, tmp_path) as client:
        path = "/api/products/recompute"
        tried = await client.http.post(path, json={"dryRun": True})
        assert (tried.json()["moved"], tried.json()["causes"]) == (1, {CORRECTION: 1})
        none = await client.http.post(path, json={"codes": ["P-001"]})
        assert (none.json()["products"], none.json()["moved"]) == (1, 0)
        assert (await client.http.post(path, json={"codes": ["X"]})).status_code == 404
        entry = (await audit_page(client.context.database, limit=1))[0]
        assert (entry.action, entry.detail["products"]) == ("recomputed footprints", 1)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    file = tmp_path / "changes.csv"
    # The command runs an event loop of its own.
    result = await asyncio.to_thread(
        CliRunner().invoke, command_line, ["recompute", "--json", "--changes", str(file)]
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["largest"][0]["code"] == "P-002"
    assert summary["afterKgCo2e"] > summary["beforeKgCo2e"]
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("P-002,")
