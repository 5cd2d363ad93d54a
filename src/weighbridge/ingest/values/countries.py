"""Reads countries of origin as people write them into ISO 3166-1 alpha-2 codes.

Names in some 40 languages, alpha-3 and numeric codes come from CLDR (babel). For a cell that names
several countries or none (EU, World, DE/PL), the reason is given instead of a code.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from babel import Locale, localedata
from babel.core import get_global

from weighbridge.ingest.values.nothing import LONGEST_VALUE, NOT_KNOWN, no_value_note
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LANGUAGES: Final = [
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "cs",
    "sk",
    "sl",
    "hr",
    "sr",
    "da",
    "sv",
    "nb",
    "fi",
    "et",
    "lv",
    "lt",
    "hu",
    "ro",
    "bg",
    "el",
    "tr",
    "ru",
    "uk",
    "zh",
    "zh_Hant",
    "ja",
    "ko",
    "ar",
    "he",
    "vi",
    "id",
    "ms",
    "th",
    "hi",
    "fa",
    "ca",
]
_MORE_NAMES: Final[Mapping[str, str]] = {
    "weißrussland": "BY", "weissrussland": "BY", "bangla desh": "BD", "lybien": "LY", "r.o.c.": "TW", "ceylon": "LK", "west germany": "DE",
    "uk": "GB", "u.k.": "GB", "great britain": "GB", "britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northern ireland": "GB", "united kingdom of great britain and northern ireland": "GB", "el": "GR", "hellas": "GR",
    "usa": "US", "u.s.a.": "US", "u.s.": "US", "us of a": "US", "america": "US", "united states of america": "US", "états-unis d'amérique": "US",
    "korea, republic of": "KR", "republic of korea": "KR", "korea, rep.": "KR", "korea rep": "KR", "korea": "KR", "s. korea": "KR", "korea, south": "KR", "korea (south)": "KR", "korea (republic of)": "KR",
    "korea, democratic people's republic of": "KP", "korea, dem. people's rep.": "KP", "korea, dem. rep.": "KP", "dprk": "KP",
    "china (prc)": "CN", "prc": "CN", "p.r. china": "CN", "p.r.c.": "CN", "pr china": "CN", "people's republic of china": "CN", "peoples republic of china": "CN", "china, people's republic of": "CN",
    "mainland china": "CN", "china mainland": "CN", "vr china": "CN", "volksrepublik china": "CN", "rp chine": "CN", "中国大陆": "CN", "中華人民共和国": "CN", "中华人民共和国": "CN",
    "taiwan, province of china": "TW", "taiwan (roc)": "TW", "republic of china": "TW", "taiwan r.o.c.": "TW", "chinese taipei": "TW",
    "hong kong": "HK", "hong kong sar": "HK", "hongkong": "HK", "macao": "MO", "macau": "MO", "macao sar": "MO",
    "czech rep.": "CZ", "czech republic": "CZ", "the czech republic": "CZ", "tschechei": "CZ", "tschechische republik": "CZ", "république tchèque": "CZ", "república checa": "CZ", "repubblica ceca": "CZ", "slovak republic": "SK",
    "holland": "NL", "the netherlands": "NL", "netherlands, the": "NL", "burma": "MM", "ivory coast": "CI", "cote d'ivoire": "CI",
    "russian federation": "RU", "russian fed.": "RU", "viet nam": "VN", "socialist republic of vietnam": "VN", "lao pdr": "LA", "lao people's democratic republic": "LA", "lao": "LA",
    "macedonia": "MK", "fyrom": "MK", "former yugoslav republic of macedonia": "MK", "republic of north macedonia": "MK", "moldova, republic of": "MD", "republic of moldova": "MD",
    "uae": "AE", "u.a.e.": "AE", "emirates": "AE", "turkey": "TR", "türkei": "TR", "turkiye": "TR", "republic of türkiye": "TR", "syrian arab republic": "SY", "iran, islamic republic of": "IR", "islamic republic of iran": "IR",
    "tanzania, united republic of": "TZ", "united republic of tanzania": "TZ", "venezuela, bolivarian republic of": "VE", "bolivia, plurinational state of": "BO", "plurinational state of bolivia": "BO", "micronesia, federated states of": "FM",
    "palestine, state of": "PS", "palestine": "PS", "palestinian territory": "PS", "congo, democratic republic of the": "CD", "congo, the democratic republic of the": "CD", "democratic republic of the congo": "CD", "congo, dem. rep.": "CD", "dr congo": "CD", "drc": "CD", "zaire": "CD",
    "congo": "CG", "congo, rep.": "CG", "republic of the congo": "CG", "brunei darussalam": "BN", "cabo verde": "CV", "swaziland": "SZ", "east timor": "TL", "holy see": "VA", "vatican": "VA", "eswatini": "SZ", "egypt, arab rep.": "EG", "yemen, rep.": "YE",
    "gambia, the": "GM", "bahamas, the": "BS", "the gambia": "GM", "the bahamas": "BS", "kosovo": "XK", "kosovo, republic of": "XK", "republic of kosovo": "XK", "xkx": "XK", "rks": "XK", "bosnia": "BA", "bosnia-herzegovina": "BA", "bosnia & herzegovina": "BA",
    "federal republic of germany": "DE", "brd": "DE", "frg": "DE", "bundesrepublik deutschland": "DE", "ger": "DE", "kyrgyz republic": "KG", "st. lucia": "LC", "saint lucia": "LC", "trinidad & tobago": "TT", "trinidad": "TT", "saudi": "SA", "ksa": "SA", "kingdom of saudi arabia": "SA",
    "india, republic of": "IN", "republic of india": "IN", "bharat": "IN", "republic of ireland": "IE", "eire": "IE", "kazakstan": "KZ", "belorussia": "BY", "byelorussia": "BY", "the philippines": "PH", "schweiz (ch)": "CH",
    "grande-bretagne": "GB", "gran bretaña": "GB", "gran bretagna": "GB", "grã-bretanha": "GB", "großbritannien": "GB", "groot-brittannië": "GB", "wielka brytania": "GB", "великобритания": "GB", "англия": "GB", "angleterre": "GB", "inghilterra": "GB", "inglaterra": "GB",
    "ee.uu.": "US", "ee. uu.": "US", "eeuu": "US", "eua": "US", "e.u.a.": "US", "vs": "US", "v.s.": "US", "usa (america)": "US", "сша": "US", "кнр": "CN", "китайская народная республика": "CN", "chrl": "CN", "chińska republika ludowa": "CN", "rp china": "CN",
    "polsce": "PL", "chinach": "CN", "niemczech": "DE", "indiach": "IN", "turcji": "TR", "włoszech": "IT", "czechach": "CZ", "wietnamie": "VN", "bangladeszu": "BD", "portugalii": "PT", "hiszpanii": "ES", "francji": "FR", "szwecji": "SE", "austrii": "AT",
    "číně": "CN", "německu": "DE", "polsku": "PL", "itálii": "IT", "turecku": "TR", "indii": "IN", "vietnamu": "VN", "české republice": "CZ", "česku": "CZ", "čr": "CZ", "slovensku": "SK", "francii": "FR", "španělsku": "ES", "rakousku": "AT", "bangladéši": "BD",
    "китае": "CN", "россии": "RU", "германии": "DE", "турции": "TR", "италии": "IT", "польше": "PL", "индии": "IN", "вьетнаме": "VN", "беларуси": "BY", "республика беларусь": "BY", "франции": "FR", "испании": "ES", "бангладеш": "BD", "рф": "RU",
}  # fmt: skip
"""Country names that CLDR lacks, and their codes. A test sees to it that none contradicts CLDR."""

_REGIONS: Final = frozenset(
    {
        "eu", "e.u.", "eu27", "eu-27", "eu28", "eu-28", "europe", "european union", "europa", "europäische union", "union européenne", "unión europea",
        "unione europea", "ue", "rer", "glo", "row", "rest of world", "world", "worldwide", "global", "welt", "weltweit", "monde", "mundo", "mondo", "int", "international", "asia", "asien", "asie", "africa", "afrika", "north america",
        "south america", "latin america", "far east", "middle east", "oceania", "asean", "eea", "ewr", "efta", "apac", "emea", "latam", "mena", "ras", "rna", "rla", "raf", "oecd", "non-eu", "non eu", "outside eu", "eu/non-eu", "imported", "import",
        "various", "multiple", "mixed", "diverse", "divers", "verschiedene", "diverso", "varios", "vari", "various countries", "multiple countries", "several", "mehrere", "other", "others", "andere", "sonstige", "un", "eurozone", "ez", "qo", "xx", "zz",
    }
)  # fmt: skip
_MADE_IN: Final = re.compile(
    r"^(?:made in|product of|produced in|manufactured in|fabricado en|hecho en|producido en|fabriqué (?:en|au|aux)|produit (?:en|au|aux)|prodotto in|fatto in|fabricado em|feito em|hergestellt in|gefertigt in|produziert in|assembled in|gemaakt in|geproduceerd in|tillverkad i|fremstillet i|produsert i|origin|country of origin|ursprung|herkunft|origine|wyprodukowano w|vyrobeno v|сделано в|произведено в)\b\s*[:=\-–]?\s*(?:the\s+)?",
    re.IGNORECASE,
)
_CODE_AND_NAME: Final = re.compile(
    r"(?P<first>[^\-–—:()|]+?)\s*(?:[-–—:|]\s*(?P<second>.+)|\((?P<inner>[^()]+)\))"
)
_CODE_FIRST: Final = re.compile(r"^[\[(]([A-Za-z]{2,3})[\])]\s*(?=\S)")
_SHORT: Final = {
    "rep": ("republic", "república", "republik", "république", "repubblica", "republika"),
    "n": ("north",), "s": ("south",), "st": ("saint",), "fed": ("federation",), "dem": ("democratic",),
    "is": ("islands",),
}  # fmt: skip
_MADE: Final = re.compile(r"(?:制造|製造|制|製|产|産|산|제|製品)$|^\s*100\s*%\s*|\s*100\s*%\s*$")
"""Matches what is taken off 中國製, 중국산 and 100% China, so that the country is left."""
_FLAG: Final = re.compile("([\U0001f1e6-\U0001f1ff])([\U0001f1e6-\U0001f1ff])")
_SUBDIVISION: Final = re.compile(r"(?P<country>[A-Z]{2})-[A-Z0-9]{1,3}")
_SEVERAL: Final = re.compile(
    r"\s*(?:[,/;|+&]|\band\b|\bund\b|\bor\b|\bet\b|\by\b|\bor\b)\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class CountryReading:
    """The country's code, nothing, or why the cell names no country and what to do."""

    code: str | None = None
    problem: str | None = None


