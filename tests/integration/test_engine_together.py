"""One call for all steps: the rest of the program does not notice, and the setting may change at
any moment.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.application import AMPLE, RunningProgram, program
from tests.support.step_builders import STEP_NAMES
from weighbridge.clock import ScaledClock
from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses
from weighbridge.domain.products import FieldLimits
from weighbridge.service.imports import import_records
from weighbridge.service.queue import configure
from weighbridge.simulator.config import Fault, FaultPlan
from weighbridge.simulator.models import KNOWN_MODELS, ModelLimits

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

SAMPLE: Final = Path(__file__).parents[2] / "examples" / "catalogue.csv"


async def set_together(running: RunningProgram, value: bool) -> None:
    await configure(running.app.database, {"askTogether": value})


async def calls_by_step(running: RunningProgram) -> dict[str, int]:
    rows = await running.fetch("SELECT step, count(*) AS n FROM calls GROUP BY step")
    return {row["step"]: row["n"] for row in rows}


def once_each(times: int = 1) -> dict[str, int]:
    """So many calls for each step alone."""
    return dict.fromkeys(STEP_NAMES, times)


async def versions_of(running: RunningProgram, code: str) -> dict[str, str]:
    """Step → version, as the footprint of a product tells."""
    versions: dict[str, str] = await running.value(
        "SELECT f.detail -> 'provenance' -> 'steps' FROM footprints f"
        " JOIN products p ON p.id = f.product_id WHERE p.code = $1",
        code,
    )
    return versions


async def test_a_group_is_completed_by_one_call_and_the_answers_are_stored_by_step(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, ask_together=True) as running:
        await running.add_many(23)
        await running.start()
        await running.until(completed=23)
        await running.stop()
        assert running.simulator.books.completed == 5
        assert await calls_by_step(running) == {"together": 5}
        rows = await running.fetch("SELECT step, count(*) AS n FROM answers GROUP BY step")
        assert {row["step"]: row["n"] for row in rows} == dict.fromkeys(STEP_NAMES, 23)
        # What the calls have cost is neither lost nor counted twice on its way to the footprints.
        paid = await running.value("SELECT sum(cost_usd) FROM calls")
        assert await running.value("SELECT sum(cost_usd) FROM answers") == pytest.approx(paid)
        assert await running.value("SELECT sum(cost_usd) FROM footprints") == pytest.approx(paid)
        await running.assert_sound()


async def test_both_ways_give_footprints_that_trace_to_their_answers(
    database_url: str, tmp_path: Path
) -> None:
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # Pictures lie beside the catalogue, where only an import of the file finds them.
    records = [{k: v for k, v in row.items() if v and k != "image"} for row in rows]
    async with program(database_url, tmp_path) as running:
        for together in (False, True):
            await set_together(running, together)
            marked = [{**row, "code": f"{together}-{row['code']}"} for row in records]
            imported = await import_records(running.app.database, marked, limits=FieldLimits())
            assert imported.created == len(records)
            if not together:
                await running.start()
            await running.until(completed=len(records) * (1 + together))
        await running.stop()
        await running.assert_sound()
        found = await running.fetch(
            "SELECT p.code, f.subcategory, f.mass_kg, f.emissions_kg_co2e FROM footprints f"
            " JOIN products p ON p.id = f.product_id"
        )
        results = {row["code"]: row for row in found}
        for row in records:
            apart, together_ = results[f"False-{row['code']}"], results[f"True-{row['code']}"]
            assert apart["subcategory"] == together_["subcategory"]
            if "weight" in row:  # otherwise it is a guess, which the code of the product tips
                assert apart["mass_kg"] == pytest.approx(together_["mass_kg"])
        versions = [
            await versions_of(running, f"{way}-{records[0]['code']}") for way in (False, True)
        ]
        assert len({*versions[0].values(), *versions[1].values()}) == 3 + 1


@pytest.mark.parametrize("together", [False, True])
async def test_answers_from_the_other_way_are_reused(
    database_url: str, tmp_path: Path, together: bool
) -> None:
    async with program(database_url, tmp_path, ask_together=together) as running:
        await running.add_many(5)
        await running.start()
        await running.until(completed=5)
        calls, versions = running.simulator.books.completed, await versions_of(running, "P-001")
        await set_together(running, not together)
        # The country changes the footprint and none of the questions.
        rows = await running.fetch("SELECT code, name, description FROM products")
        abroad = [{**dict(row), "countryOfOrigin": "SE"} for row in rows]
        assert (
            await import_records(running.app.database, abroad, limits=FieldLimits())
        ).updated == 5
        await running.until_true("SELECT count(*) = 5 FROM footprints WHERE revision = 2")
        await running.until(completed=5)
        assert running.simulator.books.completed == calls
        assert await versions_of(running, "P-001") == versions
        await running.stop()
        await running.assert_sound()


async def test_waiting_calls_follow_a_changed_setting(database_url: str, tmp_path: Path) -> None:
    async with program(
        database_url, tmp_path, pacing="batch", max_concurrent_requests=1
    ) as running:
        # The next product may come before or after the dispatcher has closed the batch: it shall
        # not wait a minute.
        await running.fetch("UPDATE queue_state SET batch_delay_ms = 0")
        await running.add_many(10)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(1)
        await set_together(running, True)
        running.wire.let_go()
        await running.until(completed=10)
        # The group that had begun goes on step by step; the other was asked everything at once.
        assert await calls_by_step(running) == {**once_each(), "together": 1}
        await set_together(running, False)
        await running.add({"code": "LATER"})
        await running.until(completed=11)
        assert await calls_by_step(running) == {**once_each(2), "together": 1}
        await running.stop()
        await running.assert_sound()


@pytest.mark.parametrize("finished_calls", [1, 2])
async def test_after_a_crash_only_missing_answers_are_asked(
    database_url: str, tmp_path: Path, finished_calls: int
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        step = STEP_NAMES[finished_calls].encode()
        running.wire.instead = lambda request: (
            running.wire.hold() if b'"%s"' % step in request.content else None
        )
        await running.start()
        await running.wire.until_held(1)
        await set_together(running, True)
        await running.die()
    async with program(database_url, tmp_path, simulator=running.simulator) as again:
        await again.take_for_dead(running)
        await again.add({"code": "NEW"})
        await again.start()
        await again.until(completed=6)
        made = await calls_by_step(again)
        assert made.pop("together") == 1
        assert made == once_each()
        await again.stop()
        await again.assert_sound(paid_twice=5)


async def test_a_crash_repeats_only_the_combined_call_in_flight(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, ask_together=True) as running:
        await running.add_many(10)
        running.wire.instead = lambda request: (
            running.wire.hold() if b"P-006" in request.content else None
        )
        await running.start()
        await running.wire.until_held(1)
        await running.until_true("SELECT count(*) >= 5 FROM products WHERE status = 'completed'")
        await running.die()
    async with program(database_url, tmp_path, simulator=running.simulator) as again:
        await again.take_for_dead(running)
        await again.start()
        await again.until(completed=10)
        assert await calls_by_step(again) == {"together": 2}
        await again.stop()
        await again.assert_sound(paid_twice=5)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.TRUNCATE,
        Fault.FILTER,
        Fault.REFUSE,
        Fault.MALFORMED,
        Fault.MISSING,
        Fault.FOREIGN,
        Fault.DOUBLED,
        Fault.IMPLAUSIBLE,
    ],
)
async def test_occasional_bad_answers_fail_no_product(
    database_url: str, tmp_path: Path, fault: Fault
) -> None:
    async with program(database_url, tmp_path, ask_together=True) as running:
        await running.add_many(30)
        account = running.simulator.account

        def strike(request: httpx2.Request) -> None:
            is_struck = b'"together"' in request.content and account.books.faults[fault] < 3
            plan = FaultPlan({fault: 1.0} if is_struck else {})
            account.config = replace(account.config, faults=plan)

        running.wire.instead = strike
        await running.start()
        await running.until(completed=30)
        assert running.simulator.books.faults[fault.value] == 3
        assert await running.value("SELECT max(attempts) FROM products") == 0
        await running.stop()
        await running.assert_sound()


async def test_an_impossible_bill_keeps_the_classification(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, ask_together=True) as running:
        # The simulator multiplies all masses of one product: its bill is refused, what it is
        # stands.
        plan = FaultPlan({Fault.IMPLAUSIBLE: 1.0})
        account = running.simulator.account
        running.wire.instead = lambda request: setattr(
            account,
            "config",
            replace(
                account.config, faults=plan if b'"together"' in request.content else FaultPlan({})
            ),
        )
        await running.add_many(5, weight_kg=0.4)
        await running.start()
        await running.until(completed=5)
        assert await calls_by_step(running) == {
            "together": 1,
            BillOfMaterials.step: 1,
            ManufacturingProcesses.step: 1,
        }
        assert await running.value(
            "SELECT count(*) FROM answers WHERE step = 'classification'"
        ) == 5  # fmt: skip
        paid = await running.value("SELECT sum(cost_usd) FROM calls")
        assert await running.value("SELECT sum(cost_usd) FROM footprints") == pytest.approx(paid)
        await running.stop()
        await running.assert_sound()


async def test_a_poisoned_product_fails_alone(database_url: str, tmp_path: Path) -> None:
    groups = 4
    async with program(database_url, tmp_path, ask_together=True) as running:
        await running.add(
            *(
                {
                    "code": f"P-{n:03}",
                    "description": f"A steel bottle, edition {n} {'POISON' if n % 5 == 2 else ''}",
                }
                for n in range(groups * 5)
            )
        )
        await running.start()
        await running.until(completed=4 * groups, failed=groups)
        assert running.simulator.books.completed == groups * (1 + 3)
        assert await calls_by_step(running) == {"together": groups, "classification": 3 * groups}
        await running.stop()
        await running.assert_sound()


async def test_a_combined_call_above_the_context_is_split_into_steps(
    database_url: str, tmp_path: Path
) -> None:
    models = {**KNOWN_MODELS, "gpt-4.1-mini": ModelLimits(5_000, 2_000)}
    config = replace(AMPLE, models=models)
    async with program(database_url, tmp_path, config, ask_together=True) as running:
        await running.add({"code": "LARGE"})
        await running.start()
        await running.until(completed=1)
        assert await calls_by_step(running) == {"together": 1, **once_each()}
        assert await running.value("SELECT outcome FROM calls WHERE step = 'together'") == (
            "RequestTooLarge"
        )
        await running.stop()
        await running.assert_sound()


async def test_a_combined_call_above_a_minutes_quota_is_split_into_steps(
    database_url: str, tmp_path: Path
) -> None:
    async with program(
        database_url, tmp_path, clock=ScaledClock(100), tokens_per_minute=5_000, ask_together=True
    ) as running:
        await running.add({"code": "LARGE"})
        await running.start()
        await running.until(completed=1)
        assert await calls_by_step(running) == once_each()
        await running.stop()
        await running.assert_sound()
