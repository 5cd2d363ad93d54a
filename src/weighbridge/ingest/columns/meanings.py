"""Which field a single header may stand for, and how good a name it is for that.

Pure. The names are in `field_names.toml`; which of several columns is taken is decided in
`matching.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import (
    SYNONYMS,
    Field,
    normalise,
)
from weighbridge.ingest.columns.headers import (
    LONGEST_HEADER,
    Header,
    only_qualifies,
    read_header,
)
from weighbridge.ingest.columns.ranks import LOOSE_RANK, RANKS
from weighbridge.ingest.columns.small_words import fields_beside_small_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.ingest.columns.shops import Shop

MASSES: Final = (Field.WEIGHT, Field.GROSS_WEIGHT)


def meanings(header: Header, shop: Shop | None) -> Iterator[tuple[Field, tuple[int, int]]]:
    """The fields that a header may stand for, each with its rank: how good a name it is.

    The rank is (-1 in a shop's own export, 1 for a column of one language, else 0; place in the
    list of names). Lower is better.
    """
    if shop is not None and header.keys:
        key = header.keys[0]
        known = [(name, keys) for name, keys in shop.fields.items() if key in keys]
        yield from ((name, (-1, keys.index(key))) for name, keys in known)
        if known or key in shop.ignored:
            return
    found = (
        _usual_meanings(header) or _meaning_of_parts(header) or _meaning_beside_small_words(header)
    )
    is_of_many = _OF_MANY_PIECES.search(_YEAR.sub("", header.text)) is not None
    yield from ((name, rank) for name, rank in found if not (is_of_many and name in MASSES))


def _usual_meanings(header: Header) -> list[tuple[Field, tuple[int, int]]]:
    """The field that the table of names gives for the header, with its rank; [] if none."""
    for tries, key in enumerate(header.keys):
        rank = RANKS.get(key)
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
    """The field of a header that names it twice, `Material/Zusammensetzung`, with its rank.

    [] where the parts name two fields. A header without parts may have words cut short.
    """
    if len(header.text) > LONGEST_HEADER or not _BETWEEN_NAMES.search(header.text):
        return _meaning_of_short_words(header)
    parts = [_usual_meanings(read_header(part)) for part in _BETWEEN_NAMES.split(header.text)]
    if all(parts) and len({found[0][0] for found in parts}) == 1:
        return parts[0]
    return []


def _meaning_of_short_words(header: Header) -> list[tuple[Field, tuple[int, int]]]:
    """The field of a header with abbreviated words, with its rank; [] unless it is the only one.

    `Kraj poch.`, `Urspr.-Land`, `Q.tà annua`, `Nettogew. kg`.
    """
    words = [
        (normalise(match[1]), bool(match[2]))
        for match in _WORD_AND_POINT.finditer(header.text)
        if match.start() == 0 or not only_qualifies(match[1].casefold())
    ]
    words = [(word, is_cut) for word, is_cut in words if word]
    letters = sum(len(word) for word, _ in words)
    if len(words) > _MOST_WORDS or letters < _LEAST_LETTERS or not any(cut for _, cut in words):
        return []
    is_mass = header.unit is not None
    found = {
        name
        for name, one in _NAMES_BY_START.get(words[0][0][:1], ())
        if (name in MASSES or not is_mass) and _is_cut_from(one, words)
    }
    return [(found.pop(), (0, LOOSE_RANK))] if len(found) == 1 else []


def _is_cut_from(name: str, words: Sequence[tuple[str, bool]]) -> bool:
    """Whether a name consists of these words in order; a word marked as cut may lack its end.

    Connectors may be left out between words.
    """
    first, was_cut = words[0]
    if not name.startswith(first):
        return False
    at = len(first)
    for word, is_cut in words[1:]:
        begins = name.find(word, at)
        if begins < 0 or not (was_cut or name[at:begins] in _CONNECTORS):
            return False
        at, was_cut = begins + len(word), is_cut
    return was_cut or at == len(name)


def _meaning_beside_small_words(header: Header) -> list[tuple[Field, tuple[int, int]]]:
    """The field that the header names once small words are left out, with its rank; [] if none."""
    if len(header.text) > LONGEST_HEADER:
        return []
    found = fields_beside_small_words(header.text)
    return [(found.pop(), (0, LOOSE_RANK))] if len(found) == 1 else []


def _locale_rank(locale: str) -> int:
    """0 for English, 1 for every other language: lower is better."""
    return 0 if locale.startswith("en") else 1


_OF_MANY_PIECES: Final = re.compile(
    r"(?<![0-9])0*(?!1(?![0-9]))[1-9][0-9.,' ]*|0[.,][0-9]|[%‰]|/\s*[CM](?![A-Za-z])"
)
"""Matches in headers of weights that are not of one piece but of several, or of a part of one: per
100, ‰, /C.
"""
_YEAR: Final = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")
_BETWEEN_NAMES: Final = re.compile(r"\s*[/|]\s*")
_WORD_AND_POINT: Final = re.compile(r"([^\W_]+)(\.?)")
_MOST_WORDS: Final = 5
_LEAST_LETTERS: Final = 5
_CONNECTORS: Final = frozenset(
    ["", "d", "de", "di", "do", "da", "del", "des", "du", "of", "van", "von", "der"]
)


def _names_by_start() -> dict[str, list[tuple[Field, str]]]:
    """Every (field, normalised name), by the name's first letter."""
    found: dict[str, list[tuple[Field, str]]] = {}
    for name, keys in SYNONYMS.items():
        for key in keys:
            found.setdefault(key[:1], []).append((name, key))
    return found


_NAMES_BY_START: Final = _names_by_start()


def count_known(headers: Sequence[str]) -> int:
    """How many different fields these headers name; used to recognise a header and a delimiter."""
    known = {
        RANKS[key][0] for header in headers for key in read_header(header).keys if key in RANKS
    }
    return len(known)
