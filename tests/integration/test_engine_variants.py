"""Products of one design are asked about once; the others get the answers, each with its own
weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import AMPLE, PATIENCE_S, RunningProgram, program
from tests.support.variant_catalogue import catalogue

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

FAMILY: list[dict[str, Any]] = [
    {"code": "BOT-1", "name": "Steel bottle, red, 500 ml", "weight_kg": 0.3},
    {"code": "BOT-2", "name": "Steel bottle, blue, 500 ml", "weight_kg": 0.3},
    {"code": "BOT-3", "name": "Steel bottle, blue, 1 l", "weight_kg": 0.6},
]
GLASS: dict[str, Any] = {"code": "GLA-1", "name": "Glass bottle, blue, 500 ml", "weight_kg": 0.3}


async def _asked(running: RunningProgram) -> int:
    """How many products had answers of their own."""
    return int(
        await running.value(
            "SELECT count(DISTINCT product_id) FROM answers WHERE variant_of IS NULL"
        )
    )


async def test_one_of_a_design_is_asked_and_the_others_get_its_answers(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(*FAMILY, GLASS)
        await running.start()
        await running.until(completed=4)
        assert await _asked(running) == 2
        rows = await running.fetch(
            "SELECT p.code, min(a.variant_of) AS of, bool_and(a.simulated) AS simulated, "
            "sum(a.cost_usd) AS usd, count(*) AS answers FROM answers a JOIN products p ON p.id = "
            "a.product_id GROUP BY p.code ORDER BY p.code"
        )
        assert [(row["code"], row["of"], row["answers"]) for row in rows] == [
            ("BOT-1", None, 3),
            ("BOT-2", "BOT-1", 3),
            ("BOT-3", "BOT-1", 3),
            ("GLA-1", None, 3),
        ]
        assert all(row["simulated"] for row in rows)
        assert [row["usd"] > 0 for row in rows] == [True, False, False, True]
        await running.stop()
        await running.assert_sound()


async def test_footprint_of_a_variant_is_scaled_to_its_own_weight(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(*FAMILY)
        await running.start()
        await running.until(completed=3)
        rows = await running.fetch(
            "SELECT f.mass_kg, f.emissions_kg_co2e AS kg FROM footprints f JOIN products p ON "
            "p.id = f.product_id ORDER BY p.code"
        )
        assert [row["mass_kg"] for row in rows] == pytest.approx([0.3, 0.3, 0.6])
        assert rows[1]["kg"] == pytest.approx(rows[0]["kg"])
        assert rows[2]["kg"] == pytest.approx(2 * rows[0]["kg"])


async def test_answers_of_an_earlier_catalogue_are_not_paid_for_again(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(FAMILY[0])
        await running.start()
        await running.until(completed=1)
        received = running.simulator.books.received
        await running.stop()
    async with program(database_url, tmp_path, simulator=running.simulator, variants=True) as again:
        await again.add({**FAMILY[0], "code": "SAME-TEXT"}, FAMILY[2])
        await again.start()
        await again.until(completed=3)
        assert again.simulator.books.received == received
        await again.assert_sound()


async def test_country_makes_no_other_design_and_is_computed_for_each(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(
            {**FAMILY[0], "country_of_origin": "SE"}, {**FAMILY[1], "country_of_origin": "PL"}
        )
        await running.start()
        await running.until(completed=2)
        assert await _asked(running) == 1
        assert await running.value("SELECT count(DISTINCT emissions_kg_co2e) FROM footprints") == 2


async def test_variants_can_be_switched_off(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=False) as running:
        await running.add(*FAMILY)
        await running.start()
        await running.until(completed=3)
        assert await _asked(running) == 3


async def test_variants_are_asked_themselves_when_the_one_that_was_asked_fails(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(*FAMILY)
        running.wire.hold()
        await running.start()
        await running.wire.until_held(1)
        await running.fetch(
            "UPDATE products SET status = 'failed', error = 'a test', error_kind = 'Test', job_id "
            "= NULL WHERE code = 'BOT-1'"
        )
        running.wire.let_go()
        await running.until(completed=2, failed=1)
        assert await running.value("SELECT count(*) FROM answers WHERE variant_of IS NOT NULL") == 0


async def test_a_changed_product_no_longer_has_the_answers_of_its_former_design(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(*FAMILY)
        await running.start()
        await running.until(completed=3)
        await running.fetch(
            "UPDATE products SET name = 'Oak table', weight_kg = 20, revision = revision + 1, "
            "status = 'pending', completed_at = NULL WHERE code = 'BOT-2'"
        )
        running.engine.supervisor._look_again()
        await running.until(completed=3)
        assert await running.value("SELECT variant_of IS NULL FROM products WHERE code = 'BOT-2'")
        assert await _asked(running) == 2


async def test_batch_takes_its_variants_along(database_url: str, tmp_path: Path) -> None:
    async with program(
        database_url, tmp_path, AMPLE, pacing="batch", batch_size=5, variants=True
    ) as running:
        await running.add(*catalogue(4))
        await running.start()
        await running.until(completed=24)
        assert await running.value("SELECT current_batch FROM queue_state") == 1
        assert await _asked(running) == 4


async def test_catalogue_of_a_thousand_designs_is_asked_about_once_each(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, AMPLE, variants=True) as running:
        await running.add(*catalogue(1_000))
        await running.start()
        await running.until(completed=6_000, timeout_s=10 * PATIENCE_S)
        assert await _asked(running) <= 1_150
        await running.stop()
        await running.assert_sound()


async def _kg(running: RunningProgram) -> dict[str, float]:
    rows = await running.fetch(
        "SELECT p.code, f.emissions_kg_co2e AS kg FROM footprints f JOIN products p ON p.id = "
        "f.product_id"
    )
    return {row["code"]: row["kg"] for row in rows}


async def test_scaled_footprints_are_within_two_per_cent_of_asking_about_each(
    database_url: str, tmp_path: Path
) -> None:
    family = [row for row in catalogue(8) if row["code"][-1] in "024"]  # three weights of each
    found = []
    for variants in (True, False):
        async with program(database_url, tmp_path, AMPLE, variants=variants) as running:
            await running.fetch("DELETE FROM products")
            await running.add(*family)
            await running.start()
            await running.until(completed=len(family))
            assert await _asked(running) == (8 if variants else len(family))
            found.append(await _kg(running))
            await running.stop()
    scaled, asked = found
    assert scaled == pytest.approx(asked, rel=0.02)
