"""The same text is paid for once: under another code, after a deletion, over restarts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.application import RunningProgram, program
from weighbridge.clock import SystemClock
from weighbridge.engine.dispatch.retention_task import RetentionTask
from weighbridge.service.processing_stats import StatisticsReader
from weighbridge.service.products import choose_what_to_ask, delete_product

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ON: dict[str, Any] = {"reuse_answers": True}
LAMP = {"name": "Lamp", "description": "A desk lamp of oak and brass", "weight_kg": 1.4}
CALLS = "SELECT count(*) FROM calls"


async def answered_lamp(running: RunningProgram) -> int:
    """One product, asked; returns the calls that it took."""
    await running.add({"code": "OLD", **LAMP})
    await running.start()
    await running.until(completed=1)
    calls = await running.value(CALLS)
    assert calls > 0
    return int(calls)


async def figures(running: RunningProgram) -> list[Any]:
    return await running.fetch(
        "SELECT p.code, f.emissions_kg_co2e, f.cost_usd, f.detail->'footprint'->>'notes' AS notes"
        " FROM products p JOIN footprints f ON f.product_id = p.id ORDER BY p.code DESC"
    )


async def test_another_code_with_the_same_text_takes_no_call(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, **ON) as running:
        calls = await answered_lamp(running)
        await running.add({"code": "NEW", **LAMP, "country_of_origin": "DE"})
        await running.until(completed=2)
        assert await running.value(CALLS) == calls
        old, new = await figures(running)
        assert new["cost_usd"] == 0
        assert "from the model's earlier answer" in new["notes"]
        assert "from the model's earlier answer" not in old["notes"]
        stats = await StatisticsReader(running.app.database, SystemClock()).processing_stats()
        assert (stats.overall.reused, stats.last_24_hours.reused) == (1, 1)
        await running.stop()
        await running.assert_sound()


async def test_a_deleted_product_leaves_its_answers_to_the_same_text_after_a_restart(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, **ON) as running:
        calls = await answered_lamp(running)
        (old,) = await figures(running)
        await delete_product(running.app.database, "OLD")
        await running.stop()
    async with program(database_url, tmp_path, **ON) as again:
        await again.add({"code": "NEW", **LAMP})
        await again.start()
        await again.until(completed=1)
        assert await again.value(CALLS) == calls
        (new,) = await figures(again)
        assert new["emissions_kg_co2e"] == old["emissions_kg_co2e"]
        kept = await again.fetch("SELECT * FROM earlier_answers")
        assert all("OLD" not in str(dict(row)) and "oak" not in str(row["answer"]) for row in kept)
        await again.stop()
        await again.assert_sound()


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        ({"description": "A desk lamp of oak and steel"}, ON),
        ({"weight_kg": 1.5}, ON),
        ({"image_url": "https://example.com/lamp.jpg"}, ON),
        ({}, {**ON, "model": "gpt-4.1-nano"}),
        ({}, {"reuse_answers": False}),
    ],
    ids=["text", "weight", "picture", "model", "switched off"],
)
async def test_whatever_changes_the_question_is_asked(
    database_url: str, tmp_path: Path, change: dict[str, Any], settings: dict[str, Any]
) -> None:
    async with program(database_url, tmp_path, **ON) as running:
        calls = await answered_lamp(running)
        await delete_product(running.app.database, "OLD")
        await running.stop()
    async with program(database_url, tmp_path, **settings) as again:
        await again.add({"code": "NEW", **LAMP, **change})
        await again.start()
        await again.until(completed=1)
        assert await again.value(CALLS) == 2 * calls


@pytest.mark.parametrize("spoilt", ["version", "answer"])
async def test_an_answer_that_does_not_hold_any_more_is_asked_for(
    database_url: str, tmp_path: Path, spoilt: str
) -> None:
    async with program(database_url, tmp_path, **ON) as running:
        calls = await answered_lamp(running)
        await delete_product(running.app.database, "OLD")
        change = "step_version = '0-old'" if spoilt == "version" else "answer = '{\"odd\": 1}'"
        await running.fetch(f"UPDATE earlier_answers SET {change} WHERE step = 'classification'")  # noqa: S608
        await running.add({"code": "NEW", **LAMP})
        await running.until(completed=1)
        assert await running.value(CALLS) == 2 * calls
        await running.stop()
        await running.assert_sound(paid_twice=calls)


@pytest.mark.parametrize("deleted", [True, False])
async def test_what_a_person_corrected_does_not_answer_for_others(
    database_url: str, tmp_path: Path, deleted: bool
) -> None:
    async with program(database_url, tmp_path, **ON) as running:
        calls = await answered_lamp(running)
        await running.fetch(
            "INSERT INTO corrections (product_id, step, path, value, before, after, made_by, "
            "reason) SELECT id, 'classification', '{category}', '\"x\"', '\"y\"', '\"x\"', 'me', "
            "'why' FROM products"
        )
        if deleted:
            await delete_product(running.app.database, "OLD")
            assert await running.value("SELECT count(*) FROM earlier_answers") == 0
        await running.add({"code": "NEW", **LAMP})
        await running.until(completed=1 if deleted else 2)
        assert await running.value(CALLS) == 2 * calls


async def test_redo_asks_again_and_forgets(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, **ON) as running:
        calls = await answered_lamp(running)
        await running.add({"code": "TWIN", **LAMP})
        await running.until(completed=2)
        scope = uuid4()
        await running.fetch(
            "INSERT INTO scopes (import_id, product_id) SELECT $1, id FROM products WHERE "
            "code = 'OLD'",
            scope,
        )
        await choose_what_to_ask(running.app.database, scope, redo=True, simulated=True)
        await running.until(completed=2)
        assert await running.value(CALLS) == 2 * calls


async def test_what_is_kept_goes_by_the_retention_rule_and_with_the_setting(
    database_url: str, tmp_path: Path
) -> None:
    kept = "SELECT count(*) FROM earlier_answers"
    async with program(database_url, tmp_path, **ON) as running:
        await answered_lamp(running)
        await delete_product(running.app.database, "OLD")
        assert await running.value(kept) > 0
        task = RetentionTask(running.app.database, SystemClock(), retention_days=30)
        await task.trim()
        assert await running.value(kept) > 0
        await running.fetch(
            "UPDATE earlier_answers SET kept_at = now() - $1::interval", timedelta(31)
        )
        await task.trim()
        assert await running.value(kept) == 0
        await running.add({"code": "NEW", **LAMP})
        await running.until(completed=1)
        await delete_product(running.app.database, "NEW")
        assert await running.value(kept) > 0
    async with program(database_url, tmp_path) as off:
        assert await off.value(kept) == 0
