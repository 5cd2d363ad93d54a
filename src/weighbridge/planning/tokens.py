"""Estimates how many tokens a call will take: the prompt is counted, the output is predicted from
earlier answers.

`grouping.py` fills groups by these figures, and the governor reserves them from the quota. When the
provider admits a call, it charges the prompt plus the output allowance to the limit, and gives
nothing back (https://platform.openai.com/docs/guides/rate-limits). So an allowance that is too
large wastes quota, and one that is too small cuts the answer off.
"""

from __future__ import annotations

import json
import re
from collections import deque
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.calls import Identity
from weighbridge.planning.image_tokens import UNKNOWN_IMAGE_PX, image_tokens, most_image_tokens
from weighbridge.tokenizer import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.calls import CallRequest

REMEMBERED_TEXTS: Final = 32_768
"""Number of texts whose token counts are remembered: more than there are products whose groups are
being packed at one time. Takes a few megabytes.
"""
_CUT: Final = re.compile(r'"(?:code|weight_kg)(?=":)')

MESSAGE_TOKENS: Final = 4
"""Tokens that the provider adds for each message of a prompt."""
MESSAGES: Final = 2
REPLY_START_TOKENS: Final = 3
SCHEMA_FRAME_TOKENS: Final = 16

REMEMBERED: Final = 200
"""Number of last answers, per question and group size, whose lengths are remembered."""
QUANTILE: Final = 0.98
"""Share of the remembered answers that the allowance must be enough for."""
HEADROOM: Final = 1.15
"""Factor by which the length that `QUANTILE` of the answers did not exceed is multiplied."""
ENOUGH: Final = 20
"""Number of answers of a group size from which on the allowance of that size is learned; before, it
is estimated.
"""
COLD_HEADROOM: Final = 1.25
"""Factor by which the expected length is multiplied, before enough answers of any group size are
known.
"""
FIXED_TOKENS: Final = 32
"""Tokens that are added for the frame of an answer, whatever the number of products."""
TRUNCATED_FACTOR: Final = 1.5
"""Factor by which the length of an answer that was cut off is multiplied: how much longer it would
have been is unknown.
"""
LONGEST_TIMES: Final = 4
"""A retry is allowed at most this multiple of the expected length, or twice the usual allowance if
that is more.
"""
LONGEST_AT_LEAST: Final = 1_000
"""Tokens that a retry may always take, however short the expected answer is."""
REASONING_TOKENS: Final = 4_000
"""Some models write their reasoning before the answer. So an answer that was cut off counts as at
most twice the longest allowance of a retry, plus this many tokens.
"""


def content_tokens(content: str) -> int:
    """`count_tokens` for the products of a question, as JSON. Each product's texts are encoded only
    once, although every question repeats them.

    The text is cut after certain keys, where no token can span the cut, so the counts of the parts
    add up to that of the whole.
    """
    cuts = [0, *(key.end() for key in _CUT.finditer(content)), len(content)]
    return sum(_texts.tokens(content[start:end]) for start, end in pairwise(cuts))


