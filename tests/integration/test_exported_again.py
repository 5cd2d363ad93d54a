"""Two exports with nothing new between them say the same: of what is handed on, nothing moves by
itself.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import program
from tests.unit.export.test_pact_writer import COMPANY
from weighbridge.domain.corrections import read_change
from weighbridge.export import MEDIA_TYPES, PACT, PACT_2, file_name
from weighbridge.service.desk.correcting import Request, correct, take_back
from weighbridge.service.desk.recomputing import completed_ids, recompute
from weighbridge.service.results import export_results

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.carbon.factors import FactorTable

pytestmark = pytest.mark.anyio

CODES = ("P-001", "P-002", "P-003")


@pytest.fixture(autouse=True)
def company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPANY.items():
        monkeypatch.setenv(f"WEIGHBRIDGE_{name.upper()}", value)


async def _completed(running: RunningProgram) -> None:
    await running.add_many(3, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=3)


async def _recompute(running: RunningProgram, factors: FactorTable | None = None) -> None:
    app = running.app
    tools = (app.database, factors or app.factors, app.questions.steps)
    async for _ in recompute(*tools, await completed_ids(app.database)):
        pass


async def _correct(running: RunningProgram, target: str, value: Any) -> None:
    app = running.app
    request = Request((read_change(target, value),), "ana", "seen in the shop")
    await correct(app.database, app.factors, app.questions.steps, CODES, request)


async def _exported(running: RunningProgram, folder: Path) -> dict[str, Path]:
    app = running.app
    paths = {name: folder / file_name("results", name) for name in MEDIA_TYPES}
    await export_results(
        app.database, app.taxonomy, app.factors, app.questions.steps, list(paths.items())
    )
    return paths


def _content(path: Path) -> Mapping[str, bytes]:
    """What a file says, by part; a workbook without its time of creation."""
    if path.suffix != ".xlsx":
        return {"": path.read_bytes()}
    with zipfile.ZipFile(path) as book:
        return {name: book.read(name) for name in book.namelist() if name != "docProps/core.xml"}


def _created(paths: Mapping[str, Path], name: str) -> dict[str, str]:
    """The `created` of each footprint in a PACT file, by its id."""
    data = json.loads(paths[name].read_text(encoding="utf-8"))["data"]
    return {one["id"]: one["created"] for one in data}


async def test_nothing_that_is_exported_moves_while_nothing_changes(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, "bill_of_materials.mass_kg", 0.6)
        first = await _exported(running, tmp_path / "first")
        await _recompute(running)
        again = await _exported(running, tmp_path / "again")
        for name, path in first.items():
            assert _content(path) == _content(again[name]), name


async def _other_name_of_the_factors(running: RunningProgram) -> None:
    await _recompute(running, replace(running.app.factors, version="the same under another name"))


async def _other_licence_of_the_factors(running: RunningProgram) -> None:
    factors = running.app.factors
    materials = {
        key: replace(one, citation=replace(one.citation, licence="CC BY 4.0 as of 2026"))
        for key, one in factors.materials.items()
    }
    await _recompute(running, replace(factors, version="newer licences", materials=materials))


async def _another_label(running: RunningProgram) -> None:
    await _correct(running, "bill_of_materials.lines.1.component", "the body")


async def _label_and_back(running: RunningProgram) -> None:
    await _another_label(running)
    app = running.app
    for code in CODES:
        await take_back(app.database, app.factors, app.questions.steps, code, "ana")


async def _processed_again(running: RunningProgram) -> None:
    await running.fetch("DELETE FROM answers")
    await running.fetch(
        "UPDATE products SET status = 'pending', completed_at = NULL, revision = revision + 1"
    )
    await running.until(completed=3)


EQUAL_FIGURES = (
    _other_name_of_the_factors,
    _other_licence_of_the_factors,
    _another_label,
    _label_and_back,
    _processed_again,
)


@pytest.mark.parametrize("happens", EQUAL_FIGURES, ids=lambda one: one.__name__.strip("_"))
async def test_an_equal_figure_keeps_the_time_at_which_it_was_made(
    database_url: str, tmp_path: Path, happens: Callable[[RunningProgram], Awaitable[None]]
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        before = await _exported(running, tmp_path / "before")
        stored = "SELECT calculated_at FROM footprints ORDER BY product_id"
        calculated = await running.fetch(stored)
        await happens(running)
        assert await running.fetch(stored) != calculated  # a footprint was stored
        after = await _exported(running, tmp_path / "after")
        for name in (PACT, PACT_2):
            assert len(_created(before, name)) == len(CODES)
            assert _created(after, name) == _created(before, name)


async def test_another_figure_is_created_when_it_is_computed_and_so_is_one_that_comes_back(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        seen = [_created(await _exported(running, tmp_path / "0"), "pact")]
        for turn, mass_kg in enumerate((0.6, 0.7), start=1):
            await _correct(running, "bill_of_materials.mass_kg", mass_kg)
            seen.append(_created(await _exported(running, tmp_path / str(turn)), "pact"))
        for code in CODES:
            await take_back(app.database, app.factors, app.questions.steps, code, "ana")
        back = _created(await _exported(running, tmp_path / "back"), "pact")
        assert [set(one) & set(two) for one, two in pairwise(seen)] == [set()] * 2
        assert all(max(one.values()) < min(two.values()) for one, two in pairwise(seen))
        assert set(back) == set(seen[0])
        assert min(back.values()) > max(seen[-1].values())


@pytest.mark.parametrize("earlier", ["40 days", "1 minute"])
async def test_a_product_processed_in_another_month_has_another_footprint(
    database_url: str, tmp_path: Path, earlier: str
) -> None:
    """Its reference period, and so its id, is another; none is older than its period."""
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await running.fetch("ALTER TABLE footprints DISABLE TRIGGER keep_figure_since")
        for table, column in (("products", "completed_at"), ("footprints", "calculated_at")):
            await running.fetch(f"UPDATE {table} SET {column} = {column} - interval '{earlier}'")  # noqa: S608
        await running.fetch("ALTER TABLE footprints ENABLE TRIGGER keep_figure_since")
        before = _created(await _exported(running, tmp_path / "before"), "pact")
        await _processed_again(running)
        after = _created(await _exported(running, tmp_path / "after"), "pact")
        shared = set(before) & set(after)
        assert len(shared) in (0, len(CODES))
        assert all(before[one] == after[one] for one in shared)
        data = json.loads((tmp_path / "after" / "results.pact.json").read_text(encoding="utf-8"))
        for one in data["data"]:
            assert one["created"] >= one["pcf"]["referencePeriodEnd"]
