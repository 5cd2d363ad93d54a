"""Currencies: ISO 4217 codes (from CLDR), and the signs and words that people write for them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from babel.core import get_global

CURRENCY_SIGNS: Final = {
    "US$": "USD", "R$": "BRL", "A$": "AUD", "C$": "CAD", "HK$": "HKD", "NT$": "TWD", "S$": "SGD", "€": "EUR", "£": "GBP", "zł": "PLN",
    "₽": "RUB", "₹": "INR", "₺": "TRY", "₩": "KRW", "Kč": "CZK", "₫": "VND", "฿": "THB", "₪": "ILS", "₴": "UAH",
}  # fmt: skip
"""Signs that mean one currency, each with its code. "$", "¥" and "kr" mean several, so they name
none.
"""

_SPOKEN: Final = {
    "euro": "EUR", "euros": "EUR", "sfr": "CHF", "fr": "CHF", "kč": "CZK", "zl": "PLN", "zł": "PLN", "руб": "RUB", "р": "RUB", "元": "CNY",
    "円": "JPY", "원": "KRW", "ft": "HUF", "lei": "RON", "tl": "TRY", "rmb": "CNY",
}  # fmt: skip
CURRENCY_WORDS: Final = {
    word: _SPOKEN[word]
    for word in ("euro", "euros", "sfr", "kč", "zł", "руб", "元", "円", "원", "rmb")
}
"""Words that name a currency in a header too; `fr`, say, means French there."""
SEVERAL: Final = frozenset({"$", "¥", "kr", "kr.", "dollar", "dollars"})
"""Signs of more than one currency: accepted beside a price, but they do not name its currency."""


@lru_cache(maxsize=1)
def currencies() -> frozenset[str]:
    """Every ISO 4217 code."""
    return frozenset(get_global("all_currencies"))


def currency_of(mark: str) -> str | None:
    """The ISO 4217 code of a sign, code or word beside a price; None if it names no currency."""
    sign = mark.strip().strip(".,-– ")
    if sign in CURRENCY_SIGNS:
        return CURRENCY_SIGNS[sign]
    return sign.upper() if sign.upper() in currencies() else _SPOKEN.get(sign.casefold())
