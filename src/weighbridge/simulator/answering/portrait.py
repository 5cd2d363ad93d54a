"""Guesses a product's kind, mass and materials from the words of its name and description.

Done once per product, then used for every question about it. Pure, and the same for the same
product and seed, whichever products are in the same call.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

from weighbridge.simulator.answering.lexicon import DEFAULT_PARTS, KINDS, MATERIALS, Kind, Part
from weighbridge.simulator.answering.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

_HEAD_ENDS: Final = re.compile(r"\s(?:for|with|from|by|in|of|w/)\s|[,(:;–|]|\s-\s", re.IGNORECASE)
_PERCENTAGE: Final = re.compile(
    r"(\d{1,3})\s?%\s+(?:recycled |organic )?([a-zA-Z]+(?:[ -][a-zA-Z]+)?)"
)
_MASS_FIELDS: Final = ("weight_kg", "mass_kg", "weight", "mass")
_DESCRIPTION_CHARACTERS: Final = 1_500
"""How many characters of a product's description are read, at most."""
# A stated mass is believed between these multiples of the kind's typical mass. The upper one is
# large because a pack of many pieces is sold as one unit.
_LIGHTEST: Final = 1 / 50
_HEAVIEST: Final = 300
# First words of materials that no other replaces: a paint stays paint, whatever its can is made of.
_ESSENTIAL: Final = frozenset(
    {
        "food",
        "water",
        "cement",
        "concrete",
        "brick",
        "paint",
        "printing",
        "pulp",
        "lubricating",
        "asphalt",
        "battery",
    }
)
# First words of materials that are often named for a detail or the packaging: a part's material is
# not replaced by one of these if only the description names it.
_INCIDENTAL: Final = frozenset(
    {
        "glass",
        "paper",
        "printing",
        "board",
        "corrugated",
        "kraft",
        "pu",
        "brass",
        "zinc",
        "plastic",
        "silicone",
    }
)
_TRIM_SHARE: Final = 0.06
"""The share of a product's mass, invented, for each material that the text names and that replaces
none of the usual parts.
"""
# (part, invented share of the mass) of the first, second and third named material in a product of
# no known kind.
_PLAIN_PLACES: Final = (("body", 0.75), ("fittings", 0.18), ("finish", 0.07))
_NORMAL: Final = NormalDist()

_KIND_ENDINGS: Final = frozenset(phrase[-1] for phrase in KINDS)
_MATERIAL_STARTS: Final = frozenset(phrase[0] for phrase in MATERIALS)
_MATERIAL_WORDS: Final = frozenset(phrase[0] for phrase in MATERIALS if len(phrase) == 1)

