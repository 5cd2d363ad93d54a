"""Measures whether the provider's prompt cache pays. Pure.

Newer families bill what they write into the cache at 1.25 times the input price, and what they read
from it at a tenth: https://developers.openai.com/api/docs/guides/prompt-caching. Where calls are
too far apart to find what was written, writing costs more than reading saves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.planning.cost import cache_saving_usd

if TYPE_CHECKING:
    from weighbridge.domain.calls import Price, Usage

TRIAL_REPLIES: Final = 50
"""Number of replies with cache reads or writes that are needed before it is judged whether the
cache pays.
"""


@dataclass(slots=True)
class CacheWatch:
    """What caching has saved with one server and model; negative `saving_usd` is money lost.

    `replies` counts the replies with cache reads or writes.
    """

    replies: int = 0
    saving_usd: float = 0.0

    def observe(self, usage: Usage, price: Price) -> None:
        """Add the saving or cost of one reply's cache reads and writes."""
        if usage.cached_input_tokens or usage.cache_write_tokens:
            self.replies += 1
            self.saving_usd += cache_saving_usd(usage, price)

    @property
    def does_not_pay(self) -> bool:
        """Whether caching has lost money over at least `TRIAL_REPLIES` replies."""
        return self.replies >= TRIAL_REPLIES and self.saving_usd < 0
