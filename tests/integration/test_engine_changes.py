"""Products that are changed or deleted, and a queue that is stopped, while work is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.application import program
from weighbridge.domain.products import FieldLimits
from weighbridge.service.imports import import_records
from weighbridge.service.products import delete_product
from weighbridge.service.queue import start_queue
from weighbridge.store import stopping

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def _record(number: int, description: str) -> dict[str, str]:
    return {"code": f"P-{number:03}", "name": "Dining chair", "description": description}


@pytest.mark.parametrize("held_step", [1, 2, 3])
async def test_changed_product_is_completed_only_with_its_new_text(
    database_url: str, tmp_path: Path, held_step: int
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        replies = 0

        def count(_: object) -> None:
            nonlocal replies
            replies += 1
            if replies == held_step:
                running.wire.hold()

        running.wire.instead = count
        await running.start()
        await running.wire.until_held(1)
        changed = await import_records(
            running.app.database,
            [_record(3, "A wooden chair of oak")],
            limits=FieldLimits(),
        )
        assert changed.updated == 1
        await running.until_true("SELECT job_id IS NOT NULL FROM products WHERE code = 'P-003'")
        running.wire.let_go()
        await running.until(completed=5)
        (row,) = await running.fetch(
            "SELECT p.revision, f.revision AS of, f.category, f.detail FROM products p"
            " JOIN footprints f ON f.product_id = p.id WHERE p.code = 'P-003'"
        )
        assert row["of"] == row["revision"] == 2
        (neighbour,) = await running.fetch(
            "SELECT f.category FROM products p JOIN footprints f ON f.product_id = p.id WHERE "
            "code = 'P-002'"
        )
        assert row["category"] != neighbour["category"]
        await running.stop()
        await running.assert_sound()


async def test_late_footprint_of_an_older_revision_is_never_shown(
    database_url: str, tmp_path: Path
) -> None:
    """The last answer about the old text arrives after the new text was completed."""
    async with (
        program(database_url, tmp_path) as first,
        program(database_url, tmp_path, simulator=first.simulator) as second,
    ):
        await first.add_many(1)
        first.wire.instead = lambda request: (
            first.wire.hold() if b'"manufacturing"' in request.content else None
        )
        await first.start()
        await first.wire.until_held(1)
        await import_records(
            first.app.database, [_record(1, "A wooden chair of oak")], limits=FieldLimits()
        )
        # The first worker takes the new job too, and its reply is held as well: the second one has
        # none held.
        first.wire.instead = lambda _: None
        await second.work()
        await first.until_true("SELECT count(*) = 0 FROM pgqueuer WHERE status = 'queued'")
        first.wire.let_go()
        await second.until(completed=1)
        (row,) = await second.fetch(
            "SELECT p.revision, f.revision AS of FROM products p JOIN footprints f ON "
            "f.product_id = p.id"
        )
        assert row["of"] == row["revision"] == 2
        await first.stop()
        await second.stop()
        await second.assert_sound()


@pytest.mark.parametrize("held_step", [1, 3])
async def test_deleting_a_product_does_not_affect_its_group(
    database_url: str, tmp_path: Path, held_step: int
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        replies = 0

        def count(_: object) -> None:
            nonlocal replies
            replies += 1
            if replies == held_step:
                running.wire.hold()

        running.wire.instead = count
        await running.start()
        await running.wire.until_held(1)
        await delete_product(running.app.database, "P-003")
        running.wire.let_go()
        await running.until(completed=4)
        assert running.simulator.books.completed == 3
        assert await running.value("SELECT max(attempts) FROM products") == 0
        await running.stop()
        await running.assert_sound()


async def test_group_without_products_makes_no_more_calls(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(5)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(1)
        await running.fetch("DELETE FROM products")
        running.wire.let_go()
        await running.until_true("SELECT count(*) = 0 FROM pgqueuer")
        assert running.simulator.books.completed == 1
        await running.stop()
        await running.assert_sound()


async def test_products_that_are_being_queued_while_the_queue_is_stopped_go_back(
    database_url: str, tmp_path: Path
) -> None:
    the_dispatcher_waits = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE "
        "'SELECT running FROM queue_state%'"
    )
    async with program(database_url, tmp_path) as running:
        await running.add_many(20)
        await start_queue(running.app.database)
        async with running.app.database.transaction() as connection:
            await stopping.stop(connection)
            await running.work()
            await running.until_true(the_dispatcher_waits)
        await running.until_true("SELECT NOT running FROM queue_state")
        await running.until_true("SELECT bool_and(status = 'pending') FROM products")
        assert running.simulator.books.received == 0
        await running.stop()
        assert await running.value("SELECT count(*) FROM products WHERE job_id IS NOT NULL") == 0
        await running.assert_sound()


@pytest.mark.parametrize("together", [True, False])
async def test_a_suppliers_figure_for_a_processed_product_counts_without_a_call(
    database_url: str, tmp_path: Path, together: bool
) -> None:
    async with program(database_url, tmp_path, ask_together=together) as running:
        await running.add_many(3)
        await running.start()
        await running.until(completed=3)
        calls = await running.value("SELECT count(*) FROM calls")
        stated = {
            "code": "P-002",
            "name": "Steel bottle",
            "description": "A stainless steel bottle, edition 2",
            "supplierFootprint": "2.5",
            "supplierFootprintBoundary": "cradle-to-gate",
        }
        for kg_co2e in (2.5, 1.5):
            stated |= {"supplierFootprint": str(kg_co2e), "price": "4 EUR"}
            done = await import_records(running.app.database, [stated], limits=FieldLimits())
            assert done.updated == 1
            await running.until_true(
                "SELECT f.emissions_kg_co2e = $1 AND p.status = 'completed' FROM products p "
                "JOIN footprints f ON f.product_id = p.id WHERE p.code = 'P-002'",
                kg_co2e,
            )
        done = await import_records(
            running.app.database, [{**stated, "price": "5 EUR"}], limits=FieldLimits()
        )
        assert done.updated == 1
        await running.until(completed=3)  # a price weighs nothing again
        assert await running.value("SELECT max(revision) FROM products") == 3
        assert await running.value("SELECT count(*) FROM calls") == calls
        await running.stop()
        await running.assert_sound()
