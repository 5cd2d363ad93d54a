"""Which field a single header may stand for, and how good a name it is for that.

Pure. The names are in `field_names.toml`; which of several columns is taken is decided in
`matching.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import (
    NAMES,
    SHORT_DESCRIPTIONS,
    SYNONYMS,
    Field,
    normalise,
)
from weighbridge.ingest.columns.headers import (
    LONGEST_HEADER,
    NUMBERS,
    Header,
    loose_names,
    read_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.ingest.columns.shops import Shop

MASSES: Final = (Field.WEIGHT, Field.GROSS_WEIGHT)


def meanings(header: Header, shop: Shop | None) -> Iterator[tuple[Field, tuple[int, int]]]:
    """The fields that a header may stand for, each with how good a name it is (lower is better)."""
    if shop is not None and header.keys:
        key = header.keys[0]
        known = [(name, keys) for name, keys in shop.fields.items() if key in keys]
        yield from ((name, (-1, keys.index(key))) for name, keys in known)
        if known or key in shop.ignored:
            return
    yield from _usual_meanings(header) or _meaning_of_parts(header)


def _usual_meanings(header: Header) -> list[tuple[Field, tuple[int, int]]]:
    """By the names that everybody uses."""
    for tries, key in enumerate(header.keys):
        rank = _RANKS.get(key)
        if rank is None:
            continue
        name, place = rank
        if header.unit is not None and tries and name not in (*MASSES, Field.SUPPLIER_FOOTPRINT):
            continue  # "weight unit kg"; "size g" is no size
        if header.locale is not None and tries == len(header.keys) - 1 and tries:
            return [(name, (1, _locale_rank(header.locale) * 1000 + place))]
        return [(name, (0, place))]
    return []


def _meaning_of_parts(header: Header) -> list[tuple[Field, tuple[int, int]]]:
    """`Material/Zusammensetzung`, `Name | Title`: two names of one field. Of two fields: none."""
    if len(header.text) > LONGEST_HEADER or not _BETWEEN_NAMES.search(header.text):
        return _meaning_of_short_words(header)
    parts = [_usual_meanings(read_header(part)) for part in _BETWEEN_NAMES.split(header.text)]
    if all(parts) and len({found[0][0] for found in parts}) == 1:
        return parts[0]
    return []


def _meaning_of_short_words(header: Header) -> list[tuple[Field, tuple[int, int]]]:
    """`Kraj poch.`, `Prod. beschr.`: words cut off by a point beside a word that is whole."""
    words = header.text.casefold().split()
    if not 2 <= len(words) <= _MOST_WORDS or not any(word.endswith(".") for word in words):
        return []
    found = {name for name, full in _NAMES_BY_LENGTH.get(len(words), ()) if _cut(words, full)}
    return [(found.pop(), (0, _LOOSE_RANK))] if len(found) == 1 else []


def _cut(words: Sequence[str], full: Sequence[str]) -> bool:
    """Whether words are those of a name, some cut off by a point, one of them whole."""
    pairs = list(zip(words, full, strict=True))
    return any(normalise(word) == one for word, one in pairs) and all(
        one.startswith(normalise(word)) if word.endswith(".") else normalise(word) == one
        for word, one in pairs
    )


def _locale_rank(locale: str) -> int:
    """English first, then as the languages stand in the file."""
    return 0 if locale.startswith("en") else 1


def _all_ranks() -> dict[str, tuple[Field, int]]:
    ranks = {key: (name, i) for name, keys in SYNONYMS.items() for i, key in enumerate(keys)}
    short = {key: (Field.DESCRIPTION, 500 + i) for i, key in enumerate(SHORT_DESCRIPTIONS)}
    loose = {
        key: (name, _LOOSE_RANK + i)
        for name, names in reversed([*NAMES.items()])
        for i, one in reversed(list(enumerate(names)))
        for key in loose_names(name, one)
    }
    numbers = dict.fromkeys(NUMBERS, (Field.CODE, _LOOSE_RANK))
    return numbers | loose | short | ranks


_BETWEEN_NAMES: Final = re.compile(r"\s*[/|]\s*")
_MOST_WORDS: Final = 5
_LOOSE_RANK: Final = 800
"""Behind every name that is written in the table."""
_RANKS: Final = _all_ranks()


def _names_by_length() -> dict[int, list[tuple[Field, list[str]]]]:
    found: dict[int, list[tuple[Field, list[str]]]] = {}
    for name, names in NAMES.items():
        for one in names:
            words = [normalise(word) for word in one.split()]
            found.setdefault(len(words), []).append((name, words))
    return found


_NAMES_BY_LENGTH: Final = _names_by_length()


def count_known(headers: Sequence[str]) -> int:
    """How many of the fields these headers name; used to recognise a header and a delimiter."""
    known = {
        _RANKS[key][0] for header in headers for key in read_header(header).keys if key in _RANKS
    }
    return len(known)
