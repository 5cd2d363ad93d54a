"""What a single header says besides a field's name: a unit, a currency, a share in percent, a
language.

Pure. `matching.py` compares the keys made here with the names in `field_names.toml`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import SYNONYMS, Field, normalise, read_table
from weighbridge.ingest.values.currencies import CURRENCY_SIGNS, CURRENCY_WORDS, currencies
from weighbridge.ingest.values.units import HEADER_UNITS, MassUnit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FILLERS: Final = frozenset(
    [
        "in",
        "en",
        "em",
        "per",
        "pro",
        "je",
        "par",
        "por",
        "al",
        "na",
        "za",
        "i",
        "w",
        "v",
        "a",
        "of",
        "the",
        "unit",
        "units",
        "piece",
        "pieces",
        "item",
        "stück",
        "stuck",
        "stk",
        "pc",
        "pcs",
        "ea",
        "each",
        "unidad",
        "unité",
        "pezzo",
        "pezza",
        "sztuka",
        "szt",
        "kus",
        "ks",
        "st",
        "шт",
        "p",
        "yr",
        "year",
        "annum",
        "jahr",
        "an",
        "año",
        "anno",
        "rok",
        "pa",
        "kilos",
        "value",
        "amount",
    ]
)
_OF_FOOTPRINTS: Final = frozenset(
    [
        "kg",
        "g",
        "t",
        "co2",
        "co2e",
        "co2eq",
        "eq",
        "kgco2e",
        "kgco2eq",
        "gco2e",
        "tco2e",
        "gwp100",
        "äq",
        "éq",
        "äquivalent",
        "equiv",
        "equivalent",
    ]
)
_LOCALE: Final = re.compile(
    r"^(?P<base>.+?)[\s\-_.:(\[/|]+(?P<language>[A-Za-z]{2})(?:[_-](?P<territory>[A-Za-z]{2}))?[)\]]?(?:[-_.](?P<channel>[A-Za-z][\w]*))?$"
)
_REMARK: Final = re.compile(
    r"\s*(?:[(\[](?:(?i:required|mandatory|optional|html|text|iso|max|[0-9])[^)\]]*"
    r"|[a-z](?:, ?[a-z])+[^)\]]*|(?P<code>[A-Z]{2,5}))[)\]]|n[°º]|№|#)\s*$"
)
"""Matches a remark at the end of a header: (required), (max 255), (x,y,z...), (HS), n°, #."""
_FIRST: Final = re.compile(r"[\W_]*0?1\s*$")
"""Matches the 1 at the end of `Bild 1` or `picture_01`, the first of several columns."""
SHORT_FOR: Final = {
    "wt": "weight", "wgt": "weight", "wght": "weight", "desc": "description", "descr": "description",
    "descrip": "description", "prod": "product", "qty": "quantity", "ctry": "country",
    "cntry": "country", "orig": "origin", "img": "image", "pic": "picture", "mat": "material",
    "num": "number", "art": "article", "bez": "bezeichnung", "beschr": "beschreibung",
    "gew": "gewicht", "bezeichn": "bezeichnung", "mfg": "manufacture", "mfr": "manufacturer",
    "pds": "poids", "qté": "quantité", "qte": "quantité", "qtd": "quantidade", "qtde": "quantidade",
    "nt": "net", "matl": "material", "mtl": "material", "арт": "артикул", "наим": "наименование",
    "cant": "cantidad", "réf": "référence", "désign": "désignation", "stk": "stück",
}  # fmt: skip
_WORDS: Final = {
    kind: tuple(normalise(word) for word in words.split())
    for kind, words in read_table("header_words.toml").items()
}
CONNECTORS: Final = frozenset(_WORDS["connectors"])
_LONG: Final = frozenset(_WORDS["long"])
_LONG_STEMS: Final = tuple(word for word in _LONG if len(word) > 3 or not word.isascii())
SUBJECTS: Final = tuple(sorted(set(_WORDS["subjects"]), key=lambda word: (-len(word), word)))
TYPES: Final = frozenset(_WORDS["types"])
SOLD: Final = frozenset(_WORDS["sold"])
YEARLY: Final = frozenset(_WORDS["yearly"])
PIECES: Final = frozenset(_WORDS["pieces"])
_BESIDE: Final = {
    Field.SUPPLIER_FOOTPRINT: _WORDS["suppliers"],
    Field.IMAGE: _WORDS["links"],
}
LONG: Final = "~~"
"""Begins a loose key from which words for "long" were left out; only names and descriptions have
such keys.
"""
LOOSE: Final = "~"
"""Begins a loose key: one that ignores the order of words, and words that say little."""
_KNOWN: Final = frozenset(key for keys in SYNONYMS.values() for key in keys)
_MASS_NAMES: Final = frozenset((*SYNONYMS[Field.WEIGHT], *SYNONYMS[Field.GROSS_WEIGHT]))
LANGUAGES: Final = frozenset(
    [
        "ar",
        "bg",
        "bs",
        "ca",
        "cs",
        "da",
        "de",
        "el",
        "en",
        "es",
        "et",
        "fi",
        "fr",
        "he",
        "hi",
        "hr",
        "hu",
        "id",
        "it",
        "ja",
        "ko",
        "lt",
        "lv",
        "ms",
        "nb",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
        "sr",
        "sv",
        "th",
        "tr",
        "uk",
        "vi",
        "zh",
    ]
)

