"""Countries of origin: ISO 3166-1 alpha-2 codes, and the names and alpha-3 codes of the commonest.

Pure. Codes are accepted in any case, names in any case and with or without "the". What is not listed is refused with
the advice to use the two-letter code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN
BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ
DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL
GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM
JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP
NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD
SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
ALPHA_2: Final = frozenset(_CODES.split())
"""All 249 codes that are officially assigned."""

_NAMES: Final = {
    "AE": ("are", "united arab emirates", "uae"), "AR": ("arg", "argentina"), "AT": ("aut", "austria"),
    "AU": ("aus", "australia"), "BA": ("bih", "bosnia and herzegovina"), "BD": ("bgd", "bangladesh"),
    "BE": ("bel", "belgium"), "BG": ("bgr", "bulgaria"), "BR": ("bra", "brazil"), "BY": ("blr", "belarus"),
    "CA": ("can", "canada"), "CH": ("che", "switzerland"), "CL": ("chl", "chile"),
    "CN": ("chn", "china", "people's republic of china", "prc", "p.r. china", "mainland china"),
    "CO": ("col", "colombia"), "CR": ("cri", "costa rica"), "CZ": ("cze", "czechia", "czech republic"),
    "DE": ("deu", "germany", "deutschland"), "DK": ("dnk", "denmark"), "EE": ("est", "estonia"),
    "EG": ("egy", "egypt"), "ES": ("esp", "spain"), "ET": ("eth", "ethiopia"), "FI": ("fin", "finland"),
    "FR": ("fra", "france"),
    "GB": ("gbr", "united kingdom", "uk", "u.k.", "great britain", "england", "scotland", "wales",
           "united kingdom of great britain and northern ireland"),
    "GR": ("grc", "greece"), "HK": ("hkg", "hong kong"), "HR": ("hrv", "croatia"), "HU": ("hun", "hungary"),
    "ID": ("idn", "indonesia"), "IE": ("irl", "ireland"), "IL": ("isr", "israel"), "IN": ("ind", "india"),
    "IS": ("isl", "iceland"), "IT": ("ita", "italy"), "JO": ("jor", "jordan"), "JP": ("jpn", "japan"),
    "KE": ("ken", "kenya"), "KH": ("khm", "cambodia"),
    "KR": ("kor", "south korea", "korea, republic of", "republic of korea", "korea"), "KZ": ("kaz", "kazakhstan"),
    "LA": ("lao", "laos"), "LK": ("lka", "sri lanka"), "LT": ("ltu", "lithuania"), "LU": ("lux", "luxembourg"),
    "LV": ("lva", "latvia"), "MA": ("mar", "morocco"), "MD": ("mda", "moldova"), "MK": ("mkd", "north macedonia"),
    "MM": ("mmr", "myanmar", "burma"), "MO": ("mac", "macao", "macau"), "MT": ("mlt", "malta"),
    "MU": ("mus", "mauritius"), "MX": ("mex", "mexico"), "MY": ("mys", "malaysia"), "NG": ("nga", "nigeria"),
    "NL": ("nld", "netherlands", "holland"), "NO": ("nor", "norway"), "NP": ("npl", "nepal"),
    "NZ": ("nzl", "new zealand"), "PE": ("per", "peru"), "PH": ("phl", "philippines"), "PK": ("pak", "pakistan"),
    "PL": ("pol", "poland"), "PT": ("prt", "portugal"), "RO": ("rou", "romania"), "RS": ("srb", "serbia"),
    "RU": ("rus", "russia", "russian federation"), "SA": ("sau", "saudi arabia"), "SE": ("swe", "sweden"),
    "SG": ("sgp", "singapore"), "SI": ("svn", "slovenia"), "SK": ("svk", "slovakia"), "TH": ("tha", "thailand"),
    "TN": ("tun", "tunisia"), "TR": ("tur", "turkey", "türkiye", "turkiye"),
    "TW": ("twn", "taiwan", "taiwan, province of china"), "UA": ("ukr", "ukraine"),
    "US": ("usa", "united states", "united states of america", "u.s.a.", "u.s.", "america"),
    "VN": ("vnm", "vietnam", "viet nam"), "ZA": ("zaf", "south africa"),
}  # fmt: skip

NO_COUNTRY: Final = frozenset({"", "-", "–", "—", "?", "n/a", "n.a.", "none", "null", "unknown"})
"""What people write when they do not know. "na" is not among them: it is Namibia."""

BY_SPELLING: Final[Mapping[str, str]] = {
    **{code.lower(): code for code in ALPHA_2},
    **{name: code for code, names in _NAMES.items() for name in names},
    **{f"the {name}": code for code, names in _NAMES.items() for name in names if len(name) > 3},
}
"""Every accepted spelling, in lower case, with its alpha-2 code."""


def read_country(text: str) -> str | None:
    """The alpha-2 code of what a cell says, or None if it is no country that we know."""
    return BY_SPELLING.get(text.strip().lower())
