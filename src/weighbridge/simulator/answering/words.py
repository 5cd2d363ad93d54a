"""Words of a text in a form that can be compared: lower case, one spelling, no plural.

Used for product texts and for the values of enums, so that the same word is found in both. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD: Final = re.compile(r"[a-zà-öø-ÿ]+[0-9]*|[0-9]+")

# Joined before splitting, so that a T-shirt is not a T and a shirt.
_JOINED: Final = (
    ("t-shirt", "tshirt"), ("tee shirt", "tshirt"), ("e-bike", "ebike"), ("e-scooter", "escooter"),
    ("flat-pack", "flatpack"), ("stainless steel", "stainless"), ("cast iron", "castiron"),
    ("cast-iron", "castiron"), ("cast_iron", "castiron"),
    ("li-ion", "liion"), ("lithium ion", "liion"), ("lithium-ion", "liion"),
)  # fmt: skip

_SPELLINGS: Final[Mapping[str, str]] = {
    "aluminum": "aluminium", "alu": "aluminium", "fiber": "fibre", "fiberglass": "fibreglass", "gray": "grey",
    "moulded": "moulding", "molded": "moulding", "molding": "moulding", "colour": "color", "tire": "tyre",
    "tee": "tshirt", "jewelry": "jewellery", "sulfate": "sulphate", "plywood": "plywood", "polyamide": "nylon",
    "pa6": "nylon", "pa66": "nylon", "spandex": "elastane", "lycra": "elastane", "polyethylene": "pe",
    "polypropylene": "pp", "polystyrene": "ps", "polycarbonate": "pc", "polyurethane": "pu", "acrylonitrile": "abs",
    "polyvinyl": "pvc", "timber": "wood", "wooden": "wood", "woollen": "wool", "woolen": "wool", "merino": "wool",
    "cardboard": "paperboard", "carton": "paperboard", "cotta": "terracotta", "leathers": "leather",
    "knives": "knife", "shelves": "shelf", "scarves": "scarf", "loaves": "loaf", "telephone": "phone",
    "cellphone": "smartphone", "iphone": "smartphone", "tv": "television", "fridge": "refrigerator",
    "trainer": "sneaker", "pant": "trouser", "jean": "jean", "sofabed": "sofa", "couch": "sofa", "rucksack": "backpack",
    "tumbler": "cup", "lcd": "display", "oled": "display", "screen": "display", "bulb": "lamp", "notebooks": "notebook",
    "gold": "gold", "faucet": "tap", "nappy": "diaper", "hoodie": "sweatshirt", "pullover": "sweater",
}  # fmt: skip

_IGNORED_TEXT: Final = (
    "a an and are as at be by for from has in into is it its of on or other our per that the this "
    "to very was with without your you all any more most new high low quality product products "
    "our made use used using"
)
IGNORED: Final = frozenset(_IGNORED_TEXT.split())


def stem(word: str) -> str:
    """The word in the singular, in the spelling that `_SPELLINGS` prefers."""
    word = _SPELLINGS.get(word, word)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies"):
            word = word[:-3] + "y"
        elif word.endswith(("ses", "xes", "ches", "shes", "zes")) and not word.endswith("ases"):
            word = word[:-2]
        else:
            word = word[:-1]
    return _SPELLINGS.get(word, word)


@lru_cache(maxsize=16_384)
def _stem_cached(word: str) -> str:
    """The stem; empty for a word in `IGNORED`."""
    return "" if word in IGNORED else stem(word)


def words_of(text: str) -> list[str]:
    """The stems of a text's words in their order, without those in `IGNORED`."""
    lowered = text.lower()
    for old, new in _JOINED:
        if old in lowered:
            lowered = lowered.replace(old, new)
    return [word for word in map(_stem_cached, _WORD.findall(lowered)) if word]
