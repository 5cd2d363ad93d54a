"""What an estimate promises is what the provider's bill says afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.application import program
from weighbridge.application import estimate_basis
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.service.estimates import Estimator
from weighbridge.service.imports import import_file, inspect_file
from weighbridge.settings import load_settings

pytestmark = pytest.mark.anyio

CATALOGUE = Path(__file__).parents[2] / "examples" / "catalogue.csv"
MODEL = "gpt-6-luna"


@pytest.mark.parametrize("together", [True, False])
async def test_estimate_is_within_a_tenth_of_the_simulators_bill(
    database_url: str, tmp_path: Path, together: bool
) -> None:
    basis = estimate_basis(load_settings(model=MODEL), together=together)
    estimate = inspect_file(CATALOGUE, estimator=Estimator(basis)).estimate
    assert estimate is not None
    async with program(
        database_url, tmp_path, model=MODEL, variants=True, ask_together=together
    ) as running:
        await import_file(running.app.database, CATALOGUE)
        await running.start()
        await running.until(completed=60)
        books = running.simulator.books
    usage = Usage(
        books.prompt_tokens, books.output_tokens, books.cached_tokens, books.cache_write_tokens
    )
    bill = call_cost_usd(usage, basis.load_prices().chosen)
    assert [one.tier for one in estimate.tiers] == ["default", "flex", "batch"]
    assert estimate.tiers[1].cost_usd == pytest.approx(estimate.cost_usd / 2)
    assert estimate.cost_usd == pytest.approx(bill, rel=0.1)
    assert estimate.low_usd < bill < estimate.high_usd
    assert estimate.requests == pytest.approx(books.completed, rel=0.1)
