"""A provider or a source of factors is one file and one line in wiring, and the whole program works
with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.application import until
from tests.toys.parrot_provider import ParrotProvider
from tests.toys.stone_age_factors import StoneAgeFactors
from weighbridge import application, wiring
from weighbridge.application import load_factors, open_application
from weighbridge.domain.products import FieldLimits
from weighbridge.errors import SettingsError
from weighbridge.service.imports import import_records
from weighbridge.service.queue import start_queue
from weighbridge.service.results import iterate_results
from weighbridge.settings import Settings, load_settings
from weighbridge.wiring import make_engine, open_provider

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.export.base import ResultRow

pytestmark = pytest.mark.anyio

PRODUCTS = [
    {"code": code, "name": "Hand axe", "description": "A hand axe of flint", "weight": 1}
    for code in ("A", "B")
]


async def _processed(settings: Settings, provider_calls: list[int]) -> list[ResultRow]:
    """The results of two products, by the provider and with the factors of the settings."""
    async with (
        open_application(settings) as app,
        open_provider(settings) as provider,
    ):
        await import_records(app.database, PRODUCTS, limits=FieldLimits())
        engine = await make_engine(app, provider)
        await start_queue(app.database)
        await engine.supervisor.start()
        await until(
            lambda: app.database.pool.fetchval(
                "SELECT count(*) = 2 FROM products WHERE status IN ('completed', 'failed')"
            ),
            "both products are done",
        )
        await engine.supervisor.drain()
        assert isinstance(provider, ParrotProvider)
        provider_calls.append(provider.calls)
        batches = iterate_results(app.database, app.taxonomy, app.questions.steps)
        return [row async for rows in batches for row in rows]


async def test_a_new_provider_is_one_line_in_wiring(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(wiring.PROVIDERS, "parrot", ParrotProvider)
    settings = _settings(database_url, tmp_path, provider="parrot", model="polly")
    calls: list[int] = []
    rows = await _processed(settings, calls)
    assert calls == [3]
    for row in rows:
        assert row.error is None
        assert row.emissions_kg_co2e is not None
        assert row.provenance is not None
        assert (row.provenance.provider, row.provenance.model) == ("parrot", "polly-1")
        assert not row.simulated


async def test_a_new_source_of_factors_is_one_line_in_wiring(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(wiring.PROVIDERS, "parrot", ParrotProvider)
    monkeypatch.setitem(application.FACTOR_SOURCES, "stone age", StoneAgeFactors)
    settings = _settings(database_url, tmp_path, provider="parrot", factor_source="stone age")
    for row in await _processed(settings, []):
        assert row.emissions_kg_co2e == pytest.approx(3.0)
        assert [one.source for one in row.contributions] == ["Wall of a cave"]
        assert row.provenance is not None
        assert row.provenance.factors.startswith("stone-age ")


async def test_a_name_that_is_not_registered_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"WEIGHBRIDGE_FACTOR_SOURCE is 'ecoinvent'.*bundled"):
        load_factors(load_settings(factor_source="ecoinvent"))
    with pytest.raises(SettingsError, match=r"WEIGHBRIDGE_PROVIDER is 'nobody'.*openai"):
        async with open_provider(load_settings(provider="nobody")):
            pass


def _settings(url: str, folder: Path, **values: Any) -> Settings:
    return load_settings(database_url=url, data_dir=folder, pacing="continuous", **values)
