"""The doctor finds each kind of damage, and says how to mend it."""

# ruff: noqa: S608 - the statements are constants of this file
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.support.application import program
from weighbridge.cli.main import app
from weighbridge.service.doctor import examine
from weighbridge.service.products import choose_what_to_ask
from weighbridge.store.invariants import broken_rules, rules
from weighbridge.store.jobs import DISPATCH_LOCK

if TYPE_CHECKING:
    from pathlib import Path

COMPLETED = "(SELECT id FROM products WHERE status = 'completed' ORDER BY id LIMIT 1)"
DAMAGE = {  # each is undone before the next
    "processing-without-job": "UPDATE products SET status = 'processing', job_id = 4711 WHERE code = 'P-001'",
    "job-of-a-dead-worker": "INSERT INTO pgqueuer (priority, status, entrypoint, heartbeat)"
    " VALUES (0, 'picked', 'group', now() - interval '1 hour')",
    "job-without-products": "INSERT INTO pgqueuer (priority, status, entrypoint, updated)"
    " VALUES (0, 'queued', 'group', now() - interval '1 hour')",
    "waiting-with-job": "UPDATE products SET job_id = 4711 WHERE code = 'P-001'",
    "completed-without-footprint": f"DELETE FROM footprints WHERE product_id = {COMPLETED}",
    "completed-with-an-old-footprint": f"UPDATE products SET revision = 9 WHERE id = {COMPLETED}",
    "completed-without-answers": f"DELETE FROM answers WHERE step = 'manufacturing' AND product_id = {COMPLETED}",
    "footprint-does-not-add-up": f"UPDATE footprints SET emissions_kg_co2e = 'NaN' WHERE product_id = {COMPLETED}",
    "contribution-without-source": "DELETE FROM rates",
    "failed-without-reason": f"UPDATE products SET status = 'failed' WHERE id = {COMPLETED}",
    "answer-without-call": "DELETE FROM calls WHERE id = (SELECT max(id) FROM calls)",
    "counts-disagree": "INSERT INTO product_count_changes VALUES (1, 0, 0, 0)",
}


def test_every_rule_has_a_test_that_breaks_it() -> None:
    assert [rule.name for rule in rules()] == ["lock-without-a-living-holder", *DAMAGE]


@pytest.mark.anyio
async def test_a_lock_is_named_whose_session_does_nothing(database_url: str) -> None:
    holder = await asyncpg.connect(
        database_url, server_settings={"application_name": "weighbridge"}
    )
    observer = await asyncpg.connect(database_url)
    assert await broken_rules(observer, dead_after_s=0) == []
    await holder.execute("SELECT pg_advisory_lock($1)", DISPATCH_LOCK)
    assert await broken_rules(observer) == []
    (broken,) = await broken_rules(observer, dead_after_s=0)
    assert broken.rule.name == "lock-without-a-living-holder"
    assert broken.examples[0].startswith(
        f"session {holder.get_server_pid()} of weighbridge at this host, idle since 20"
    )
    await holder.close()
    await observer.close()


@pytest.mark.anyio
async def test_each_damage_is_reported_by_its_own_rule_only(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(3)
        await running.start()
        await running.until(completed=3)
        await running.stop()
        assert (await examine(running.app.database)).is_sound
        for name, statement in DAMAGE.items():
            assert await _found_after(running.app.database, statement) == [name]


@pytest.mark.anyio
async def test_the_doctors_remedies_work(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(3)
        await running.start()
        await running.until(completed=3)
        run = uuid4()
        await running.fetch("INSERT INTO scopes SELECT $1, id FROM products", run)
        for rule in rules():
            if "--redo" in rule.remedy:
                await running.fetch(DAMAGE[rule.name])
                await choose_what_to_ask(running.app.database, run, redo=True, simulated=True)
                await running.until(completed=3)
                assert (await examine(running.app.database)).is_sound, rule.name


async def _found_after(database: Any, statement: str) -> list[str]:
    """The broken rules after the statement, which is undone."""
    tables = (
        "products",
        "pgqueuer",
        "footprints",
        "rates",
        "answers",
        "calls",
        "product_count_changes",
    )
    pool = database.pool
    await pool.execute("CREATE SCHEMA kept")
    for table in tables:
        await pool.execute(f"CREATE TABLE kept.{table} AS TABLE {table}")
    await pool.execute(statement)
    found = [finding.rule for finding in (await examine(database)).findings]
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")  # no triggers
        for table in tables:
            await connection.execute(f"DELETE FROM {table}")
            await connection.execute(
                f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept.{table}"
            )
        await connection.execute("DROP SCHEMA kept CASCADE")
    return found


def test_doctor_reports_problems_and_exits_with_1(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    monkeypatch.setenv("WEIGHBRIDGE_DATA_DIR", str(tmp_path))
    sound = CliRunner().invoke(app, ["doctor"])
    assert sound.exit_code == 0, sound.output
    asyncio.run(_damage(database_url))
    sick = CliRunner().invoke(app, ["doctor", "--json"])
    assert sick.exit_code == 1
    document = json.loads(sick.stdout)
    assert document["sound"] is False
    (finding,) = document["findings"]
    assert finding["rule"] == "processing-without-job"
    assert finding["examples"] == ["STUCK"]
    assert "weighbridge start" in finding["remedy"]


async def _damage(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO products (code, name, description, status, job_id)"
            " VALUES ('STUCK', 'Bottle', 'A bottle', 'processing', 4711)"
        )
    finally:
        await connection.close()
