"""Finds the value of an enum that fits best: to a text's weighted words, or to a hint of the
lexicon.

Built once per enum of a schema and used for every product. Pure.
"""

from __future__ import annotations

import heapq
import math
import re
from typing import TYPE_CHECKING, Any, Final

from weighbridge.simulator.answering.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SEPARATOR: Final = re.compile(r"\s*(?:>|/|::|→|\|)\s*")
_HEAD_WEIGHT: Final = 1.0
_TAIL_WEIGHT: Final = 0.6
_SURPLUS_PENALTY: Final = 0.1
"""What each word of a value that is not in the hint takes off the value's score. The hint's first
word gives `_HEAD_WEIGHT`, each further word of it that is in the value `_TAIL_WEIGHT`.
"""


class EnumIndex:
    """The words of an enum's values, with rare words counting more than common ones."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)
        self.members = frozenset(value for value in values if isinstance(value, str))
        self._words = [frozenset(words_of(str(value))) for value in values]
        self._hints: dict[str, int | None] = {}
        counts: dict[str, int] = {}
        for words in self._words:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for number, value in enumerate(self.values):
            weights = self._weights(str(value), counts)
            norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for word, weight in weights.items():
                self._postings.setdefault(word, []).append((number, weight / norm))

    def _weights(self, value: str, counts: Mapping[str, int]) -> dict[str, float]:
        """The weight of each word of a value: rare words count more, and those of the last part of
        `Category > Subcategory` twice as much as the others.
        """
        *general, specific = _SEPARATOR.split(value)
        weights = {word: 0.5 for part in general for word in words_of(part)}
        weights.update(dict.fromkeys(words_of(specific), 1.0))
        return {
            word: factor * math.log(1 + len(self.values) / counts[word])
            for word, factor in weights.items()
        }

    def ranking(self, bag: Mapping[str, float], count: int) -> list[tuple[float, int]]:
        """(score, index) of the `count` values that fit the weighted words of `bag` best, best
        first; only scores above 0.
        """
        scores = self._scores(bag)
        best = heapq.nlargest(count, ((score, -number) for number, score in scores.items()))
        return [(score, -number) for score, number in best]

    def best(self, bag: Mapping[str, float]) -> int | None:
        """Index of the value that fits the weighted words best; None if no value shares a word."""
        scores = self._scores(bag)
        if not scores:
            return None
        highest = max(scores.values())
        return min(number for number, score in scores.items() if score == highest)

    def _scores(self, bag: Mapping[str, float]) -> dict[int, float]:
        """The score by index of each value that shares a word with the bag."""
        scores: dict[int, float] = {}
        score_of, postings_of = scores.get, self._postings.get
        for word, weight in bag.items():  # in the order of the words: sums of floats depend on it
            if postings := postings_of(word):
                for number, share in postings:
                    scores[number] = score_of(number, 0.0) + weight * share
        return scores

    def find(self, hint: str) -> int | None:
        """Index of the value that a hint of the lexicon stands for, or None.

        Of the hint's alternatives, separated by "/", the first one counts whose first word is in a
        value.
        """
        if hint not in self._hints:
            self._hints[hint] = self._find(hint)
        return self._hints[hint]

    def _find(self, hint: str) -> int | None:
        """As `find`, without its cache."""
        for alternative in hint.split("/"):
            head, *tail = words_of(alternative)
            best: tuple[float, int] | None = None
            for number, words in enumerate(self._words):
                if head not in words:
                    continue
                matched = sum(1 for word in tail if word in words)
                surplus = len(words) - 1 - matched
                score = _HEAD_WEIGHT + _TAIL_WEIGHT * matched - _SURPLUS_PENALTY * surplus
                if best is None or score > best[0]:
                    best = (score, number)
            if best is not None:
                return best[1]
        return None