def read_country(text: str) -> CountryReading:
    """The country that a cell names, or what is wrong with the cell."""
    cell = text.strip()
    word = _plain(cell[: LONGEST_VALUE + 1])
    known = _code_of(word)
    if known:
        return CountryReading(known)
    placeholder = no_value_note(cell) if word != "na" else None
    if placeholder is not None:
        return CountryReading(problem=placeholder or None)
    if word in _REGIONS or _plain(_MADE_IN.sub("", cell)) in _REGIONS:
        return CountryReading(
            problem=f"{quote(cell)} is not a single country; the origin counts as unknown. Write the country where it is made"
        )
    found = _code_among_other_words(cell)
    if found:
        return CountryReading(found)
    parts = [part for part in _SEVERAL.split(_plain(cell)) if part]
    codes = {_code_of(part) or part for part in parts}
    if len(parts) > 1 and len(codes) == 1 and _code_of(parts[0]):  # "IT / Italy"
        return CountryReading(codes.pop())
    if len(parts) > 1 and all(_code_of(part) or part in _REGIONS for part in parts):
        return CountryReading(
            problem=f"{quote(cell)} names several countries; the origin counts as unknown. Write the one where it is made"
        )
    return CountryReading(
        problem=f"{quote(cell)} is not a known country; use its two-letter code (ISO 3166-1), such as DE or CN"
    )