LONGEST_HEADER: Final = 500
"""The most characters of a header, with its remarks and units."""


@dataclass(frozen=True, slots=True)
class Header:
    """What one header says.

    `keys` are what it is looked up by, in this order: all its words, then without words that only
    qualify them.
    """

    text: str
    keys: tuple[str, ...]
    unit: MassUnit | None
    currency: str | None
    locale: str | None  # "en", "en_US": the header without it is the last of `keys`
    is_long: bool = False  # long description, Langtext


NUMBERS: Final = frozenset(
    LOOSE + "".join(sorted((number, subject)))
    for number in _WORDS["numbers"]
    for subject in SUBJECTS
)
"""Keys such as "product number" in every language: they name the code, and the "ID" in `Produkt-ID`
is not Indonesian.
"""


@lru_cache(maxsize=4096)
def read_header(text: str) -> Header:
    """The keys by which a header is looked up, and its unit, currency and language.

    A text longer than LONGEST_HEADER names no field: it may be meant to slow us down.
    """
    if len(text) > LONGEST_HEADER:
        return Header(text, (), None, None, None)
    words = split_words(text)
    unit = next((HEADER_UNITS[word] for word in reversed(words) if word in HEADER_UNITS), None)
    if len(words) == 1 and unit is not None:
        unit = None  # the header is a unit: no name of a field
    currency = _currency(text, words)
    bare = [word for word in words if word == words[0] or not only_qualifies(word)]
    keys = [normalise(text), normalise("".join(bare)), *_without_remark(text)]
    keys.append(normalise("".join(SHORT_FOR.get(word, word) for word in bare)))
    if unit is None:
        key, unit = _unit_at_the_end(keys[0])
        keys.append(key)
    keys.append(normalise(_FIRST.sub("", text)))
    match = _LOCALE.match(unicodedata.normalize("NFKC", text).strip())
    locale = None
    if match and _names_a_language(match) and not NUMBERS & set(loose_keys(bare)):
        territory = match["territory"]
        locale = match["language"].lower() + (f"_{territory.upper()}" if territory else "")
        keys.append(normalise(match["base"]))
    else:
        keys += loose_keys(bare)
        keys += loose_keys([SHORT_FOR.get(word, word) for word in bare])
    is_long = any(
        (key := normalise(word)) in _LONG or key.startswith(_LONG_STEMS) for word in words
    )
    return Header(text, tuple(dict.fromkeys(filter(None, keys))), unit, currency, locale, is_long)


def _names_a_language(match: re.Match[str]) -> bool:
    """Whether the letters at the end of a header are a language: `name-id` is Indonesian, but
    `Bild-ID` ends in a number.
    """
    language, is_alone = match["language"], match["territory"] is None
    is_number = is_alone and language.isupper() and language.lower() in _WORDS["numbers"]
    return language.lower() in LANGUAGES and not is_number


