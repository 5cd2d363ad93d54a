"""The tree of a stored figure, by the service and over HTTP."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tests.support.api import api_client
from tests.support.application import program
from weighbridge.errors import Conflict, NotFound
from weighbridge.service.desk.explaining import explain_product
from weighbridge.service.product_views import show_product

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_every_contribution_of_a_stored_figure_is_in_its_tree(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(4, country_of_origin="DE")
        await running.add({"code": "SHOE", "name": "Running shoe", "description": "A sports shoe"})
        await running.start()
        await running.until(completed=5)
        database, steps = running.app.database, running.app.questions.steps
        for code in ("P-001", "SHOE"):
            found = await explain_product(database, steps, code)
            shown = (await show_product(database, steps, code)).footprint
            assert shown is not None
            routes = found.explanation.routes
            terms = [term for route in routes for line in route.lines for term in line.terms]
            assert sorted(term.label for term in terms) == sorted(
                one.label for one in shown.footprint.contributions
            )
            for route in routes:
                total = math.fsum(line.emissions_kg_co2e for line in route.lines)
                assert total == pytest.approx(route.emissions_kg_co2e)
    async with api_client(database_url, tmp_path) as client:
        answer = await client.get("/api/products/SHOE/explanation")
        assert answer["explanation"]["routes"]
        assert answer["simulated"] is True


async def test_a_product_without_a_figure_is_not_explained(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(1)
        database, steps = running.app.database, running.app.questions.steps
        with pytest.raises(Conflict, match=r"P-001 has no figure to explain\. It is waiting"):
            await explain_product(database, steps, "P-001")
        with pytest.raises(NotFound, match="There is no product X-1"):
            await explain_product(database, steps, "X-1")
