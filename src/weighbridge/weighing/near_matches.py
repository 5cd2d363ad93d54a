"""Finds the entry of a closed list that a person's word means, or the entries that it may mean.

Pure. Only for what people write: a model chooses from the list itself.

A word is taken (`find_key`) where it can mean one entry only: its key, its name, the words of
either in any order, or what its name is called before the first comma ("paint" for "Paint,
water-based") or in brackets ("acrylic glass" for "PMMA (acrylic glass)"), unless that is recycled
and nobody said so. Everything else is refused with the likeliest entries (`near_matches`).

A misspelled word is taken for the known one that it is nearest to. Then what a word means counts
before its letters: first what people usually mean by it (`USUAL`: "denim" is woven cotton), then
whole words, the end of a compound (plywood is a wood), and its inflection. The last word of a text
is what it is about: "solid wood" is wood, no solid-state drive. Words that only qualify ("solid",
"recycled") find nothing by themselves, and one that few entries have counts more than one that many
have.
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
    " The sheet Lists of a review workbook (weighbridge review --out FILE) has the whole list of "
    "allowed values."
)
"""What a message about an unknown name says where no entry of the list is like it."""
SHOWN: Final = 3
"""How many entries a message suggests, at most."""
_LIKELY: Final = 0.8
"""Two texts are alike from this ratio of `difflib` on; used where no word of one is in the other.
"""
_SLIP: Final = 0.82
"""From this ratio of `difflib` on, one word is taken for a misspelling of the other."""
_LEAST_FOR_SLIP: Final = 4
"""A word with fewer letters is never taken for a misspelling, or for a part of another word."""
_LONGEST_INFLECTION: Final = 3
"""So many letters at the end of a word may be its inflection: "screw", "screws"."""
_LEAST_FOR_COMPOUND: Final = 8
"""A word with fewer letters is never split into other words, as "Kupferdraht" is."""
_LEAST_FOR_BRACKETS: Final = 3
"""A text in brackets with fewer letters is not taken for a name of the entry."""
_COMPOUND: Final = 0.9
"""The score of a compound of the word that is looked for: plywood for "wood"."""
_INFLECTED: Final = 0.8
"""The score of another form of the word that is looked for; the same word scores 1."""
_PER_LETTER: Final = 0.05
"""What each letter of the inflection takes from that."""
_HEAD: Final = 2.0
"""How much more the word that a text is about counts than another."""
_QUALIFIER: Final = 0.3
"""How much a word counts that only qualifies others."""
_UNASKED: Final = 0.85
"""Part of its score that a recycled entry keeps where the text does not say recycled."""
_USUAL_FIRST: Final = 0.2
"""What is added to the score of the entry that a word usually means, and less to the next ones."""
_CLOSE: Final = 0.7
"""Entries that score less than this part of the best score are not suggested beside it."""
_LEAST_SCORE: Final = 0.15
"""The least score by words at which an entry of a list is similar to what was given. If none
reaches it, whole texts are compared instead of words.
"""
_WORD_OF_LISTS: Final = {
    "virgin": "primary",
    "new": "primary",
    "secondary": "recycled", "waste": "recycled", "reclaimed": "recycled", "recycling": "recycled",
    "recycelt": "recycled", "recyceltes": "recycled", "recycle": "recycled",
    "faux": "synthetic", "vegan": "synthetic", "artificial": "synthetic", "imitation": "synthetic",
    **IN_ENGLISH,
    "rpet": "recycled pet", "rpp": "recycled pp", "rpvc": "recycled pvc",
    "rhdpe": "recycled hdpe", "rpolyester": "recycled polyester",
    "kunstleder": "synthetic leather", "leatherette": "synthetic leather",
    "massivholz": "solid wood", "sperrholz": "plywood", "wellpappe": "corrugated cardboard",
    "inoxydable": "stainless", "inoxidable": "stainless", "inossidabile": "stainless",
    "acrylglas": "pmma", "plexiglas": "pmma", "plexiglass": "pmma", "perspex": "pmma",
    "blei": "lead", "plomb": "lead", "zink": "zinc", "zinn": "tin", "gusseisen": "iron",
    "farbe": "paint", "peinture": "paint", "lack": "lacquer", "klebstoff": "adhesive",
    "glue": "adhesive", "karton": "cardboard", "pappe": "cardboard", "carton": "cardboard",
    "kunststoff": "plastic", "plastik": "plastic", "plastique": "plastic", "plastico": "plastic",
    "plástico": "plastic", "plastica": "plastic",
    "porzellan": "porcelain", "beton": "concrete", "ziegel": "brick", "kork": "cork",
    "oak": "hardwood", "beech": "hardwood", "birch": "hardwood", "walnut": "hardwood",
    "maple": "hardwood", "teak": "hardwood", "acacia": "hardwood", "hickory": "hardwood",
    "mahogany": "hardwood", "rubberwood": "hardwood",
    "eiche": "hardwood", "buche": "hardwood", "esche": "hardwood", "birke": "hardwood",
    "pine": "softwood", "spruce": "softwood", "larch": "softwood", "cedar": "softwood",
    "kiefer": "softwood", "fichte": "softwood", "tanne": "softwood", "timber": "lumber",
    "chipboard": "particleboard", "spanplatte": "particleboard", "styrofoam": "eps",
    "molding": "moulding", "fiber": "fibre", "fiberglass": "fibreglass", "glassfibre": "fibreglass",
    "teflon": "ptfe", "filz": "felt", "stein": "stone", "stoff": "fabric", "textil": "textile",
    "tessuto": "fabric", "tissu": "fabric", "schraube": "screw", "schrauben": "screw",
}  # fmt: skip
"""Word → the word that the lists use for it, in English, or several."""
USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "wood": ("hardwood_sawn", "sawn_softwood_dry_us", "plywood_indoor"),
    "lumber": ("sawn_softwood_dry_us", "hardwood_sawn"),
    "softwood": ("sawn_softwood_dry_us", "plywood_indoor"),
    "veneer": ("lvl", "plywood_indoor", "hardwood_sawn"),
    "board": ("particleboard", "mdf", "corrugated_board"),
    "steel": ("steel_cold_rolled", "steel_primary_sheet", "steel_ordinary_section"),
    "sheet": ("steel_cold_rolled", "aluminium_primary"),
    "metal": ("steel_cold_rolled", "aluminium_ordinary", "stainless_304_cold_rolled"),
    "chrome": ("chromium", "leather_chrome_tanned"),
    "stainless": ("stainless_304_cold_rolled", "stainless_304_eaf", "stainless_430_world"),
    "iron": ("cast_iron", "steel_cold_rolled", "pig_iron"),
    "aluminium": ("aluminium_ordinary", "aluminium_primary", "aluminium_recycled"),
    "zinc": ("zinc_primary", "zinc_die_cast"),
    "titanium": ("titanium_primary", "titanium_6al4v"),
    "gold": ("gold_primary", "gold_recycled"),
    "silver": ("silver_primary", "silver_recycled"),
    "latex": ("natural_rubber_latex", "latex_binder"),
    "biope": ("bio_pe",),
    "copper": ("copper_cathode", "copper_wire", "copper_recycled"),
    "wire": ("copper_wire", "stainless_wire_188", "cable_insulated"),
    "screw": ("steel_fasteners",),
    "bolt": ("steel_fasteners",),
    "nail": ("steel_fasteners",),
    "motor": ("electric_motor",),
    "glass": ("glass_float", "glass_tempered", "glass_container_fr"),
    "fibreglass": ("glass_fibre", "smc_gf25", "pa_gf30"),
    "paper": ("printing_paper_uncoated", "kraft_paper", "tissue_paper"),
    "cardboard": ("corrugated_board", "folding_boxboard", "greyboard"),
    "plastic": ("plastic_average", "pp_resin", "plastic_recycled_average_uk"),
    "bioplastic": ("pla", "bio_pe"),
    "pe": ("hdpe_resin", "ldpe_resin", "lldpe_resin"),
    "pp": ("pp_resin", "pp_recycled_pellet", "pp_gf30"),
    "pet": ("pet_resin", "pet_recycled_pellet"),
    "hdpe": ("hdpe_resin", "hdpe_recycled_pellet"),
    "pvc": ("pvc_resin", "pvc_recycled_formed_uk"),
    "abs": ("abs_resin", "pc_abs_blend", "abs_recycled_pellet"),
    "pc": ("pc_resin", "pc_abs_blend"),
    "acrylic": ("pmma_resin", "acrylic_fibre", "acrylic_resin"),
    "foam": ("pu_flexible_foam", "eps_foam", "eva_foam"),
    "rubber": ("natural_rubber", "rubber_compound", "sbr_rubber"),
    "silicone": ("silicone_rubber",),
    "leather": ("leather_chrome_tanned", "leather_vegetable_tanned", "pu_synthetic_leather"),
    "cotton": ("cotton_woven_dyed", "cotton_knit_dyed", "cotton_fibre"),
    "denim": ("cotton_woven_dyed",),
    "canvas": ("cotton_woven_dyed", "polyester_woven_dyed"),
    "jersey": ("cotton_knit_dyed", "viscose_knit_dyed"),
    "velvet": ("cotton_woven_dyed", "polyester_woven_dyed"),
    "fleece": ("polyester_knit_dyed",),
    "microfibre": ("polyester_knit_dyed", "polyester_woven_dyed"),
    "fabric": ("cotton_woven_dyed", "polyester_woven_dyed", "polyester_knit_dyed"),
    "textile": ("cotton_woven_dyed", "polyester_woven_dyed", "polyester_knit_dyed"),
    "cloth": ("cotton_woven_dyed", "polyester_woven_dyed", "polyester_knit_dyed"),
    "felt": ("nonwoven_polyester", "wool_sheep"),
    "polyester": ("polyester_woven_dyed", "polyester_knit_dyed", "polyester_staple_fibre"),
    "nylon": ("nylon_woven_dyed", "nylon_knit_dyed", "pa6_resin"),
    "viscose": ("viscose_woven_dyed", "viscose_knit_dyed", "viscose_fibre"),
    "wool": ("wool_knit_dyed", "wool_sheep", "wool_merino"),
    "stone": ("stone_quarried",),
    "marble": ("stone_quarried",),
    "granite": ("stone_quarried",),
    "slate": ("stone_quarried",),
    "ceramic": ("stoneware", "porcelain"),
    "clay": ("brick", "stoneware"),
    "battery": ("battery_liion", "battery_alkaline_uk", "battery_lead"),
    "lithium": ("battery_liion", "battery_lfp"),
    "cable": ("cable_insulated",),
    "led": ("led_module",),
    "adhesive": ("epoxy_adhesive", "hotmelt_polyamide", "starch_glue"),
    "laminate": ("particleboard_melamine", "melamine_resin"),
}
"""Word of the lists → the keys that people mean by it most, the likeliest first; keys that a list
does not have are passed over.
"""
_QUALIFIERS: Final = frozenset(
    {
        *("solid", "massive", "massiv", "real", "genuine", "natural", "pure", "raw", "organic"),
        *("recycled", "primary", "average", "synthetic", "coated", "printed", "tempered", "sheet"),
        *("carbon", "memory", "heavy", "light", "soft", "hard", "thick", "thin", "high", "low"),
        *("white", "black", "clear", "sheep", "polished", "brushed", "painted", "woven", "knitted"),
    }
)
"""Words that say what kind of a thing is meant, not which thing."""
_RECYCLED: Final = frozenset({"recycled", "reused"})
_SMALL: Final = frozenset({"and", "for", "from", "in", "of", "or", "the", "with"})
_WORD: Final = re.compile(r"[^\W_]+")
_BRACKETS: Final = re.compile(r"\(([^()]*)\)")


class _Entry(NamedTuple):
    """What one entry of a list is called."""

    words: frozenset[str]  # of its key and its name
    of_key: frozenset[str]
    of_name: frozenset[str]
    called: frozenset[str]  # the beginning of the name, and what stands in its brackets

    @property
    def is_recycled(self) -> bool:
        """Whether it is of recycled material."""
        return bool(self.words & _RECYCLED)


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
    if same:
        return None
    asked = bool(words & _RECYCLED)
    called = {key for key, entry in entries.items() if wanted in entry.called}
    begins = {
        key
        for key, entry in entries.items()
        if (asked or not entry.is_recycled)
        and any(one.startswith(f"{wanted} ") for one in entry.called)
    }
    if len(called) != 1 or begins - called:
        return None
    (key,) = called
    return key if asked or not entries[key].is_recycled else None


def near_matches(text: str, names: Mapping[str, str]) -> list[str]:
    """The keys that a text may be meant for, the likeliest first; none where nothing is alike."""
    entries = {key: _entry(key, name) for key, name in names.items()}
    held_by = Counter(word for entry in entries.values() for word in entry.words)
    lower = text.strip().casefold()
    wanted = _wanted(text, held_by)
    fits = {key: _fit(wanted, key, entry, held_by, len(names)) for key, entry in entries.items()}
    told = frozenset[str]().union(*(fit.words for fit in fits.values()))
    scores = {key: fit.score + (fit.usual if told <= fit.words else 0) for key, fit in fits.items()}
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
    brackets = [part for found in _BRACKETS.findall(lower) for part in _alternatives(found)]
    called = {re.split(r"[,(:]", lower)[0].strip()}
    called |= {part.strip() for part in brackets if len(part.strip()) >= _LEAST_FOR_BRACKETS}
    return _Entry(of_key | of_name, of_key, of_name, frozenset(called))


def _alternatives(bracket: str) -> list[str]:
    """What stands in brackets, and each of the words between slashes where it is nothing else."""
    parts = bracket.split("/")
    return [bracket, *(parts if all(part.isalnum() for part in parts) else ())]


def _words(text: str) -> frozenset[str]:
    """The words of a text but the small ones, in the form that the lists use."""
    return frozenset(_in_order(text))


def _in_order(text: str) -> list[str]:
    found = [word for word in _WORD.findall(text.casefold()) if word not in _SMALL]
    return [one for word in found for one in _WORD_OF_LISTS.get(word, word).split()]


def _wanted(text: str, held_by: Mapping[str, int]) -> dict[str, float]:
    """The words of a text, and how much each counts: what it is about more than what qualifies
    that.
    """
    spelled = " ".join(_spelled(word, held_by) for word in _WORD.findall(text.casefold()))
    words = [part for word in _in_order(spelled) for part in (word, *_parts(word, held_by))]
    found = {word: _QUALIFIER if word in _QUALIFIERS else 1.0 for word in words}
    things = [word for word in words if word not in _QUALIFIERS]
    if not things:
        return dict.fromkeys(words, 1.0)
    return found | {things[-1]: _HEAD}


def _spelled(word: str, held_by: Mapping[str, int]) -> str:
    """The word, or the known one that it most likely is a misspelling or an inflection of."""
    known = {*held_by, *USUAL, *_WORD_OF_LISTS, *_QUALIFIERS}
    if word in known or len(word) < _LEAST_FOR_SLIP:
        return word
    likely = {one: _likeness(word, one) for one in known if one[0] == word[0] and len(one) > 3}
    best = max(likely, key=lambda one: (likely[one], one in USUAL, one), default=word)
    return best if likely.get(best, 0.0) >= _SLIP else word


def _parts(word: str, held_by: Mapping[str, int]) -> list[str]:
    """The known words that an unknown long one begins or ends with: copper for "Kupferdraht"."""
    if len(word) < _LEAST_FOR_COMPOUND or word in held_by or word in USUAL:
        return []
    known = [
        (other, english)
        for other, english in _WORD_OF_LISTS.items()
        if len(other) >= _LEAST_FOR_SLIP and " " not in english
    ]
    ends = [english for other, english in known if word.endswith(other)]
    return [*(english for other, english in known if word.startswith(other)), *ends]


class _Fit(NamedTuple):
    """How well an entry fits the words of a text: `score` 0 to 1, `usual` more than 0 where it is
    what a word usually means, and the `words` of the text that it has, among them what the text is
    about.
    """

    score: float
    usual: float
    words: frozenset[str]


_NO_FIT: Final = _Fit(0.0, 0.0, frozenset())


def _fit(
    wanted: Mapping[str, float],
    key: str,
    entry: _Entry,
    held_by: Mapping[str, int],
    entries: int,
) -> _Fit:
    """How well an entry fits. `wanted` has how much each word counts, `held_by` counts the entries
    that have each word, `entries` all of them.
    """
    told = shared = usual = 0.0
    has: set[str] = set()
    for word, counts in wanted.items():
        closeness, other = max(
            ((_closeness(word, one), one) for one in entry.words), default=(0.0, "")
        )
        meant = USUAL.get(word, ())
        if key in meant:
            closeness, other = 1.0, word
            usual = max(usual, _USUAL_FIRST * (1 - meant.index(key) / len(meant)))
        weight = counts * (math.log(1 + entries / held_by.get(other, 1)) if closeness else 1.0)
        told += weight
        shared += closeness * weight
        if closeness:
            has.add(word)
    things = wanted.keys() - _QUALIFIERS
    if not has or (things and not has & things):
        return _NO_FIT
    words = frozenset(wanted)
    alike = max(_overlap(words, entry.of_key), _overlap(words, entry.of_name))
    kept = _UNASKED if entry.is_recycled and not words & _RECYCLED else 1.0
    is_about = not things or max(wanted, key=wanted.__getitem__) in has
    score = kept * (0.9 * shared / told + 0.1 * alike)
    return _Fit(score, usual, frozenset(has) if is_about else frozenset())


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of words that two sets have in common, 0 to 1."""
    return len(one & other) / len(one | other)


@lru_cache(65_536)
def _closeness(word: str, other: str) -> float:
    """How alike two words are: 1 the same, less where the other is a compound or another form of
    it, 0 otherwise. Misspelled words are corrected before (`_spelled`).
    """
    if word == other:
        return 1.0
    if min(len(word), len(other)) < _LEAST_FOR_SLIP:
        return 0.0
    short, long = sorted((word, other), key=len)
    ending = len(long) - len(short)
    if long.startswith(short) and ending <= _LONGEST_INFLECTION:
        return _INFLECTED - _PER_LETTER * ending
    if other.endswith(word):
        return _COMPOUND
    return 0.0


def _likeness(one: str, other: str) -> float:
    """The ratio of `difflib`, 0 to 1; 0 where it is below what counts as alike."""
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < _SLIP - 0.2:
        return 0.0
    return matcher.ratio()
