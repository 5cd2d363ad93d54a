"""A step that the program has never seen is one file and one line: it is asked, stored, resumed,
exported and served.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.support.api import api_client
from tests.support.application import program
from tests.toys.packaging import KINDS, PackagingStep
from weighbridge.export import WRITERS
from weighbridge.service.results import export_results
from weighbridge.steps import STEPS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.steps.base import Step

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("ask_together", [False, True], ids=["alone", "together"])
async def test_a_new_step_is_asked_stored_resumed_exported_and_served(
    ask_together: bool, database_url: str, tmp_path: Path
) -> None:
    steps: list[type[Step[Any]]] = [*STEPS, PackagingStep]
    async with program(database_url, tmp_path, steps=steps, ask_together=ask_together) as first:
        await first.add_many(5)
        if not ask_together:
            first.wire.instead = lambda request: (
                first.wire.hold() if b'"packaging"' in request.content else None
            )
            await first.start()
            await first.wire.until_held(1)
            await first.die()
    async with program(
        database_url, tmp_path, steps=steps, simulator=first.simulator, ask_together=ask_together
    ) as running:
        await running.take_for_dead(first)
        await running.start()
        await running.until(completed=5)
        await running.stop()
        stored = await running.fetch("SELECT answer FROM answers WHERE step = 'packaging'")
        assert len(stored) == 5
        assert all(row["answer"]["kind"] in KINDS for row in stored)
        # One call for each step, and the one of packaging that was in flight at the crash.
        assert running.simulator.books.completed == (1 if ask_together else 5)
        await running.assert_sound(paid_twice=0 if ask_together else 5)

        for name, shown in (await _exported(running, tmp_path)).items():
            assert shown[0] in KINDS, name
            assert float(shown[1]) >= 0, name
    async with api_client(database_url, tmp_path, steps=steps) as client:
        product = await client.get("/api/products/P-001")
        statistics = await client.get("/api/products/processing-stats")
    assert product["footprint"]["answered"]["packaging"] in KINDS
    assert "packaging" in product["footprint"]["provenance"]["steps"]
    assert "packaging" in [answer["step"] for answer in product["answers"]]
    asked = {part["name"] for part in statistics["overall"]["byStep"]}
    assert ("together" if ask_together else "packaging") in asked


async def _exported(running: RunningProgram, folder: Path) -> dict[str, tuple[Any, Any]]:
    """Packaging and its mass of the first product, as read from a file of each format."""
    app = running.app
    paths = [(name, folder / f"results.{name}") for name in WRITERS]
    await export_results(app.database, app.taxonomy, app.factors, app.questions.steps, paths)
    found: dict[str, tuple[Any, Any]] = {}
    for name, path in paths:
        match name:
            case "csv":
                with path.open(encoding="utf-8", newline="") as file:
                    row = next(csv.DictReader(file))
            case "xlsx":
                row = pl.read_excel(path, sheet_name="Products").row(0, named=True)
            case "parquet":
                row = pl.read_parquet(path).row(0, named=True)
            case _:
                row = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        found[name] = (row["packaging"], row.get("packaging_mass_kg", row.get("packagingMassKg")))
    return found
