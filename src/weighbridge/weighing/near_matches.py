"""Finds the entry of a closed list that a person's word means, or the entries that it may mean.

Pure. Only for what people write: a model chooses from the list itself.

A word is taken (`find_key`) where it can mean one entry only: its key, its name, the words of
either in any order, or what its name is called before the first comma ("paint" for "Paint,
water-based") or in brackets ("acrylic glass" for "PMMA (acrylic glass)"). Everything else is
refused with the likeliest entries (`near_matches`). For their order a word that few entries have
counts more than one that many have ("recycled", "average"), a whole word more than the beginning of
one, and that more than a misspelled one.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.carbon.catalogue_facts import IN_ENGLISH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WHOLE_LIST: Final = (
    " The sheet Lists of a review workbook (weighbridge review --out FILE) has the whole list."
)
"""What a message about an unknown name says where no entry of the list is like it."""
SHOWN: Final = 3
"""How many entries a message suggests, at most."""
_LIKELY: Final = 0.6
"""Two texts are alike from this ratio of `difflib` on; used where no word of one is in the other.
"""
_SLIP: Final = 0.82
"""From this ratio of `difflib` on, one word is taken for a misspelling of the other."""
_LEAST_FOR_SLIP: Final = 4
"""A word with fewer letters is never taken for a misspelling, or for the beginning of another word.
"""
_LEAST_FOR_COMPOUND: Final = 8
"""A word with fewer letters is never split into other words, as "Kupferdraht" is."""
_LEAST_FOR_BRACKETS: Final = 3
"""A text in brackets with fewer letters is not taken for a name of the entry."""
_BEGINNING: Final = 0.8
"""The score of a word that begins like the one that is looked for; the same word scores 1."""
_SLIPPED: Final = 0.6
"""The score of a misspelled word; the same word scores 1."""
_CLOSE: Final = 0.6
"""Entries that score less than this part of the best score are not suggested beside it."""
_LEAST_SCORE: Final = 0.15
"""The least score by words at which an entry of a list is similar to what was given. If none
reaches it, whole texts are compared instead of words.
"""
_WORD_OF_LISTS: Final = {
    "virgin": "primary",
    "new": "primary",
    "secondary": "recycled",
    **IN_ENGLISH,
    "acrylglas": "pmma", "plexiglas": "pmma", "plexiglass": "pmma", "perspex": "pmma",
    "blei": "lead", "plomb": "lead", "zink": "zinc", "zinn": "tin", "gusseisen": "iron",
    "farbe": "paint", "peinture": "paint", "lack": "lacquer", "klebstoff": "adhesive",
    "glue": "adhesive", "karton": "cardboard", "pappe": "cardboard", "carton": "cardboard",
    "kunststoff": "plastic", "plastik": "plastic", "plastique": "plastic",
    "porzellan": "porcelain", "beton": "concrete", "ziegel": "brick", "kork": "cork",
    "oak": "hardwood", "beech": "hardwood", "birch": "hardwood", "walnut": "hardwood",
    "maple": "hardwood", "teak": "hardwood", "acacia": "hardwood", "hickory": "hardwood",
    "eiche": "hardwood", "buche": "hardwood", "esche": "hardwood", "birke": "hardwood",
    "pine": "softwood", "spruce": "softwood", "larch": "softwood",
    "kiefer": "softwood", "fichte": "softwood", "tanne": "softwood", "timber": "lumber",
    "chipboard": "particleboard", "spanplatte": "particleboard", "styrofoam": "eps",
    "molding": "moulding", "fiber": "fibre",
}  # fmt: skip
"""Word → the word that the lists use for it, in English."""
_SMALL: Final = frozenset({"and", "for", "from", "in", "of", "or", "the", "with"})
_BRACKETS: Final = re.compile(r"\(([^()]*)\)")


class _Entry(NamedTuple):
    """What one entry of a list is called."""

    words: frozenset[str]  # of its key and its name
    of_key: frozenset[str]
    of_name: frozenset[str]
    called: frozenset[str]  # the beginning of the name, and what stands in its brackets


def find_key(text: str, names: Mapping[str, str]) -> str | None:
    """The key of the one entry that a text can mean; None where it may mean several, or none."""
    if text in names:
        return text
    wanted = " ".join(text.casefold().split())
    if not wanted:
        return None
    by_name = [key for key, name in names.items() if wanted in (key.casefold(), name.casefold())]
    if len(by_name) == 1:
        return by_name[0]
    words = _words(text)
    entries = {key: _entry(key, name) for key, name in names.items()}
    same = [key for key, e in entries.items() if words and words in (e.of_key, e.of_name)]
    if len(same) == 1:
        return same[0]
    called = [key for key, entry in entries.items() if wanted in entry.called]
    return called[0] if len(called) == 1 and not same else None


def near_matches(text: str, names: Mapping[str, str]) -> list[str]:
    """The keys that a text may be meant for, the likeliest first; none where nothing is alike."""
    entries = {key: _entry(key, name) for key, name in names.items()}
    held_by = Counter(word for entry in entries.values() for word in entry.words)
    lower = text.strip().casefold()
    wanted = _with_parts(_words(text))
    scores = {key: _score(wanted, entry, held_by, len(names)) for key, entry in entries.items()}
    best = max(scores.values(), default=0.0)
    if best < _LEAST_SCORE:
        scores = {
            key: max(_likeness(lower, key.casefold()), _likeness(lower, name.casefold()))
            for key, name in names.items()
        }
        best = max(scores.values(), default=0.0)
        if best < _LIKELY:
            return []
    likely = [key for key, score in scores.items() if score >= _CLOSE * best]
    spelled = {key: -_likeness(lower, key.casefold()) for key in likely}
    return sorted(likely, key=lambda key: (-round(scores[key], 3), spelled[key], key))[:SHOWN]


def did_you_mean(texts: Iterable[str], names: Mapping[str, str]) -> str:
    """A sentence with the likeliest keys for those of the texts that are no keys; "" without
    any.
    """
    found: dict[str, None] = {}
    for text in texts:
        if text not in names:
            found |= dict.fromkeys(near_matches(text, names))
    return f" Did you mean {' or '.join(list(found)[:SHOWN])}?" if found else ""


@lru_cache(4096)
def _entry(key: str, name: str) -> _Entry:
    """The names of an entry."""
    of_key, of_name = _words(key), _words(name)
    lower = " ".join(name.casefold().split())
    brackets = [part for found in _BRACKETS.findall(lower) for part in (found, *found.split("/"))]
    called = {re.split(r"[,(:]", lower)[0].strip()}
    called |= {part.strip() for part in brackets if len(part.strip()) >= _LEAST_FOR_BRACKETS}
    return _Entry(of_key | of_name, of_key, of_name, frozenset(called))


def _words(text: str) -> frozenset[str]:
    """The words of a text but the small ones, in the form that the lists use."""
    found = set(re.findall(r"[^\W_]+", text.casefold())) - _SMALL
    return frozenset(_WORD_OF_LISTS.get(word, word) for word in found)


def _with_parts(words: frozenset[str]) -> frozenset[str]:
    """The words, and the known words that a long one begins with: copper for "Kupferdraht"."""
    parts = {
        english
        for word in words
        if len(word) >= _LEAST_FOR_COMPOUND
        for other, english in IN_ENGLISH.items()
        if len(other) >= _LEAST_FOR_SLIP and word.startswith(other)
    }
    return words | parts


def _score(
    wanted: frozenset[str], entry: _Entry, held_by: Mapping[str, int], entries: int
) -> float:
    """How well an entry fits the words of a text, 0 to 1. `held_by` counts the entries that have
    each word, `entries` all of them.
    """
    told = shared = 0.0
    for word in wanted:
        closeness, other = max(
            ((_closeness(word, one), one) for one in entry.words), default=(0, "")
        )
        weight = math.log(1 + entries / held_by[other]) if closeness else 1.0
        told += weight
        shared += closeness * weight
    if not shared:
        return 0.0
    alike = max(_overlap(wanted, entry.of_key), _overlap(wanted, entry.of_name))
    return 0.9 * shared / told + 0.1 * alike


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of words that two sets have in common, 0 to 1."""
    return len(one & other) / len(one | other)


@lru_cache(65_536)
def _closeness(word: str, other: str) -> float:
    """How alike two words are: 1 the same, less where one begins with the other or is misspelled, 0
    otherwise.
    """
    if word == other:
        return 1.0
    if min(len(word), len(other)) < _LEAST_FOR_SLIP:
        return 0.0
    if word.startswith(other) or other.startswith(word):
        return _BEGINNING
    if word[0] != other[0] or _likeness(word, other) < _SLIP:
        return 0.0
    return _SLIPPED


def _likeness(one: str, other: str) -> float:
    """The ratio of `difflib`, 0 to 1; 0 where it is below what counts as alike."""
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < _LIKELY:
        return 0.0
    return matcher.ratio()
