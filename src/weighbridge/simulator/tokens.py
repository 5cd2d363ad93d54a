"""Counts tokens as the provider does.

Used by `questions/chat.py` and `completions.py`. Texts that repeat in every call (instructions and
schema) are counted once.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from weighbridge import tokenizer

_PIECE: Final = re.compile(rb'"?[^"]*(?:(?:(?<![^\W_])"|"(?!,))[^"]*)*')
"""A piece of a text that ends before a quotation mark between a letter or digit and a comma: where
a JSON string ends.
"""
_SAME_DIGIT: Final = bytes.maketrans(b"123456789", b"000000000")
_LONGEST_PIECE: Final = 256
"""How many bytes a piece may have, at most, for its number of tokens to be remembered; a longer
piece is counted each time.
"""
_PIECES_KEPT: Final = 100_000
"""For how many pieces of text, at most, the number of tokens is remembered."""


class _Pieces(dict[bytes, int]):
    """The number of tokens by piece of text, each counted when it is first asked for."""

    def __missing__(self, piece: bytes) -> int:
        """Count the tokens of a new piece, and remember the number unless the piece is long."""
        count = tokenizer.count_tokens(piece.decode("utf-8", "surrogatepass"))
        if len(piece) <= _LONGEST_PIECE:
            if len(self) >= _PIECES_KEPT:
                self.clear()
            self[piece] = count
        return count


_pieces: Final = _Pieces()


def count_tokens(text: str) -> int:
    """The exact number of tokens in a text.

    Prompts and answers are JSON: the same names and values over and over, between other numbers.
    The vocabulary's own rules allow two short cuts, with which counting takes a fifth of its time:
    it never joins a letter or digit with a quotation mark after it, and takes up to three digits
    for one token, whichever they are.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) == len(
        text
    ):  # other scripts have digits of their own, which could stand beside these
        encoded = encoded.translate(_SAME_DIGIT)
    return sum(map(_pieces.__getitem__, _PIECE.findall(encoded)))


def first_tokens(text: str, count: int) -> str:
    """The text cut after `count` tokens, or before them where the cut splits a character."""
    encoder = tokenizer.tokenizer()
    tokens = encoder.encode(text)[:count]
    while True:
        try:
            return encoder.decode(tokens)
        except ValueError:
            tokens.pop()


@lru_cache(maxsize=512)
def repeated_text(text: str) -> tuple[int, bytes]:
    """(number of tokens, digest) of a text that repeats in many calls."""
    return count_tokens(text), hashlib.blake2b(
        text.encode("utf-8", "replace"), digest_size=8
    ).digest()
