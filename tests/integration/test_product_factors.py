"""A factor for one product: over the table's, for this product alone, kept and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import program
from weighbridge.domain.answers import BillOfMaterials
from weighbridge.domain.corrections import read_change
from weighbridge.errors import InputError
from weighbridge.service.desk.correcting import CorrectedFigure, Request, correct, take_back
from weighbridge.service.desk.recomputing import completed_ids, recompute
from weighbridge.service.product_views import ShownFootprint, show_product

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio


async def _shown(running: RunningProgram, code: str = "P-001") -> ShownFootprint:
    shown = (await show_product(running.app.database, running.app.questions.steps, code)).footprint
    assert shown is not None
    return shown


async def _correct(running: RunningProgram, key: str, value: Any) -> list[CorrectedFigure]:
    app = running.app
    request = Request((read_change(f"factors.{key}", value),), "ana", "EPD of the smelter")
    return await correct(app.database, app.factors, app.questions.steps, ["P-001"], request)


async def _material(running: RunningProgram) -> str:
    """The heaviest of its bill."""
    found = (await _shown(running)).answered["bill"]
    return str(max(found, key=lambda line: line["mass_kg"])["material"])


async def test_a_factor_of_one_product_counts_for_it_alone(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(2, weight_kg=0.3, country_of_origin="DE")
        await running.start()
        await running.until(completed=2)
        before, other = await _shown(running), await _shown(running, "P-002")
        key = await _material(running)
        stated = {"value": 50.0, "low": 45.0, "high": 60.0, "source": "EPD 123"}
        (done,) = await _correct(running, key, stated)
        assert done.after_kg_co2e > done.before_kg_co2e
        after = await _shown(running)
        own = [one for one in after.footprint.contributions if one.source == "EPD 123"]
        assert [(one.factor, one.factor_key) for one in own] == [(50.0, key)]
        assert own[0].high_kg_co2e == pytest.approx(own[0].activity * 60)
        assert after.provenance.factors.endswith("with factors of this product")
        name = running.app.factors.material(key).name
        assert f"corrected: factor of {name} in kg CO2e per kg from " in after.footprint.notes[0]
        assert (await _shown(running, "P-002")).footprint == other.footprint
        app = running.app
        ids = await completed_ids(app.database)
        moved = [
            one.has_moved
            async for done in recompute(app.database, app.factors, app.questions.steps, ids)
            for one in done
        ]
        assert moved == [False, False]
        await running.fetch(
            "UPDATE products SET status = 'pending', completed_at = NULL, revision = revision + 1"
        )
        await running.until(completed=2)
        assert (await _shown(running)).footprint == after.footprint
        await take_back(app.database, app.factors, app.questions.steps, "P-001", "ana")
        assert (await _shown(running)).footprint == before.footprint
        await running.assert_sound()


async def test_a_factor_that_cannot_be_is_refused(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(1, weight_kg=0.3)
        await running.start()
        await running.until(completed=1)
        key = await _material(running)
        bill = BillOfMaterials.step
        for value, says in (
            (-1, "is not possible"),
            (1e9, "is not possible"),
            (10**400, "is not possible"),
            ("much", "as numbers, in kg CO2e"),
            (True, "as numbers, in kg CO2e"),
            (None, "as numbers, in kg CO2e"),
            ({"low": 1, "high": 2}, "as numbers, in kg CO2e"),
            ({"value": 1, "low": 2}, "low must not be above value"),
            ({"value": 1, "unit": "g"}, "unit is not a field of a factor"),
            ({"value": 1, "source": 3}, "must be text"),
        ):
            with pytest.raises(InputError, match=says):
                await _correct(running, key, value)
        with pytest.raises(InputError, match="bill of materials has no such material"):
            await _correct(running, "unobtainium", 1)
        with pytest.raises(InputError, match=bill):
            read_change(bill, 1)