def loose_keys(words: Sequence[str]) -> list[str]:
    """Keys that ignore the order of a header's words and leave out some of them.

    First connectors are left out, then also words for "product", then also words for "long":
    `código del producto`, `Produktcode` and `Product code:` share a key.
    """
    told = [key for word in words if (key := normalise(word)) and key not in CONNECTORS]
    bare = [key for key in told if key not in SUBJECTS]
    keys = [LOOSE + "".join(sorted(one)) for one in (told, bare) if one]
    short = [key for key in bare if key not in _LONG] or bare
    if len(short) == 1:  # a compound: Artikelname, 商品説明, Produktbeschreibung lang
        tails = (short[0].removeprefix(one) for one in SUBJECTS if short[0].startswith(one))
        mark = LOOSE if short == bare else LONG
        keys += [mark + tail.removeprefix("の") for tail in tails]
    if short and short != bare:
        keys.append(LONG + "".join(sorted(short)))
    return keys


def loose_names(field: Field, name: str) -> Iterator[str]:
    """The loose keys of a field's name in `field_names.toml`."""
    words = split_words(name)
    yield loose_keys(words)[0]
    if field in (Field.NAME, Field.DESCRIPTION):
        yield LONG + loose_keys(words)[0].removeprefix(LOOSE)
    for word in _BESIDE.get(field, ()):
        yield loose_keys([*words, word])[0]
        yield LOOSE + word + normalise(name)
        yield LOOSE + normalise(name) + word


def split_words(text: str) -> list[str]:
    """The words of a header, in lower case."""
    plain = unicodedata.normalize("NFKC", text)
    spaced = re.sub(r"(?<=[a-zа-я])(?=[A-ZА-Я])", " ", plain)
    spaced = re.sub(r"(?<=[\u3040-\u9fff\uac00-\ud7af])(?=[A-Za-z])", " ", spaced)  # 碳足迹kgCO2e
    letters = (c if c.isalnum() or unicodedata.combining(c) else _mark_or_space(c) for c in spaced)
    return "".join(letters).casefold().split()


def _mark_or_space(character: str) -> str:
    """A sign that belongs to the letter before it, as vowels do in Thai and Hindi; else a space."""
    return character if unicodedata.category(character) in ("Mn", "Mc") else " "


def only_qualifies(word: str) -> bool:
    """Whether a word behind another only adds a unit, currency, year or filler to a header."""
    return (
        word in HEADER_UNITS
        or word in _FILLERS
        or word in _OF_FOOTPRINTS
        or word in {"percent", "prozent", "pct", "porcentaje", "pourcent"}
        or word.upper() in currencies()
        or word in CURRENCY_WORDS
        or re.fullmatch(r"20[0-9]{2}", word) is not None
    )


def _without_remark(text: str) -> list[str]:
    """The key of a header without a remark at its end, `Country of Origin (HS)`; [] if it has none.

    Also [] where the remark may say which mass or unit is meant: `Weight (GW)`.
    """
    match = _REMARK.search(text)
    if match is None:
        return []
    key = normalise(text[: match.start()])
    is_more = match["code"] is not None and (
        key in _MASS_NAMES or match["code"].lower() in HEADER_UNITS
    )
    return [] if is_more else [key]


def _unit_at_the_end(key: str) -> tuple[str, MassUnit | None]:
    """(key of a weight without the unit at its end, the unit), as in 重量克 or weightkg.

    (`key`, None) for any other key; the t of "weight" is no unit.
    """
    if key in _KNOWN:
        return key, None
    for length in range(min(12, len(key) - 1), 0, -1):
        unit = HEADER_UNITS.get(key[-length:])
        if unit is not None:
            rest = key[:-length]
            known = next(
                (one for one in (rest, rest.removesuffix("in")) if one in _MASS_NAMES), None
            )
            if known is not None:
                return known, unit
    return key, None


def _currency(text: str, words: list[str]) -> str | None:
    """The code of the currency that a header names behind its first word, or by a sign anywhere."""
    for sign, known in CURRENCY_SIGNS.items():
        if sign in text:
            return known
    behind = words[1:]
    code = next((word.upper() for word in behind if word.upper() in currencies()), None)
    spoken = (CURRENCY_WORDS[word] for word in behind if word in CURRENCY_WORDS)
    return code or next(spoken, None)
