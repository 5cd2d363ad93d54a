"""Counts tokens as the provider does, and remembers which beginnings of prompts its cache would hold.

Used by `requests.py` and `completions.py`. What repeats in every call, instructions and schema, is counted once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import bpe_openai

if TYPE_CHECKING:
    from collections.abc import Hashable

_ENCODING: Final = "o200k_base"
_CACHE_LEAST_TOKENS: Final = 1024
_CACHE_STEP_TOKENS: Final = 128
_CACHE_LIFE_S: Final = 600.0
_CACHE_ENTRIES: Final = 4096


@lru_cache(maxsize=1)
def _encoding() -> bpe_openai.Encoding:
    """Loaded on first use: it takes a quarter of a second."""
    return bpe_openai.get_encoding(_ENCODING)


def count_tokens(text: str) -> int:
    """Tokens of a text that is not expected again."""
    return len(_encoding().encode_ordinary(text))


def first_tokens(text: str, count: int) -> str:
    """The text cut after `count` tokens; where the cut splits a character, that character is left out."""
    encoding = _encoding()
    head: bytes = encoding.decode_bytes(encoding.encode_ordinary(text)[:count])
    return head.decode("utf-8", "ignore")


@lru_cache(maxsize=512)
def repeated_text(text: str) -> tuple[int, bytes]:
    """Tokens and digest of a text that comes again and again."""
    return count_tokens(text), hashlib.blake2b(
        text.encode("utf-8", "replace"), digest_size=8
    ).digest()


class PromptCache:
    """The provider's prompt cache: whole beginnings of prompts, kept for ten minutes after their last use."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, float] = OrderedDict()

    def cached_tokens(self, beginning: Hashable, tokens: int, now_s: float) -> int:
        """How many of these `tokens` are cached: all but a remainder below 128, if 1,024 or more and seen lately."""
        if tokens < _CACHE_LEAST_TOKENS:
            return 0
        seen_at_s = self._seen.pop(beginning, None)
        self._seen[beginning] = now_s
        if len(self._seen) > _CACHE_ENTRIES:
            self._seen.popitem(last=False)
        if seen_at_s is None or now_s - seen_at_s > _CACHE_LIFE_S:
            return 0
        return tokens - tokens % _CACHE_STEP_TOKENS
