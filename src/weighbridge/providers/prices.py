"""What a model costs, from the price list that genai-prices carries inside its wheel.

No network: the library fetches newer prices only when `UpdatePrices` is started, which nobody does here.
The list is imported at the first question, because loading it takes a fifth of a second and 1.6 MB of code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Price

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

UNKNOWN: Final = Price(input_usd=0.0, cached_input_usd=0.0, output_usd=0.0, known=False)

_SAMPLE_TOKENS: Final = 1000
"""Prices that rise with the length of the prompt start above 100,000 tokens: a thousand shows the base."""


@lru_cache(maxsize=64)
def price_of(model: str, provider_name: str) -> Price:
    """USD per million tokens of `model` at `provider_name` ("openai", or the host of another server).

    `UNKNOWN` for models without a published price, and for servers of one's own. A fine-tuned model
    ("ft:base:…") has a price of its own that is not in the list, so it is unknown too.
    """
    from genai_prices import Usage, calc_price

    def per_million(usage: Usage) -> Decimal:
        if provider_name == "openai":
            cost = calc_price(usage, model, provider_id="openai")
        else:
            cost = calc_price(usage, model, provider_api_url=f"https://{provider_name}/")
        return cost.total_price * 1_000_000 / _SAMPLE_TOKENS

    return _priced(
        lambda: per_million(Usage(input_tokens=_SAMPLE_TOKENS)),
        lambda: per_million(Usage(input_tokens=_SAMPLE_TOKENS, cache_read_tokens=_SAMPLE_TOKENS)),
        lambda: per_million(Usage(output_tokens=_SAMPLE_TOKENS)),
    )


def _priced(
    fresh: Callable[[], Decimal], cached: Callable[[], Decimal], output: Callable[[], Decimal]
) -> Price:
    try:
        return Price(float(fresh()), float(cached()), float(output()))
    except (LookupError, ValueError):  # not in the list, or in it without a price per token
        return UNKNOWN
