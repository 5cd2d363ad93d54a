from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weighbridge.application import estimate_basis
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.service.estimates import Estimator
from weighbridge.service.imports import estimate_catalogue_file
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "gpt-4.1-mini"


def test_an_estimate_uses_a_table_of_ones_own(tmp_path: Path) -> None:
    table = tmp_path / "prices.csv"
    table.write_text(f"model,input_usd,output_usd\n{MODEL},7,9\n", encoding="utf-8")
    price = estimate_basis(load_settings(model=MODEL, prices=table)).load_prices().chosen
    assert (price.input_usd, price.output_usd) == (7.0, 9.0)


def test_an_estimate_uses_the_tier_that_is_asked_for() -> None:
    settings = load_settings(model="gpt-6-luna")
    standard = estimate_basis(settings).load_prices().chosen
    settings = load_settings(model="gpt-6-luna", service_tier="flex-or-default")
    flex = estimate_basis(settings).load_prices().chosen
    assert flex.known
    assert flex.input_usd < standard.input_usd


def test_a_server_of_ones_own_has_no_price_of_openais() -> None:
    own = load_settings(model=MODEL, openai_base_url="http://localhost:8080/v1")
    assert not estimate_basis(own).load_prices().chosen.known


def test_tiers_are_compared_whichever_is_chosen() -> None:
    settings = load_settings(model="gpt-6-luna", service_tier="flex")
    prices = estimate_basis(settings).load_prices()
    assert list(prices.tiers) == ["default", "flex", "batch"]
    assert prices.tiers["flex"] == prices.chosen
    assert prices.tiers["default"].input_usd == pytest.approx(2 * prices.chosen.input_usd)


def test_rows_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("code,name,description\nA,Cup,A cup\nB,Bowl,\n,Can,A can\n", encoding="utf-8")
    with OpenCatalogue(path) as catalogue:
        estimate = estimate_catalogue_file(catalogue, Estimator(estimate_basis(load_settings())))
    assert (estimate.products, estimate.rejected) == (1, 2)
