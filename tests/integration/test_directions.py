"""Where a figure rises although what was changed comes to less, every place that shows the change
says why: the answer to the correction, what-if, the explanation, the history and the comparisons.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import program
from weighbridge.api.schemas.history import ProductHistory
from weighbridge.cli.desk.comparing import _table
from weighbridge.cli.desk.explaining import _tree
from weighbridge.domain.corrections import read_change
from weighbridge.export import file_name
from weighbridge.service.desk.correcting import Request, correct, take_back
from weighbridge.service.desk.explaining import explain_product
from weighbridge.service.desk.exported_figures import compare_exports, read_export
from weighbridge.service.desk.history import compare_moments, history_of
from weighbridge.service.desk.what_if import Supposition, what_if
from weighbridge.service.results import export_results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.service.desk.correcting import CorrectedFigure

pytestmark = pytest.mark.anyio

CODE = "P-001"
LINES = "bill_of_materials.lines"
CRATE = [{"material": "wooden_crate", "mass_kg": 0.3, "component": ""}]


async def _change(running: RunningProgram, **values: Any) -> list[CorrectedFigure]:
    app = running.app
    changes = [read_change(target.replace("__", "."), value) for target, value in values.items()]
    request = Request(tuple(changes), "ana", "the drawing")
    return await correct(app.database, app.factors, app.questions.steps, [CODE], request)


async def _export(running: RunningProgram, folder: Path) -> dict[str, Path]:
    app = running.app
    paths = {name: folder / file_name(folder.name, name) for name in ("jsonl", "parquet")}
    tools = (app.database, app.taxonomy, app.factors, app.questions.steps)
    await export_results(*tools, list(paths.items()))
    return paths


async def test_wood_of_lower_carbon_under_a_higher_figure_is_explained_everywhere(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        await running.add_many(1, weight_kg=0.3, country_of_origin="DE")
        await running.start()
        await running.until(completed=1)
        await _change(
            running, classification__subcategory="Seating & chairs", bill_of_materials__lines=CRATE
        )
        earlier = await _export(running, tmp_path / "earlier")
        start = datetime.now(UTC)  # noqa: TID251 - the database's clock is this one
        supposed = await what_if(*tools, [CODE], Supposition({"wooden_crate": "hardwood_sawn"}))
        (figure,) = await _change(running, **{f"{LINES}.1.material": "hardwood_sawn"})
        assert figure.after_kg_co2e > figure.before_kg_co2e
        said = figure.notes[0]
        assert said.startswith("The figure rises although the bill of materials comes to less (")
        assert "the bill now counts for 72 % of the figure, for 100 % before" in said
        assert supposed.products[0].notes[0] == said

        explained = await explain_product(app.database, app.questions.steps, CODE)
        assert explained.remark == said
        assert any(said in str(branch.label) for branch in _tree(explained).children)
        newest = (await history_of(app.database, CODE))[0]
        assert ProductHistory.of(CODE, [newest]).versions[0].remark == said
        assert said in str(next(iter(_table([newest]).columns[4].cells)))
        end = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251
        (moved,) = (await compare_moments(app.database, start, end)).largest
        assert moved.as_document()["remark"] == said
        later = await _export(running, tmp_path / "later")
        for one in earlier.values():
            for other in later.values():
                (moved,) = compare_exports(read_export(one), read_export(other)).largest
                assert moved.remark == said

        (back,) = await take_back(*tools, CODE, "ana", 3)
        assert back.notes[0].startswith(
            "The figure falls although the bill of materials comes to more ("
        )
        (lighter,) = await _change(running, bill_of_materials__mass_kg=0.2)
        assert not any("although" in note for note in lighter.notes)
        assert (await explain_product(app.database, app.questions.steps, CODE)).remark == ""
