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
    basis = estimate_basis(load_settings(model=MODEL, prices=table))
    assert (basis.price.input_usd, basis.price.output_usd) == (7.0, 9.0)


def test_an_estimate_uses_the_tier_that_is_asked_for() -> None:
    standard = estimate_basis(load_settings(model="gpt-6-luna")).price
    flex = estimate_basis(load_settings(model="gpt-6-luna", service_tier="flex-or-default")).price
    assert flex.known
    assert flex.input_usd < standard.input_usd


def test_a_server_of_ones_own_has_no_price_of_openais() -> None:
    own = load_settings(model=MODEL, openai_base_url="http://localhost:8080/v1")
    assert not estimate_basis(own).price.known


def test_tiers_are_compared_whichever_is_chosen() -> None:
    basis = estimate_basis(load_settings(model="gpt-6-luna", service_tier="flex"))
    assert list(basis.tiers) == ["default", "flex", "batch"]
    assert basis.tiers["flex"] == basis.price
    assert basis.tiers["default"].input_usd == pytest.approx(2 * basis.price.input_usd)


def test_rows_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("code,name,description\nA,Cup,A cup\nB,Bowl,\n,Can,A can\n", encoding="utf-8")
    with OpenCatalogue(path) as catalogue:
        estimate = estimate_catalogue_file(catalogue, Estimator(estimate_basis(load_settings())))
    assert (estimate.products, estimate.rejected) == (1, 2)
