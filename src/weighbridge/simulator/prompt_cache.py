"""Remembers which beginnings of prompts the provider's cache would hold.

Used by `account.py` for each answer: https://developers.openai.com/api/docs/guides/prompt-caching
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from weighbridge.simulator.questions.chat import ChatRequest

_CACHE_LEAST_TOKENS: Final = 1024
"""How many tokens the beginning of a prompt has at least to be cached."""
_CACHE_STEP_TOKENS: Final = 128
"""For older models, the number of tokens read from the cache is a multiple of this."""
_CACHE_LIFE_S: Final = 600.0
"""For older models, how many seconds the beginning of a prompt stays cached after its last use."""
_BREAKPOINT_LIFE_S: Final = 1_800.0
"""For newer models, how many seconds the beginning of a prompt up to a breakpoint stays cached
after its last use.
"""
_CACHE_ENTRIES: Final = 4096


class Cached(NamedTuple):
    """Prompt tokens that one call read from the cache, and wrote to it where that is billed."""

    read: int = 0
    written: int = 0


class PromptCache:
    """The provider's prompt cache: beginnings of prompts, kept for a while after their last use.

    Older models keep whole beginnings for ten minutes, in steps of 128 tokens, and bill no writes.
    Since GPT-5.6 a beginning is kept exactly up to a breakpoint, for 30 minutes at least, and what
    is written is billed.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, float] = OrderedDict()

    def look_up(self, request: ChatRequest, now_s: float) -> Cached:
        """How many tokens of its prompt a call reads from the cache, and how many it writes."""
        if not request.bills_cache_writes:
            return Cached(self.cached_tokens(request.beginning, request.beginning_tokens, now_s))
        read = written = 0
        for key, tokens in request.cached_prefixes:
            if tokens < _CACHE_LEAST_TOKENS:
                continue
            if self._was_held(key, _BREAKPOINT_LIFE_S, now_s):
                read = max(read, tokens)
            else:
                written = max(written, tokens)
        return Cached(read, max(0, written - read))

    def cached_tokens(self, beginning: Hashable, tokens: int, now_s: float) -> int:
        """How many of the `tokens` of a prompt's beginning are read from the cache.

        All but a remainder below 128, if there are at least 1,024 and the beginning was last used
        within ten minutes; else 0.
        """
        if tokens < _CACHE_LEAST_TOKENS or not self._was_held(beginning, _CACHE_LIFE_S, now_s):
            return 0
        return tokens - tokens % _CACHE_STEP_TOKENS

    def _was_held(self, beginning: Hashable, life_s: float, now_s: float) -> bool:
        """Whether the beginning was used within `life_s`; also puts it into the cache."""
        seen_at_s = self._seen.pop(beginning, None)
        self._seen[beginning] = now_s
        if len(self._seen) > _CACHE_ENTRIES:
            self._seen.popitem(last=False)
        return seen_at_s is not None and now_s - seen_at_s <= life_s