def _code_among_other_words(cell: str) -> str | None:
    """The code of a country that is named with words around it; None if there is no single one.

    `Made in China`, `CN - China`, `China (CN)`, `GB-ENG`, `Shenzhen, China`, a flag.
    """
    bare = _MADE_IN.sub("", cell).strip(" .,;:").replace("_", "-")
    bare = _CODE_FIRST.sub(r"\1 - ", bare)
    for one in (_plain(bare), _MADE.sub("", _plain(bare)), *_spelled_out(_plain(bare))):
        if found := _code_of(one):
            return found
    if flag := _FLAG.search(bare):
        said = "".join(chr(ord(letter) - 0x1F1E6 + ord("a")) for letter in flag.groups())
        rest = _FLAG.sub("", bare).strip()
        told = _code_of(_plain(rest)) if rest else said
        return _code_of(said) if told in (said, said.upper()) else None
    if match := _SUBDIVISION.fullmatch(bare):
        return _code_of(match["country"].lower())
    if match := _CODE_AND_NAME.fullmatch(bare):
        parts = [match["first"], match["second"] or match["inner"]]
        codes = {_code_of(_plain(part)) for part in parts}
        # "CN - China" says one thing twice; "Shenzhen (China)" names a place in it.
        if len(codes - {None}) == 1 and (None not in codes or match["inner"]):
            return next(iter(codes - {None}))
    head, comma, tail = bare.rpartition(",")
    places = [_code_of(_plain(head)), _code_of(_plain(tail))] if comma else []
    # "Shenzhen, China" and "China, Shenzhen"; not "China, Germany".
    return next(filter(None, places), None) if None in places else None


