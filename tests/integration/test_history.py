"""The history of footprints on a real database: what was, since when, and what made it another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api import api_client
from tests.support.application import program
from weighbridge.domain.corrections import read_change
from weighbridge.errors import InputError, NotFound
from weighbridge.service.desk.correcting import Request, correct, take_back
from weighbridge.service.desk.history import compare_moments, history_of, read_moment
from weighbridge.service.desk.recomputing import completed_ids, recompute
from weighbridge.store.footprint_versions import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.service.desk.history import PastFootprint

pytestmark = pytest.mark.anyio

LATER = datetime(2999, 1, 1, tzinfo=UTC)
MASS = "bill_of_materials.mass_kg"
OF_MASS = "mass of one unit in kg"


async def _correct(running: RunningProgram, mass_kg: float, by: str = "ana") -> None:
    app = running.app
    request = Request((read_change(MASS, mass_kg),), by, "weighed")
    await correct(app.database, app.factors, app.questions.steps, ["P-001"], request)


async def _history(running: RunningProgram, code: str = "P-001") -> list[PastFootprint]:
    return await history_of(running.app.database, code)


async def _completed(running: RunningProgram, **fields: Any) -> None:
    await running.add_many(2, weight_kg=0.3, country_of_origin="DE", **fields)
    await running.start()
    await running.until(completed=2)


async def test_each_version_says_what_made_it(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        await _correct(running, 0.6)
        await take_back(*tools, "P-001", "ben")
        other = replace(app.factors, version="other")
        ids = await completed_ids(app.database, ["P-001"])
        async for _ in recompute(app.database, other, app.questions.steps, ids, by="cleo"):
            pass
        newest, *_ = found = await _history(running)
        tables = f"factors {app.factors.name} {app.factors.version} → {app.factors.name} other"
        assert [one.causes for one in found[:3]] == [
            (f"{tables} (the figure did not move)",),
            (f"correction taken back by ben: {OF_MASS}",),
            (f"corrected by ana: {OF_MASS}",),
        ]
        assert found[3].causes[0].startswith("first computed, answers by ")
        assert found[2].change == pytest.approx(1.0)
        assert found[1].change == pytest.approx(-0.5)
        assert (found[2].version.cause.reason, newest.version.cause.by) == ("weighed", "cleo")
        assert newest.version.replaced_at is None
        assert found[1].version.replaced_at == newest.version.calculated_at
        assert len(await _history(running, "P-002")) == 1
        with pytest.raises(NotFound):
            await _history(running, "X-1")
        await running.assert_sound()
    async with api_client(database_url, tmp_path) as client:
        answer = await client.get("/api/products/P-001/history")
        assert [one["by"] for one in answer["versions"]] == ["cleo", "ben", "ana", None]
        assert (await client.http.get("/api/products/X-1/history")).status_code == 404


async def test_a_product_processed_again_says_so(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await running.fetch("DELETE FROM answers")
        await running.fetch(
            "UPDATE products SET status = 'pending', completed_at = NULL, revision = revision + 1"
        )
        await running.until(completed=2)
        newest, first = await _history(running)
        assert newest.causes == (f"processed again with {first.version.model}",)


async def test_two_moments_are_compared_by_cause(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        database = running.app.database
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        await _completed(running)
        processed = await running.value("SELECT now()")
        await _correct(running, 0.6)
        moved = await compare_moments(database, processed, LATER)
        (one,) = moved.moved
        assert (one.code, one.causes) == ("P-001", (f"corrected by ana: {OF_MASS}",))
        assert moved.products == 2
        total = moved.causes[one.causes]
        change = moved.after_kg_co2e - moved.before_kg_co2e
        assert total.moved_kg_co2e == pytest.approx(change)
        new = await compare_moments(database, long_ago, processed)
        assert (new.added, new.moved, new.products) == (["P-001", "P-002"], [], 0)
        with pytest.raises(InputError, match="later than the first"):
            await compare_moments(database, processed, long_ago)
        async with api_client(database_url, tmp_path) as client:
            since = processed.strftime("%Y-%m-%dT%H:%M:%S.%f")
            answer = await client.get("/api/products/compare", params={"from": since})
            assert answer == (await compare_moments(database, processed, LATER)).as_document()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "0001-01-01T00:00+14:00"}, "from"),
        ({"from": "2026-11-01", "to": "9999-12-31T23:00-14:00"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-02T00:00Z"}, "to"),
        ({"to": "now"}, "from"),
    ],
)
async def test_a_moment_that_is_none_is_refused_by_name(
    database_url: str, tmp_path: Path, asked: dict[str, str], field: str
) -> None:
    async with api_client(database_url, tmp_path) as client:
        answer = await client.http.get("/api/products/compare", params=asked)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_moments_without_a_zone_are_local_or_of_the_given_zone() -> None:
    here = read_moment("2026-11-01T10:00", LATER)
    assert here == datetime(2026, 11, 1, 10).astimezone(UTC)
    assert read_moment(" 2026-11-01T10:00 ", LATER, UTC) == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert read_moment("2026-11-01T10:00+02:00", LATER, UTC).hour == 8
    assert read_moment("NOW", LATER) == LATER


async def test_the_history_of_a_product_is_bounded(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        for step in range(KEPT + 3):
            await _correct(running, 0.4 + step / 100)
        found = await _history(running)
        assert len(found) == KEPT + 1
        assert found[-1].causes == ("the earliest version that is kept",)
        assert found[0].causes == (f"corrected by ana: {OF_MASS}",)
        start = found[-1].version.calculated_at - timedelta(microseconds=1)
        moved = await compare_moments(running.app.database, start, LATER)
        assert (moved.added, moved.unknown) == ([], ["P-001"])


async def test_factors_that_moved_nothing_are_no_cause(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running, facts={"quantity": 200})
        app = running.app
        first = await running.value("SELECT now()")
        table = f"{app.factors.name} {app.factors.version}"
        app.factors = replace(app.factors, version="renamed")
        await _correct(running, 0.6)
        (corrected, _) = await _history(running)
        assert corrected.causes == (f"corrected by ana: {OF_MASS}",)
        material = await running.value(
            "SELECT detail #>> '{answers,bill_of_materials,lines,0,material}' FROM footprints LIMIT 1"
        )
        own = (read_change(f"factors.{material}", 3.0),)
        tools = (app.database, app.factors, app.questions.steps)
        await correct(*tools, ["P-001"], Request(own, "ana", ""))
        assert (await _history(running))[0].causes == (
            f"corrected by ana: factor of {material} in kg CO2e per kg",
        )
        ids = await completed_ids(app.database, None)
        async for _ in recompute(*tools, ids, by="cleo"):
            pass
        (unmoved, _) = await _history(running, "P-002")
        assert unmoved.causes == (
            f"factors {table} → {app.factors.name} renamed (the figure did not move)",
        )
        moved = await compare_moments(app.database, first, LATER)
        (one,) = moved.moved
        assert one.causes == (
            f"corrected by ana: {OF_MASS}",
            f"corrected by ana: factor of {material} in kg CO2e per kg",
        )
        units = [one.before_kg_co2e or 0.0, one.after_kg_co2e or 0.0]
        other = (await _history(running, "P-002"))[0].version.emissions_kg_co2e
        totals = (moved.before_kg_co2e, moved.after_kg_co2e)
        assert totals == pytest.approx([(unit + other) * 200 for unit in units])
        total = moved.causes[one.causes]
        assert total.moved_kg_co2e == pytest.approx(200 * (units[1] - units[0]))
        assert moved.without_quantity == 0