# Words that are often verbs, adjectives or colours: they tell the kind in a name, but not in a
# description.
_DOUBTFUL_TEXT: Final = (
    "can iron press loader gear spring tie ring game network display memory weight seat structure "
    "equipment machine handle box packaging water case short light control cover tool drink set "
    "sheet board box film bag label folder fan lock switch hub seal foam panel tank drum chip "
    "paper book bench"
)
_DOUBTFUL: Final = frozenset(_DOUBTFUL_TEXT.split())
# Materials that are also flavours, colours or scents, each with the only kind of product in which
# the word counts as a material (or where the kind is unknown).
_ONLY_IN_CATEGORY: Final = {"food": "food", "ethanol": "chemical", "salt": "chemical", "soda": "chemical",
                   "gold": "jewellery", "silver": "jewellery"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the analyst takes a product to be. The shares of its `parts` add up to 1.

    `bag` are the product's words with their weights. `mass_kg` is the given mass, or a guess where
    that is missing or implausible.
    """

    code: str
    name: str
    given_mass_kg: float | None
    mass_kg: float
    kind: Kind | None
    parts: tuple[Part, ...]
    bag: Mapping[str, float]
    certainty: int  # 0 nothing recognised, 1 kind or material, 2 both
    digest: bytes

    @property
    def mass_is_plausible(self) -> bool:
        """Whether the given mass can be that of one unit; True also where none is given."""
        return self.given_mass_kg in (None, self.mass_kg)


def portray(product: Mapping[str, Any], seed: int) -> Portrait:
    """The portrait of a product as it stands in the prompt. Missing fields are taken as empty."""
    given = None
    for field in _MASS_FIELDS:
        given = product.get(field)
        if given is not None:
            break
    mass_kg = float(given) if isinstance(given, int | float) and 0 < given < math.inf else None
    return _portray(
        str(product.get("code", "")),
        str(product.get("name") or ""),
        str(product.get("description") or ""),
        mass_kg,
        seed,
    )


@lru_cache(maxsize=32_768)
def _portray(code: str, name: str, description: str, mass_kg: float | None, seed: int) -> Portrait:
    """As `portray`, from the product's fields; `mass_kg` is the given mass, None without one."""
    description = description[:_DESCRIPTION_CHARACTERS]
    digest = hashlib.blake2b(
        "\0".join((str(seed), code, name, description, str(mass_kg))).encode("utf-8", "replace"),
        digest_size=16,
    ).digest()
    head = words_of(_HEAD_ENDS.split(name.strip(), maxsplit=1)[0])
    name_words, text_words = words_of(name), words_of(description)
    kind = _kind(head, name_words, text_words)
    in_name, in_text = _materials(name_words), _materials(text_words)
    details = frozenset(in_text).difference(in_name)
    named = [hint for hint in dict.fromkeys(in_name + in_text) if _is_credible(hint, kind)][:3]
    if "recycled" in name_words or "recycled" in text_words:
        named = [
            "/".join(f"{option.split()[0]} recycled" for option in hint.split("/"))
            for hint in named
        ]
    return Portrait(
        code=code,
        name=name,
        given_mass_kg=mass_kg,
        mass_kg=mass_kg
        if mass_kg and _is_plausible(mass_kg, kind)
        else _guess_mass_kg(kind, digest),
        kind=kind,
        parts=_parts(kind, named, details, _percentages(f"{name}. {description}"), digest),
        bag=_weighted_words(head, name_words, text_words, kind),
        certainty=(kind is not None) + bool(named),
        digest=digest,
    )


def _kind(head: Sequence[str], name: Sequence[str], text: Sequence[str]) -> Kind | None:
    """The product's kind: by the last known noun of its name (a laptop bag is a bag), else by the
    first one in its description; None if no word is known.

    `head` is the part of the name before "for", "with" and the like.
    """
    if "toy" in name:
        return KINDS[("toy",)]
    for words in (head, name):
        for end in range(len(words), 0, -1):
            kind = _kind_ending_at(words, end)
            if kind is not None:
                return kind
    for end in range(1, len(text) + 1):
        kind = _kind_ending_at(text, end)
        if kind is not None and text[end - 1] not in _DOUBTFUL:
            return kind
    return None


def _kind_ending_at(words: Sequence[str], end: int) -> Kind | None:
    """The kind named by the three, two or one words before `end`, the longest first; else None."""
    if words[end - 1] not in _KIND_ENDINGS:
        return None
    for length in (3, 2, 1):
        if end >= length:
            kind = KINDS.get(tuple(words[end - length : end]))
            if kind is not None:
                return kind
    return None


def _materials(words: Sequence[str]) -> list[str]:
    """The hints (the values of MATERIALS) of the first three materials that the words name; at each
    place a name of two words is preferred to one of one word.
    """
    hints: list[str] = []
    skip = False
    for position, word in enumerate(words):
        if skip or word not in _MATERIAL_STARTS:
            skip = False
            continue
        longer = MATERIALS.get(tuple(words[position : position + 2]))
        skip = longer is not None and position + 1 < len(words)
        hint = longer or MATERIALS.get((word,))
        if hint is not None and hint not in hints:
            hints.append(hint)
            if len(hints) == 3:
                break
    return hints


def _is_credible(hint: str, kind: Kind | None) -> bool:
    """Whether a product of this kind can be made of the material with this hint (see `MATERIALS`).

    A wood screw is not made of wood, and only food is made of lemon.
    """
    if kind is None:
        return True
    if _first_word(hint) == "wood" and "fastener" in kind.category_words:
        return False
    category = _ONLY_IN_CATEGORY.get(_first_word(hint))
    if category is None:
        return True
    return category in kind.category_words or any(
        part.hint.startswith(category) for part in kind.parts
    )


def _percentages(text: str) -> list[tuple[str, float]]:
    """(hint, share) of each material in a text such as `60% cotton, 40% polyester`; a hint is the
    word by which a material is recognised.

    The shares are scaled so that their sum is 1. Empty if the materials that are recognised make up
    less than half.
    """
    found: dict[str, float] = {}
    for number, phrase in _PERCENTAGE.findall(text):
        hints = _materials(words_of(phrase))
        if hints and hints[0] not in found:
            found[hints[0]] = int(number) / 100
    total = math.fsum(found.values())
    return [(hint, share / total) for hint, share in found.items()] if total >= 0.5 else []


@lru_cache(maxsize=4_096)
def _first_word(hint: str) -> str:
    return hint.split("/", 1)[0].split(" ", 1)[0]


def _parts(
    kind: Kind | None,
    named: Sequence[str],
    details: Set[str],
    percentages: Sequence[tuple[str, float]],
    digest: bytes,
) -> tuple[Part, ...]:
    """The parts of a product, with shares that add up to 1: the kind's recipe with the materials
    that the text names; without a kind these materials alone, in invented shares; without either a
    default recipe, chosen by the digest.

    `details` are materials that the description names and the name does not.
    """
    if kind is not None:
        parts = _recipe(kind, named, details, percentages)
    elif percentages:
        parts = [Part(hint, share, "body") for hint, share in percentages]
    elif named:
        places = zip(named, _PLAIN_PLACES, strict=False)
        parts = [Part(hint, share, component) for hint, (component, share) in places]
    else:
        return DEFAULT_PARTS[digest[0] % len(DEFAULT_PARTS)]
    total = math.fsum(part.share for part in parts)
    return tuple(Part(part.hint, part.share / total, part.component) for part in parts)


def _recipe(
    kind: Kind, named: Sequence[str], details: Set[str], percentages: Sequence[tuple[str, float]]
) -> list[Part]:
    """The kind's parts with the materials that the text names; those that replace no part are added
    as trim.
    """
    known = {_first_word(part.hint) for part in kind.parts}
    others = [hint for hint in named if _first_word(hint) not in known]
    parts: list[Part] = []
    for part in kind.parts:
        if part.replaceable and percentages:
            own = _first_word(part.hint)
            parts += [
                replace(
                    part,
                    hint=part.hint if _first_word(hint) == own else hint,
                    share=part.share * share,
                )
                for hint, share in percentages
            ]
        elif (
            part.replaceable and (chosen := _replacement(part, named, others, details)) is not None
        ):
            parts.append(replace(part, hint=chosen))
            others = [hint for hint in others if hint != chosen]
        else:
            parts.append(part)
    if not percentages:
        parts += [Part(hint, _TRIM_SHARE, "trim") for hint in others]
    return parts


def _replacement(
    part: Part, named: Sequence[str], others: Sequence[str], details: Set[str]
) -> str | None:
    """The hint of the named material that replaces this part's usual one; None: it is kept.

    A material with the same first word replaces it only if it is recycled or a food. A part in
    `_ESSENTIAL` is replaced by no other material.
    """
    own = _first_word(part.hint)
    same = next((hint for hint in named if _first_word(hint) == own), None)
    if same is not None:
        return same if " recycled" in same or own == "food" else part.hint
    if own in _ESSENTIAL:
        return None
    return next(
        (hint for hint in others if not (hint in details and _first_word(hint) in _INCIDENTAL)),
        None,
    )


def _is_plausible(mass_kg: float, kind: Kind | None) -> bool:
    """Whether one unit can have this mass, by the typical mass of its kind; True without a kind."""
    return kind is None or _LIGHTEST <= mass_kg / kind.mass_kg <= _HEAVIEST


def _guess_mass_kg(kind: Kind | None, digest: bytes) -> float:
    """A mass for a product without one: the typical mass of its kind, varied by the digest, to
    three significant digits.
    """
    spread = _NORMAL.inv_cdf((int.from_bytes(digest[:4], "big") + 0.5) / 2**32)
    typical_kg, sigma = (kind.mass_kg, 0.25) if kind else (0.6, 0.9)
    return float(f"{typical_kg * math.exp(sigma * spread):.3g}")


def _weighted_words(
    head: Sequence[str], name: Sequence[str], text: Sequence[str], kind: Kind | None
) -> dict[str, float]:
    """The product's words with their weights, by which `EnumIndex` chooses a value.

    Words of the name weigh more than those of the description. Words for materials weigh less,
    because they say little about what a thing is.
    """
    bag: dict[str, float] = {}
    for words, weight in ((text[:50], 1.0), (name, 2.0), (head, 3.0), (head[-1:], 4.0)):
        for word in words:
            # Each weight is above the one before it, so the last is the largest.
            bag[word] = weight * 0.4 if word in _MATERIAL_WORDS else weight
    if kind is not None:
        for position, word in enumerate(kind.category_words):
            bag[word] = max(bag.get(word, 0.0), 3.0 if position else 6.0)
    return bag