def _plain(text: str) -> str:
    """The text in lower case with one kind of apostrophe and single spaces, to be looked up."""
    spaced = (
        "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
        .casefold()
        .replace("’", "'")
        .replace("‘", "'")
        .replace("`", "'")
    )
    return " ".join(spaced.strip(" .,;:'\"").split())


def _code_of(word: str) -> str | None:
    """The alpha-2 code of a code or name in lower case, in a few spellings; None if unknown."""
    code = _country_codes().get(word)
    if code is not None or not word:
        return code
    names = country_names()
    spellings = (
        word,
        word.removeprefix("the "),
        f"{word}.",
        word.replace(" and ", " & "),
        word.replace("-", " "),
    )
    return next((names[one] for one in spellings if one in names), None)


def _spelled_out(word: str) -> Iterator[str]:
    """The texts that an abbreviated name may stand for: `dominican rep.` → dominican republic, and
    so on in every language; none if nothing in it is abbreviated.
    """
    parts = [_SHORT.get(part.rstrip("."), (part,)) for part in word.split()]
    if any(len(part) > 1 or part[0] not in word for part in parts):
        yield from map(" ".join, itertools.product(*parts))


@lru_cache(maxsize=1)
def country_names() -> Mapping[str, str]:
    """Every accepted spelling, in lower case, with its alpha-2 code."""
    codes = _country_codes()
    names: dict[str, str] = {}
    for language in reversed(_LANGUAGES):  # English last: it wins
        territories = _territories(language)
        for code in codes.values():
            name = territories.get(code)
            if name:
                names[_plain(name)] = code
                names[_without_accents(_plain(name))] = code
                names[_without_accents(_plain(name)).replace("-", " ")] = code
    for alias, targets in get_global("territory_aliases").items():
        if len(alias) == 3 and len(targets) == 1 and targets[0].lower() in codes:
            names[str(alias).lower()] = str(targets[0])
    names |= {_plain(name): code for name, code in _MORE_NAMES.items()}
    return {name: code for name, code in names.items() if name not in NOT_KNOWN} | codes


@lru_cache(maxsize=1)
def _country_codes() -> dict[str, str]:
    """Every alpha-2 code, by itself in lower case.

    Most files have only codes, and then the names are never loaded.
    """
    codes = {code for code in _territories("en") if len(code) == 2 and code.isalpha()}
    return {code.lower(): code for code in codes - _NO_COUNTRIES}


def _territories(language: str) -> dict[str, str]:
    """The names of countries in a language, by their code.

    babel's cache is emptied each time: it keeps all that it reads of a language, 65 MB for these 40
    of which we use 2.
    """
    locale = Locale.parse(language)
    names = {str(code): str(name) for code, name in locale.territories.items()}
    localedata._cache.pop(str(locale), None)
    return names


_NO_COUNTRIES: Final = frozenset(
    {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "AC", "CP", "DG", "EA", "IC", "TA", "CQ"}
)
"""CLDR's regions and exceptional reservations that are no country of origin."""


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
