"""What is stored of a footprint has names: it reads the same in every form that was ever written,
and with fields to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.application import program
from weighbridge.service.doctor import examine
from weighbridge.service.results import iterate_results
from weighbridge.store.rates import insert_rates, load_rates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.export.base import ResultRow

pytestmark = pytest.mark.anyio

IN_FULL = """
UPDATE footprints SET detail = jsonb_set(detail #- '{footprint,contribution_fields}', '{footprint,contributions}', (
    SELECT jsonb_agg(to_jsonb(r) - 'id' || (c - 'rate'))
    FROM named_contributions(detail) AS c JOIN rates r ON r.id = (c ->> 'rate')::bigint))
"""
"""As programs before schema 8 wrote it: every contribution carries its rate."""
WITHOUT_NAMES = "UPDATE footprints SET detail = detail #- '{footprint,contribution_fields}'"
"""As programs of schema 8 wrote it: the fields of a contribution are known by their position."""
ANOTHER_ORDER = """
UPDATE footprints SET detail = jsonb_set(
    jsonb_set(detail, '{footprint,contribution_fields}',
              '["route", "label", "high_kg_co2e", "low_kg_co2e", "rate", "emissions_kg_co2e", "activity"]'),
    '{footprint,contributions}',
    (SELECT jsonb_agg(jsonb_build_array('by mass', c -> 'label', c -> 'high_kg_co2e', c -> 'low_kg_co2e', c -> 'rate',
                                        c -> 'emissions_kg_co2e', c -> 'activity'))
     FROM named_contributions(detail) AS c))
"""
"""As a program after this one may write it: a field more, and in another order."""


@pytest.mark.parametrize(
    "rewrite", [IN_FULL, WITHOUT_NAMES, ANOTHER_ORDER], ids=["schema 7", "schema 8", "to come"]
)
async def test_a_footprint_in_another_form_reads_the_same(
    rewrite: str, database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(3, country_of_origin="DE")
        await running.start()
        await running.until(completed=3)
        written = await _results(running)
        await running.fetch(rewrite)
        assert await _results(running) == written
        assert all(row.contributions for row in written)
        assert all(one.source and one.licence for row in written for one in row.contributions)
        await running.assert_sound()


@pytest.mark.parametrize("rewrite", ["", WITHOUT_NAMES, ANOTHER_ORDER])
async def test_the_doctor_finds_a_wrong_sum_whatever_the_form(
    rewrite: str, database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(1)
        await running.start()
        await running.until(completed=1)
        if rewrite:
            await running.fetch(rewrite)
        await running.fetch("UPDATE footprints SET emissions_kg_co2e = emissions_kg_co2e * 1.01")
        examination = await examine(running.app.database)
        assert "footprint-does-not-add-up" in str(examination.findings)
        await running.fetch("DELETE FROM rates")
        examination = await examine(running.app.database)
        assert "contribution-without-source" in str(examination.findings)


async def _results(running: RunningProgram) -> list[ResultRow]:
    app = running.app
    batches = iterate_results(app.database, app.taxonomy, app.questions.steps)
    return [row async for rows in batches for row in rows]


async def test_a_stored_rate_is_not_changed(database_url: str, tmp_path: Path) -> None:
    steel = ("material", "steel", "kg", 2.5, "a list", "7", "2024", "GLO", "CC0-1.0", False)
    zinc = ("material", "zinc", "kg", 4.0, "a list", "8", "2024", "GLO", "CC0-1.0", True)
    async with program(database_url, tmp_path) as running, running.app.database.transaction() as to:
        await insert_rates(to, {2**62: steel})
        await insert_rates(to, {2**62: steel, -(2**62): zinc})
        assert await load_rates(to, [2**62, -(2**62), 5]) == {2**62: steel, -(2**62): zinc}
