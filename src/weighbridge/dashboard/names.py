"""Turns names in programs into names for people. Pure; used as filters in templates."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from babel import Locale

from weighbridge.dashboard.formats import mass, percent, quantity, words

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
_CAPITAL: Final = re.compile(r"(?<=[a-z])[A-Z]")
CAUSES: Final = {
    "AnswerTruncated": "The answer was cut off",
    "AnswerMalformed": "The answer had the wrong format",
    "WrongProducts": "The answer mixed products up",
    "ImplausibleAnswer": "The answer contradicts the product",
    "RequestRefused": "The provider refused the request",
    "RequestTooLarge": "The product is too large for one call",
    "CalculationError": "The figure could not be calculated",
    "RateLimited": "The provider’s rate limit was reached",
    "ProviderTimeout": "The provider did not answer in time",
    "ProviderOverloaded": "The provider was overloaded",
    "EmptyReply": "The provider sent an empty reply",
    "RequestBlocked": "A firewall blocked the request",
    "ProviderUnreachable": "The provider could not be reached",
    "QuotaExhausted": "The account has no credit left",
    "AuthenticationFailed": "The provider refused the key",
    "ModelUnknown": "The account has no such model",
}
"""Kind of error → what people call it."""
_FACTS: Final = {
    "gross_weight_kg": "Gross weight",
    "weight_is_gross": "Weight with packaging",
    "process_hints": "How it is made",
    "quantity": "Quantity a year",
    "parent_code": "Variant of",
    "supplier_footprint_kg_co2e": "Supplier’s figure (kg CO2e)",
    "supplier_footprint_per": "Supplier’s figure is for one",
    "supplier_footprint_boundary": "Supplier’s figure covers",
}
_FIELDS: Final = {"imageUrl": "Picture"}


def fact(name: str) -> str:
    """The name for people of a fact of the catalogue."""
    return _FACTS.get(name) or words(name)


def fact_value(value: Any, name: str) -> str:
    """The value of a fact of the catalogue (`name`) as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_kg"):
        return mass(value)
    if name == "recycled_share":
        return percent(value, 0)
    return quantity(value) if isinstance(value, float | int) else str(value)


def in_words(text: str, names: Mapping[str, str]) -> str:
    """A sentence with keys replaced by their names: steel_roll_forming → Roll forming."""
    return _KEY.sub(lambda found: names.get(found[0], found[0]), text)


def cause(kind: str) -> str:
    """What went wrong, from the kind of an error: `ProviderTimeout` → `Provider timeout`."""
    return CAUSES.get(kind) or words(_CAPITAL.sub(lambda found: " " + found[0].lower(), kind))


def file_kind(name: str) -> str:
    """The name of a file format: XLSX, CSV, JSONL, Parquet."""
    return name.capitalize() if len(name) > 5 else name.upper()


def country(code: str) -> str:
    """The English name of a country: CN → China."""
    return str(_english().territories.get(code, code))


def field(name: str) -> str:
    """A field of the HTTP contract for people: `countryOfOrigin` → `Country of origin`."""
    return _FIELDS.get(name) or words(_CAPITAL.sub(lambda found: " " + found[0].lower(), name))


@cache
def _english() -> Locale:
    return Locale("en")


NAMES: Final = {
    "cause": cause,
    "country": country,
    "fact": fact,
    "fact_value": fact_value,
    "field": field,
    "file_kind": file_kind,
    "in_words": in_words,
}
