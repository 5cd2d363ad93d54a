"""Programs of two versions on one database, for one step: they share the work, and nobody pays for
it twice.

Here the other version lives in the same process; `tests/e2e/test_rolling_upgrade.py` has real ones.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.application import program, until
from weighbridge.carbon.taxonomy import Category, Subcategory
from weighbridge.domain.answers import Classification
from weighbridge.service.queue import start_queue, stop_queue
from weighbridge.steps import build_questions
from weighbridge.store.products import load_products
from weighbridge.store.schema import migrations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.application import Application

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=1)
OURS: Final = """
SELECT tablename FROM pg_tables
WHERE schemaname = 'public' AND tablename NOT LIKE 'pgqueuer%' AND tablename <> 'schema_migrations'
"""


def with_another_prompt(app: Application) -> None:
    """A newer program knows more kinds of products: every question of its is another one."""
    more = Category("Boats", {"Canoes": Subcategory("Canoes", "494", "Pleasure boats")})
    app.taxonomy = replace(app.taxonomy, categories={**app.taxonomy.categories, "Boats": more})
    app.questions = build_questions(app.factors.vocabulary(app.taxonomy))


newer = partial(program, version=with_another_prompt)


async def _migrate_as_a_newer_program_does(running: RunningProgram) -> None:
    """It adds to every table, and to what the processes tell each other."""
    newest = migrations()[-1].number
    for row in await running.fetch(OURS):
        await running.fetch(
            f"ALTER TABLE {row['tablename']} ADD COLUMN from_the_future text,"
            " ADD COLUMN also_new integer NOT NULL DEFAULT 7"
        )
    await running.fetch("CREATE TABLE of_the_future (id bigint PRIMARY KEY)")
    await running.fetch("CREATE INDEX ON products (updated_at)")
    await running.fetch("UPDATE quota SET state = state || 'something new'::bytea")
    await running.fetch(
        "INSERT INTO schema_migrations (number, name, serves) VALUES ($1, 'future', $2)",
        newest + 1,
        newest,
    )


async def _held_at(running: RunningProgram, schema: str, groups: int) -> None:
    """Every group waits for the reply to this question; those before are answered and stored."""
    running.wire.instead = lambda request: (
        running.wire.hold() if f'"{schema}"'.encode() in request.content else None
    )
    await running.start()
    await until(lambda: running.wire.held == groups, "every group waits for a reply")


async def _versions(running: RunningProgram, step: str) -> dict[str, int]:
    rows = await running.fetch(
        "SELECT step_version, count(*) AS n FROM answers WHERE step = $1 GROUP BY 1", step
    )
    return {row["step_version"]: row["n"] for row in rows}


async def test_old_program_keeps_working_while_a_newer_one_migrates(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as works:
        await works.add_many(50)
        await _held_at(works, "bill_of_materials", 10)
        await _migrate_as_a_newer_program_does(works)
        async with program(database_url, tmp_path, simulator=works.simulator) as starts:
            assert starts.app.database.newer_schema == migrations()[-1].number + 1
            await starts.work()
            works.wire.instead = lambda _: None
            works.wire.let_go()
            await starts.add({"code": "LATE"})
            await starts.until(completed=51)
            await starts.fetch("UPDATE quota SET state = state || 'something new'::bytea")
            await starts.add({"code": "LATER"})
            await starts.until(completed=52)
            assert starts.simulator.books.completed == 3 * 12
            await starts.stop()
            await works.stop()
            await works.assert_sound()


@pytest.mark.parametrize("schema", ["bill_of_materials", "manufacturing"])
@pytest.mark.parametrize("first_is_newer", [False, True], ids=["older first", "newer first"])
@pytest.mark.parametrize("is_killed", [False, True], ids=["drained", "killed"])
async def test_answers_of_one_version_are_not_paid_again_by_the_other(
    database_url: str, tmp_path: Path, schema: str, first_is_newer: bool, is_killed: bool
) -> None:
    one, other = (newer, program) if first_is_newer else (program, newer)
    async with one(database_url, tmp_path, heartbeat_timeout=SOON) as leaves:
        await leaves.add_many(25)
        await _held_at(leaves, schema, 5)
        if is_killed:
            await leaves.die()
        else:
            draining = asyncio.create_task(leaves.stop())
            await until(lambda: leaves.engine.supervisor.is_draining, "it drains")
            leaves.wire.let_go()
            await draining
    async with other(
        database_url, tmp_path, simulator=leaves.simulator, heartbeat_timeout=SOON
    ) as stays:
        await stays.start()
        await stays.until(completed=25)
        in_flight = 5 if is_killed else 0
        assert stays.simulator.books.completed == 3 * 5 + in_flight
        assert len(await _versions(stays, Classification.step)) == 1
        await stays.stop()
        await stays.assert_sound(paid_twice=5 * in_flight)


async def test_two_versions_share_the_work_and_each_asks_its_own_questions(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        program(database_url, tmp_path) as old,
        newer(database_url, tmp_path, simulator=old.simulator) as new,
    ):
        await old.add_many(200)
        old.wire.hold()
        new.wire.hold()
        await stop_queue(old.app.database)
        await new.work()
        await old.work()
        # Otherwise one could begin everything before it knows of the other.
        await old.until_true("SELECT count(*) = 2 FROM workers")
        await start_queue(old.app.database)
        await until(lambda: old.wire.held + new.wire.held == 40, "every group is begun")
        assert old.wire.held
        assert new.wire.held
        shares = {5 * old.wire.held, 5 * new.wire.held}
        old.wire.let_go()
        new.wire.let_go()
        await old.until(completed=200)
        assert old.simulator.books.completed == 3 * 40
        assert set((await _versions(old, Classification.step)).values()) == shares
        await old.stop()
        await new.stop()
        await old.assert_sound()


async def test_answers_of_a_newer_version_are_ignored(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        async with running.app.database.pool.acquire() as connection:
            ids = [row["id"] for row in await running.fetch("SELECT id FROM products")]
            stored = await load_products(connection, ids)
        for step in ("packaging", Classification.step):
            for one in stored:
                await running.fetch(
                    "INSERT INTO answers (product_id, step, step_version, question_fingerprint, "
                    "simulated, provider, model, call_id, answer, cost_usd) VALUES ($1, $2, "
                    "'2-new', $3, true, 'simulator', 'm', 0, $4, 0)",
                    one.id,
                    step,
                    one.product.question_fingerprint(),
                    {"written": "in another form"},
                )
        await running.start()
        await running.until(completed=5)
        assert running.simulator.books.completed == 3
        await running.stop()