class Remembered:
    """Remembers the token counts of at least the last `most` texts, by their hashes: the texts
    themselves would take much more memory.

    Python salts its string hashes in each process, so nobody can craft two texts with the same one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._newer: dict[int, int] = {}
        self._older: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def tokens(self, text: str) -> int:
        """As `count_tokens`, but a text that was counted lately is not counted again."""
        key = hash(text)
        tokens = self._newer.get(key)
        if tokens is None:
            tokens = self._older.get(key)
            if tokens is None:
                tokens = count_tokens(text)
            if len(self._newer) >= self._most:
                self._newer, self._older = {}, self._newer
            self._newer[key] = tokens
        return tokens


_texts: Final = Remembered(REMEMBERED_TEXTS)


def request_tokens(
    request: CallRequest, model: str = "", image_px: Sequence[tuple[int, int] | None] = ()
) -> int:
    """What the provider will count as the prompt of this call, estimated.

    `image_px` are width and height of the request's pictures, where known.
    """
    tokens = _repeated_tokens(request.instructions, Identity(request.schema))
    tokens += content_tokens(request.content)
    tokens += MESSAGE_TOKENS * MESSAGES + REPLY_START_TOKENS
    unknown = (None,) * (len(request.image_urls) - len(image_px))
    for size_px in (*image_px, *unknown):
        tokens += image_tokens(*(size_px or UNKNOWN_IMAGE_PX), model)
    return tokens


def picture_doubt_tokens(model: str) -> int:
    """How many more tokens a picture of unknown size may take than `request_tokens` counts
    for it.
    """
    return most_image_tokens(model) - image_tokens(*UNKNOWN_IMAGE_PX, model)


@lru_cache(maxsize=64)
def _repeated_tokens(instructions: str, schema: Identity[Mapping[str, Any]]) -> int:
    """Tokens of the part of a prompt that is the same in every call of a step."""
    text = json.dumps(schema.value, ensure_ascii=False, separators=(",", ":"))
    return count_tokens(instructions) + count_tokens(text) + SCHEMA_FRAME_TOKENS


class OutputAllowances:
    """Learns how long the answers to each question are, by group size, and derives the output
    allowance of a call.

    `expected` gives, by question, the tokens per product that are assumed at the start. The last
    200 answers per question and group size are remembered.
    """

    def __init__(self, expected: Mapping[str, int]) -> None:
        self._expected = dict(expected)
        self._seen: dict[str, dict[int, deque[int]]] = {}

    def allowance(self, step: str, group_size: int, attempts: int = 0) -> int:
        """Output tokens to allow for an answer about `group_size` products.

        The allowance doubles with every failed attempt: one product may need more than all others.
        It has a bound (see `LONGEST_TIMES`), for models that would write without end.
        """
        usual = self._usual(step, group_size)
        return min(usual << attempts, max(usual * 2, self._longest(step, group_size)))

    def _longest(self, step: str, group_size: int) -> int:
        """The largest allowance of a retry, unless twice the usual length is more."""
        return max(LONGEST_AT_LEAST, self._expected[step] * group_size * LONGEST_TIMES)

    def _usual(self, step: str, group_size: int) -> int:
        """Output tokens that are enough for nearly every answer about so many products."""
        sizes = self._seen.get(step, {})
        seen = sizes.get(group_size)
        if seen is not None and len(seen) >= ENOUGH:
            return ceil(_high(seen) * HEADROOM) + FIXED_TOKENS
        nearest = min(
            (size for size, lengths in sizes.items() if len(lengths) >= ENOUGH),
            key=lambda size: (abs(size - group_size), -size),
            default=None,
        )
        if nearest is None:
            guess = self._expected[step] * group_size * COLD_HEADROOM
        else:
            guess = _high(sizes[nearest]) / nearest * group_size * HEADROOM
        longest = max(seen, default=0) if seen is not None else 0
        return ceil(max(guess, longest * HEADROOM)) + FIXED_TOKENS

    def observe(
        self, step: str, group_size: int, output_tokens: int, truncated: bool, attempts: int = 0
    ) -> None:
        """Learn from the length of an answer; `truncated`: it was cut off at its allowance.

        A retry that was cut off too is not used: its allowance was larger than usual.
        """
        if truncated and attempts:
            return
        length = output_tokens
        if truncated:
            most = 2 * self._longest(step, group_size) + REASONING_TOKENS
            length = min(ceil(length * TRUNCATED_FACTOR), most)
        self._lengths(step, group_size).append(length)

    def dump(self) -> dict[str, Any]:
        """Everything that was learned, as JSON-compatible values."""
        return {
            step: {str(size): list(lengths) for size, lengths in sizes.items()}
            for step, sizes in self._seen.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `dump` returned. Questions that are no longer asked are left out."""
        self._seen = {}
        for step, sizes in state.items():
            if step in self._expected:
                for size, lengths in sizes.items():
                    self._lengths(step, int(size)).extend(lengths)

    def _lengths(self, step: str, group_size: int) -> deque[int]:
        """The remembered lengths for this question and group size, created if there are none."""
        sizes = self._seen.setdefault(str(step), {})
        return sizes.setdefault(group_size, deque(maxlen=REMEMBERED))


def _high(lengths: deque[int]) -> int:
    """The length that 98 % of the answers did not exceed."""
    ordered = sorted(lengths)
    return ordered[min(len(ordered) - 1, int(len(ordered) * QUANTILE))]
