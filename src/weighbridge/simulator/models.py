"""The models of the simulated account, by the provider's documentation: limits, reasoning, caching,
tiers, shutdown.

Written from https://developers.openai.com/api/docs/models/gpt-6-luna and the guides beside it
(prompt caching, flex processing, deprecations), without a look at Weighbridge's own table, so that
a mistake there is not repeated here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What one model takes in and gives out, in tokens, and how it behaves.

    `efforts` are the values of `reasoning_effort` that it takes (none: it cannot reason), and
    `default_effort` is the one for a request without. With `bills_cache_writes` it caches exactly
    up to breakpoints, and the tokens that it writes to the cache are counted. From the day
    `shutdown` on it is unknown.
    """

    context_tokens: int
    output_tokens: int
    efforts: tuple[str, ...] = ()
    default_effort: str = "none"
    bills_cache_writes: bool = False
    tiers: frozenset[str] = frozenset({"default"})
    shutdown: date | None = None

    @property
    def reasons(self) -> bool:
        """Whether the model can reason; such models refuse `max_tokens`."""
        return bool(self.efforts)


_TIERS: Final = frozenset({"default", "flex", "priority"})
_OLD: Final = date(2027, 1, 14)
_GPT_5: Final = ("minimal", "low", "medium", "high")

LUNA: Final = ModelLimits(
    1_050_000,
    128_000,
    ("none", "low", "medium", "high", "xhigh", "max"),
    "medium",
    bills_cache_writes=True,
    tiers=_TIERS,
)
GPT_5: Final = ModelLimits(
    400_000, 128_000, _GPT_5, "medium", tiers=_TIERS, shutdown=date(2026, 12, 11)
)

STANDARD: Final = ModelLimits(400_000, 128_000)
"""The limits of models of which nothing but the price is known."""

KNOWN_MODELS: Final[Mapping[str, ModelLimits]] = {
    "gpt-6-luna": LUNA,
    "gpt-5.6-luna": LUNA,
    "gpt-4.1": ModelLimits(1_047_576, 32_768, shutdown=_OLD),
    "gpt-4.1-mini": ModelLimits(1_047_576, 32_768, shutdown=_OLD),
    "gpt-4.1-nano": ModelLimits(1_047_576, 32_768),
    "gpt-4o": ModelLimits(128_000, 16_384, shutdown=_OLD),
    "gpt-4o-mini": ModelLimits(128_000, 16_384, shutdown=_OLD),
    "gpt-5": GPT_5,
    "gpt-5-mini": GPT_5,
    "gpt-5-nano": GPT_5,
}

_HIDDEN_TOKENS: Final[Mapping[str, int]] = {
    "none": 0, "minimal": 60, "low": 250, "medium": 900, "high": 3_000, "xhigh": 8_000, "max": 20_000,
}  # fmt: skip
"""Usual reasoning tokens of a call by effort. Invented: the documentation says "a few hundred to
tens of thousands" and gives no figure for each effort.
"""


def hidden_tokens(effort: str, digest: bytes) -> int:
    """Reasoning tokens of one call: between half and one and a half times the usual number, by the
    request's digest.
    """
    usual = _HIDDEN_TOKENS[effort]
    return usual * (128 + digest[0]) // 256
