"""Every answer says where it came from, and goes on saying so whoever writes it down again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.support.api import api_client
from tests.support.application import program
from weighbridge.export import WRITERS
from weighbridge.service.results import export_results
from weighbridge.steps import STEPS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio

X = "gpt-4.1-mini"
Y = "gpt-4.1-nano"
NAMES = [step.name for step in STEPS]


async def test_answers_that_are_used_again_keep_the_model_that_gave_them(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, model=X) as first:
        await first.add_many(2)
        await first.start()
        await first.until(completed=2)
        await first.stop()
        before = [_what_lasts(row) for row in await _lines(first, tmp_path)]
    async with program(database_url, tmp_path, simulator=first.simulator, model=Y) as second:
        calls = second.simulator.books.completed
        await second.fetch(
            "UPDATE products SET country_of_origin = 'PL', revision = revision + 1, status = "
            "'pending'"
        )
        await second.start()
        await second.until(completed=2)
        await second.stop()
        assert second.simulator.books.completed == calls
        rows = await _lines(second, tmp_path)
        assert [row["countryOfOrigin"] for row in rows] == ["PL", "PL"]
        assert [_what_lasts(row) for row in rows] == before
        for row in rows:
            assert row["provenance"]["model"].startswith(X)
            assert {given["model"] for given in row["provenance"]["answers"].values()} == {
                row["provenance"]["model"]
            }
        assert all(model.startswith(X) for model in pl.read_csv(tmp_path / "results.csv")["model"])
        await second.assert_sound()
    async with api_client(database_url, tmp_path) as client:
        product = await client.get("/api/products/P-001")
    assert product["footprint"]["provenance"]["model"].startswith(X)


async def test_a_footprint_that_rests_on_several_models_names_the_model_of_each_step(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, model=X) as first:
        await first.add_many(2)
        first.wire.instead = lambda request: (
            first.wire.hold() if b'"manufacturing"' in request.content else None
        )
        await first.start()
        await first.wire.until_held(1)
        await first.die()
    async with program(database_url, tmp_path, simulator=first.simulator, model=Y) as second:
        await second.take_for_dead(first)
        await second.start()
        await second.until(completed=2)
        await second.stop()
        rows = await _lines(second, tmp_path)
    for row in rows:
        given = row["provenance"]["answers"]
        assert [given[name]["model"].startswith(X) for name in NAMES] == [True, True, False]
        assert given["manufacturing"]["model"].startswith(Y)
        assert all(given[name]["provider"] == row["provenance"]["provider"] for name in NAMES)
        assert all(given[name]["answeredAt"] for name in NAMES)
        assert row["provenance"]["model"] == "; ".join(f"{n}: {given[n]['model']}" for n in NAMES)
    tables = (pl.read_csv(tmp_path / "results.csv"), pl.read_parquet(tmp_path / "results.parquet"))
    for table in tables:
        assert table["model"].to_list() == [row["provenance"]["model"] for row in rows]
    parts = tables[1]["step_versions"].to_list()
    assert [[part["model"] for part in one] for one in parts] == [
        [row["provenance"]["answers"][name]["model"] for name in NAMES] for row in rows
    ]
    async with api_client(database_url, tmp_path) as client:
        product = await client.get("/api/products/P-001")
    assert product["footprint"]["provenance"]["answers"] == rows[0]["provenance"]["answers"]


async def _lines(running: RunningProgram, folder: Path) -> list[dict[str, Any]]:
    """Write a file of each format; returns the lines of JSONL."""
    app = running.app
    paths = [(name, folder / f"results.{name}") for name in WRITERS]
    await export_results(app.database, app.taxonomy, app.factors, app.questions.steps, paths)
    text = (folder / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _what_lasts(row: dict[str, Any]) -> dict[str, Any]:
    """What must not change when a footprint is computed again from the same answers."""
    return {
        "provenance": row["provenance"],
        "billOfMaterials": row["billOfMaterials"],
        "simulated": row["simulated"],
        "costUsd": row["costUsd"],
    }
