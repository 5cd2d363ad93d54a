"""What a header means without the words that stand beside a field's name and change nothing:
`Descripción técnica`, `Hauptwerkstoff`, `Prix public TTC`, `Uds. vendidas/año`, `Pkg qty`.

Pure. The words are in `beside_words.toml` and `header_words.toml`. Words that are in neither leave
a header without a meaning: `Load weight` is no weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import SYNONYMS, Field, normalise, read_table
from weighbridge.ingest.columns.headers import (
    CONNECTORS,
    PIECES,
    SHORT_FOR,
    SOLD,
    SUBJECTS,
    YEARLY,
    loose_keys,
    only_qualifies,
    split_words,
)
from weighbridge.ingest.columns.ranks import RANKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TABLE: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(key for word in words.split() if (key := normalise(word)))
    for name, words in read_table("beside_words.toml").items()
}
_PACKS: Final = _TABLE["packs"]
_COUNTS: Final = _TABLE["countsOfPieces"]
_BESIDE: Final = {Field(name): words for name, words in _TABLE.items() if name in [*Field]}
_LEAST_OF_COMPOUND: Final = 3
_MOST_WORDS: Final = 7


def fields_beside_small_words(text: str) -> set[Field]:
    """The fields that a header may name once small words are left out.

    The header is ambiguous if there are several.
    """
    words = [SHORT_FOR.get(word, word) for word in split_words(text)]
    told = [
        key
        for i, word in enumerate(words)
        if (key := normalise(word))
        and not key.isdecimal()
        and (i == 0 or not _is_unit_or_filler(word))
    ]
    if not told or len(words) > _MOST_WORDS:
        return set()
    found: set[Field] = {field for field in _BESIDE if field not in _MASSES and _means(field, told)}
    found |= set(_quantity_field(words)) | set(_mass_field(told))
    return found


_MASSES: Final = (Field.WEIGHT, Field.GROSS_WEIGHT)


def _is_unit_or_filler(word: str) -> bool:
    """Whether a word only qualifies another; false for words for pieces (`unit`, `stk`, `je`)."""
    return only_qualifies(word) and normalise(word) not in _COUNTS


def _means(field: Field, words: Sequence[str]) -> bool:
    """Whether these words are a name of the field with small words beside it or joined to it."""
    beside = _BESIDE[field]
    bare = [word for word in words if word not in beside]
    return (len(bare) < len(words) and _is_name(field, bare)) or _is_compound(field, bare or words)


def _is_name(field: Field, words: Sequence[str]) -> bool:
    """Whether these words are a name of the field, in any order."""
    bare = [word for word in words if word not in CONNECTORS and word not in SUBJECTS]
    keys = ("".join(words), *loose_keys(words), "".join(bare), *loose_keys(bare))
    return any(key in RANKS and RANKS[key][0] is field for key in keys if key)


def _is_compound(field: Field, words: Sequence[str]) -> bool:
    """Whether this is one word, a name of the field with a small word joined to it.

    `Hauptwerkstoff`, `Beschreibungstext`, 主要材质.
    """
    if len(words) != 1:
        return False
    return any(
        part in SYNONYMS[field]
        for word in _without_subject(words[0])
        for part in _without_small_word(field, word)
    )


def _without_subject(word: str) -> Iterator[str]:
    """The word as it is, then without each word for "product" that it begins with."""
    yield word
    for subject in SUBJECTS:
        if word.startswith(subject) and word != subject:
            yield word.removeprefix(subject)


def _without_small_word(field: Field, word: str) -> Iterator[str]:
    """What is left of a compound word without each word that may stand beside the field's name."""
    if not word.isascii():
        yield word
    for one in _BESIDE[field]:
        if len(one) >= _LEAST_OF_COMPOUND or not one.isascii():
            if word.startswith(one):
                yield word.removeprefix(one).removeprefix("s").removeprefix("の")
            if word.endswith(one):
                yield word.removesuffix(one)
                yield word.removesuffix(one).removesuffix("s")


def _mass_field(words: Sequence[str]) -> Iterator[Field]:
    """The field of weight that these words mean, net or gross; none if they mean no weight."""
    gross, net = _BESIDE[Field.GROSS_WEIGHT], _BESIDE[Field.WEIGHT]
    is_packed = any(word in _PACKAGINGS for word in words)
    is_with = is_packed and any(word in _WITH for word in words)
    around = gross | net | CONNECTORS | (_PACKAGINGS | _WITH if is_with else frozenset())
    bare = [word for word in words if word not in around]
    if len(bare) == len(words) or not bare or not _is_name(Field.WEIGHT, bare):
        return
    is_net = any(word in _NET for word in words)
    if is_with or any(word in gross for word in words):
        if not is_net:
            yield Field.GROSS_WEIGHT
    else:
        yield Field.WEIGHT


_PACKAGINGS: Final = _TABLE["packagings"]
_WITH: Final = _TABLE["withPackaging"]
_NET: Final = frozenset(map(normalise, ("net", "nt", "nett", "netto", "neto", "líquido", "нетто")))
_AROUND_QUANTITIES: Final = SOLD | YEARLY | PIECES | _COUNTS
_YEARLY: Final = tuple(sorted((word for word in YEARLY if not word.isascii()), key=len)[::-1])


def _quantity_field(words: Sequence[str]) -> Iterator[Field]:
    """The field of quantity that these words mean; none if they mean no quantity.

    It is the pieces in a pack, or the pieces that are sold or belong to a year.
    """
    told = [key for word in words if (key := normalise(word)) and not key.isdecimal()]
    told = [word for word in told if word not in CONNECTORS or word in _COUNTS]
    counted = [word for word in told if word in _COUNTS or word in PIECES]
    if any(word in _PACKS for word in told):
        if counted and all(word in _PACKS or word in _COUNTS for word in told):
            yield Field.PIECES_PER_PACK
        return
    bare = [word for word in told if word not in _AROUND_QUANTITIES]
    compound = next((one for one in _YEARLY if len(bare) == 1 and bare[0].startswith(one)), "")
    bare = [bare[0].removeprefix(compound)] if compound else bare  # 年度销售量
    is_sold = any(word in SOLD for word in told)
    is_yearly = is_sold or bool(compound) or any(word in YEARLY for word in told)
    if is_yearly and (_is_name(Field.QUANTITY, bare) if bare else is_sold or bool(counted)):
        yield Field.QUANTITY
