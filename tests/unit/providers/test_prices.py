"""Prices come from the list in the wheel, never from the network (sockets are closed in tests)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import genai_prices
import pytest

from weighbridge.errors import SettingsError
from weighbridge.providers.prices import UNKNOWN, price_of, read_prices

if TYPE_CHECKING:
    from pathlib import Path


def test_a_known_model_has_three_prices_in_falling_order() -> None:
    price = price_of("gpt-4o-mini", "openai")
    assert price.known
    assert 0 < price.cached_input_usd < price.input_usd < price.output_usd


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini", "gpt-4.1-mini", "gpt-5-mini", "o4-mini", "gpt-5.4"]
)
def test_the_price_agrees_with_the_list_on_a_whole_call(model: str) -> None:
    price = price_of(model, "openai")
    usage = genai_prices.Usage(input_tokens=2000, cache_read_tokens=1024, output_tokens=300)
    listed = genai_prices.calc_price(usage, model, provider_id="openai").total_price
    ours = (976 * price.input_usd + 1024 * price.cached_input_usd + 300 * price.output_usd) / 1e6
    assert ours == pytest.approx(float(listed))


def test_a_model_without_a_discount_for_cached_input_pays_the_full_price() -> None:
    price = price_of("gpt-4", "openai")
    assert price.cached_input_usd == price.input_usd > 0


def test_another_server_is_found_by_its_host() -> None:
    assert price_of("llama-3.3-70b-versatile", "api.groq.com").known


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("no-such-model", "openai"),
        ("gpt-4o-mini", "localhost"),
        ("", "openai"),
        ("x", ""),
        ("ft:gpt-4o-mini:a::1", "openai"),
    ],
)
def test_an_unpublished_price_is_unknown(model: str, provider: str) -> None:
    assert price_of(model, provider) == UNKNOWN


@pytest.mark.parametrize(
    "column", ["input_usd", "cached_input_usd", "output_usd", "cache_write_usd"]
)
@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "-5", "free"])
def test_a_price_of_ones_own_is_a_finite_number_of_at_least_zero(
    tmp_path: Path, column: str, cell: str
) -> None:
    row = {
        "model": "mine",
        "input_usd": "0.1",
        "cached_input_usd": "0.01",
        "output_usd": "0.5",
        "cache_write_usd": "0.125",
    }
    path = tmp_path / "prices.csv"
    path.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    assert read_prices(path)["mine", None].input_usd == 0.1
    row[column] = cell
    path.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"line 2 .* 0 or more"):
        read_prices(path)
