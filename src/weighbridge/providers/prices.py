"""What a model costs: by the user's own table (`WEIGHBRIDGE_PRICES`), else by the list in the
package genai-prices.

No network: the library fetches newer prices only when `UpdatePrices` is started, which nothing here
does. The list is imported when a price is first asked for, because loading it takes a fifth of a
second and 1.6 MB of code.
"""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Lane, Price
from weighbridge.errors import SettingsError
from weighbridge.planning.models import BATCH_FACTOR, profile_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal
    from pathlib import Path

UNKNOWN: Final = Price(input_usd=0.0, cached_input_usd=0.0, output_usd=0.0, known=False)

OWN_COLUMNS: Final = (
    "model",
    "input_usd",
    "output_usd",
    "cached_input_usd",
    "cache_write_usd",
    "provider",
)
"""The columns of the user's own table, in USD per million tokens; the last three may be left out or
empty.
"""

_SAMPLE_TOKENS: Final = 1000
"""For how many tokens a cost is computed to find the price per million tokens: some prices rise
with the length of the prompt, but only above 100,000 tokens.
"""


def price_of(
    model: str,
    provider_name: str,
    own: Mapping[tuple[str, str | None], Price] | None = None,
) -> Price:
    """USD per million tokens of `model` at `provider_name` ("openai", or the host of another
    server). Prices in the user's `own` table go first.

    `UNKNOWN` for models without a published price, and for the user's own servers. A fine-tuned
    model ("ft:base:…") has a price that is not in the list, so it is unknown too.
    """
    if own:
        found = own.get((model, provider_name)) or own.get((model, None))
        if found is not None:
            return found
    return _published(model, provider_name)


@lru_cache(maxsize=64)
def _published(model: str, provider_name: str) -> Price:
    """USD per million tokens from genai-prices; `UNKNOWN` where it has no price per token."""
    from genai_prices import Usage, calc_price

    def usd_per_million(usage: Usage) -> Decimal:
        if provider_name == "openai":
            cost = calc_price(usage, model, provider_id="openai")
        else:
            cost = calc_price(usage, model, provider_api_url=f"https://{provider_name}/")
        return cost.total_price * 1_000_000 / _SAMPLE_TOKENS

    def sample(**tokens: int) -> Callable[[], Decimal]:
        return lambda: usd_per_million(Usage(**tokens))

    many = _SAMPLE_TOKENS
    try:
        return Price(
            float(sample(input_tokens=many)()),
            float(sample(input_tokens=many, cache_read_tokens=many)()),
            float(sample(output_tokens=many)()),
            cache_write_usd=float(sample(input_tokens=many, cache_write_tokens=many)()),
            tiers=_tiers(model) if provider_name == "openai" else {},
        )
    except (LookupError, ValueError):  # not in the list, or in it without a price per token
        return UNKNOWN


def _tiers(model: str) -> dict[str, float]:
    """The factor on the standard price for each other service tier, batches included."""
    return {**profile_of(model).tiers, Lane.BATCH: BATCH_FACTOR}


def read_prices(path: Path) -> dict[tuple[str, str | None], Price]:
    """The user's own prices by (model, provider or None for any), from a CSV file with the columns
    of `OWN_COLUMNS`.

    Raises:
        SettingsError: names the file and the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise SettingsError(f"WEIGHBRIDGE_PRICES: {path} cannot be read ({error}).") from None
    found = {}
    for number, row in enumerate(rows, start=2):
        try:
            key, price = _own_price(row)
        except ValueError:
            raise SettingsError(
                f"WEIGHBRIDGE_PRICES: line {number} of {path} needs a model, input_usd and "
                "output_usd (USD per million tokens, 0 or more). The columns are "
                f"{', '.join(OWN_COLUMNS)}."
            ) from None
        found[key] = price
    if not found:
        raise SettingsError(
            f"WEIGHBRIDGE_PRICES: {path} holds no prices. Add a line for each model."
        )
    return found


def _own_price(row: Mapping[str, str | None]) -> tuple[tuple[str, str | None], Price]:
    """((model, provider or None for any), price) of a row.

    Reading or writing the cache costs what input costs, unless the row has a price for it.

    Raises:
        ValueError: the model or a needed price is missing, or a price is no finite number of at
            least 0.
    """
    cells = {name: (row.get(name) or "").strip() for name in OWN_COLUMNS}
    read = float(cells["input_usd"])
    price = Price(
        read,
        float(cells["cached_input_usd"] or read),
        float(cells["output_usd"]),
        cache_write_usd=float(cells["cache_write_usd"] or read),
        tiers=_tiers(cells["model"]),
    )
    prices = (price.input_usd, price.cached_input_usd, price.output_usd, price.cache_write_usd)
    if not cells["model"] or not all(usd is not None and 0 <= usd < math.inf for usd in prices):
        raise ValueError(cells["model"])
    return (cells["model"], cells["provider"] or None), price
