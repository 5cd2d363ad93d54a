"""Footprints name their rates; those that carry them in full, from before, read the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.application import program
from weighbridge.service.results import iterate_results
from weighbridge.store.rates import insert_rates, load_rates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.export.base import ResultRow

pytestmark = pytest.mark.anyio

WRITE_IN_FULL = """
UPDATE footprints SET detail = jsonb_set(detail, '{footprint,contributions}', (
    SELECT jsonb_agg(to_jsonb(r) - 'id' || jsonb_build_object('label', c -> 1, 'activity', c -> 2,
                     'emissions_kg_co2e', c -> 3, 'low_kg_co2e', c -> 4, 'high_kg_co2e', c -> 5) ORDER BY place)
    FROM jsonb_array_elements(detail #> '{footprint,contributions}') WITH ORDINALITY AS named (c, place)
    JOIN rates r ON r.id = (c ->> 0)::bigint))
"""


async def test_a_footprint_reads_the_same_whether_it_names_its_rates_or_carries_them(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(3, country_of_origin="DE")
        await running.start()
        await running.until(completed=3)
        named = await _results(running)
        size = "SELECT sum(pg_column_size(detail::text)) FROM footprints"
        short = await running.value(size)
        await running.fetch(WRITE_IN_FULL)
        assert await running.value(size) > 2 * short
        assert await _results(running) == named
        assert all(row.contributions for row in named)
        assert all(one.source and one.licence for row in named for one in row.contributions)
        await running.assert_sound()


async def _results(running: RunningProgram) -> list[ResultRow]:
    batches = iterate_results(running.app.database, running.app.taxonomy)
    return [row async for rows in batches for row in rows]


async def test_a_rate_that_is_stored_already_is_left_as_it_is(
    database_url: str, tmp_path: Path
) -> None:
    steel = ("material", "steel", "kg", 2.5, "a list", "7", "2024", "GLO", "CC0-1.0", False)
    zinc = ("material", "zinc", "kg", 4.0, "a list", "8", "2024", "GLO", "CC0-1.0", True)
    async with program(database_url, tmp_path) as running, running.app.database.transaction() as to:
        await insert_rates(to, {2**62: steel})
        await insert_rates(to, {2**62: steel, -(2**62): zinc})
        assert await load_rates(to, [2**62, -(2**62), 5]) == {2**62: steel, -(2**62): zinc}
