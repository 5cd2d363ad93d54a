"""Which products are the same design in another size, colour, count or weight, so that one answer
serves all.

A shop's 50,000 articles are often 8,000 designs. Two products share a design when their texts are
equal after the words that only tell siblings apart are taken out:

    "T-shirt Rio, navy blue, XL"    ─┐
    "T-Shirt Rio, rot, Größe S"      │   tokens that remain: t shirt rio
    "T-shirt Rio (white) size 3XL"  ─┘

What remains must be equal token by token: a material, a wattage, a percentage, a model number or
any word that is not known to be harmless makes another design. So a steel bottle never answers for
a glass bottle, and a pair that is in doubt is asked. Whether an answer may be carried from one
product of a design to another depends on their weights and pictures too: see `may_answer_for`.

Pure and deterministic. The words are in `variant_words`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.planning import variant_words as words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.domain.products import Product

MAX_WEIGHT_RATIO: Final = 4.0
"""Beyond it products whose texts differ in colour alone are not taken for the same: one weight may
be a slip.
"""
MAX_SIZED_WEIGHT_RATIO: Final = 10.0
"""The same where the texts name different sizes, contents or counts; a sachet and a canister differ
in packaging.
"""
MIN_CODE_CHARACTERS: Final = 3
_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[%/²³°×+#\"″]|[,;:|()\[\]–—]|(?<=\s)-(?=\s)")
_SEPARATORS: Final = frozenset(",;:|()[]–—-")
_UNSTATED: Final = "none"
_WHOLE_NUMBER: Final = re.compile(r"\d{1,2}(?:[.,]5)?")


class Difference(StrEnum):
    """What a text says to tell a product from its siblings."""

    COLOUR = "colour"
    SIZE = "size"
    COUNT = "count"
    MEASURE = "measure"


class Design(NamedTuple):
    """What siblings have in common, and what was taken out of the texts to see it.

    `key` names the design: 32 hexadecimal digits. `told_apart_by` are the kinds of difference with
    their words.
    """

    key: str
    told_apart_by: frozenset[tuple[Difference, str]]


class Standing(StrEnum):
    """What a product can do for its siblings."""

    ANSWERED = "answered"  # it has answers that hold
    ASKED = "asked"  # it is being asked
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product of a design that was, or is, asked itself."""

    id: int
    product: Product
    design: Design
    standing: Standing


class VariantPlan(NamedTuple):
    """Each product is in one of the three.

    `answered` and `waiting`: product id → id of the one asked in its stead.
    """

    asked: set[int]
    answered: dict[int, int]
    waiting: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Text:
    tokens: tuple[str, ...]
    vocabulary: frozenset[str]  # of name and description together
    is_sold_by_mass: bool  # by the name


class _Found(NamedTuple):
    """`length` tokens say a difference."""

    difference: Difference
    length: int


def design_of(product: Product) -> Design:
    """The design of a product by its name, its description and the facts that its owner states.

    What a shop says sets a variant apart is read like its text: "Size: 50 cm" does not count,
    "Material: oak" does.
    """
    code = _normal(product.code)
    texts = (product.name, product.description, product.facts.variant or "")
    tokenised = [_tokens(_without_code(_normal(text), code)) for text in texts]
    vocabulary = frozenset().union(*tokenised)
    is_sold_by_mass = not vocabulary & words.RADIOS and _names_a_mass(tokenised[0])
    kept: list[list[str]] = []
    told: set[tuple[Difference, str]] = set()
    for tokens in tokenised:
        rest, found = _split(_Text(tokens, vocabulary, is_sold_by_mass))
        kept.append(rest)
        told |= found
    shown = "\x1e".join(["\x1f".join(rest) for rest in kept] + _stated(product))
    return Design(hashlib.sha256(shown.encode()).hexdigest()[:32], frozenset(told))


def _names_a_mass(tokens: Sequence[str]) -> bool:
    """Whether there is "500 g" or "1 kg" in it; not "80 g/m²"."""
    return any(
        token in words.MASSES and _is_number(tokens, at - 1) and _at(tokens, at + 1) != "/"
        for at, token in enumerate(tokens)
    )


def _stated(product: Product) -> list[str]:
    """Facts that must be equal between siblings: composition, manufacture, pieces in a pack, the
    parent's code.
    """
    facts = product.facts
    stated = (
        facts.materials,
        facts.recycled_share,
        facts.pieces_per_pack,
        facts.weight_is_gross,
        facts.process_hints,
        facts.parent_code,
    )
    return [_UNSTATED if fact is None else _normal(str(fact)) for fact in stated]


def may_answer_for(asked: Product, other: Product, designs: tuple[Design, Design]) -> bool:
    """Whether the answers about `asked` may be given to `other`, whose designs are `designs`.

    Mass shares are carried over and scaled to the other's weight, so a weight must be known on both
    sides, or on neither where the texts name the same size. Different pictures count as a doubt.
    """
    ours, theirs = designs
    if ours.key != theirs.key or asked.pictures != other.pictures:
        return False
    same_size = _sizes(ours) == _sizes(theirs)
    if asked.weight_kg is None or other.weight_kg is None:
        return same_size and asked.weight_kg is other.weight_kg is None
    ratio = max(asked.weight_kg, other.weight_kg) / min(asked.weight_kg, other.weight_kg)
    return ratio <= (MAX_WEIGHT_RATIO if same_size else MAX_SIZED_WEIGHT_RATIO)


def plan_variants(
    products: Iterable[tuple[int, Product, Design]],
    known: Mapping[str, Sequence[Candidate]] = MappingProxyType({}),
) -> VariantPlan:
    """Who is asked, who has the answers of another already, and who waits for one that is being
    asked.

    `products` are (id, product, design), in the order in which they are asked; `known` are the
    candidates of their designs. Where one of a design failed, the others are asked themselves.
    """
    candidates = {key: list(found) for key, found in known.items()}
    plan = VariantPlan(set(), {}, {})
    for product_id, product, design in products:
        siblings = candidates.setdefault(design.key, [])
        able = {
            one.standing: one.id
            for one in reversed(siblings)
            if one.id != product_id and may_answer_for(one.product, product, (one.design, design))
        }
        if Standing.ANSWERED in able:
            plan.answered[product_id] = able[Standing.ANSWERED]
        elif Standing.ASKED in able and Standing.FAILED not in able:
            plan.waiting[product_id] = able[Standing.ASKED]
        else:
            plan.asked.add(product_id)
            siblings.append(Candidate(product_id, product, design, Standing.ASKED))
    return plan


def _sizes(design: Design) -> frozenset[tuple[Difference, str]]:
    return frozenset(each for each in design.told_apart_by if each[0] is not Difference.COLOUR)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _without_code(text: str, code: str) -> str:
    """Shops repeat the article number in the text; it is different for every sibling.

    Both are `_normal`.
    """
    if len(code) < MIN_CODE_CHARACTERS or code not in text:
        return text
    kept: list[str] = []
    for part in text.split(code):
        # Part of a longer word is no article number.
        if kept and (_continues(kept[-1][-1:]) or _continues(part[:1])):
            kept[-1] += code + part
        else:
            kept.append(part)
    return " ".join(kept)


def _continues(character: str) -> bool:
    return character.isalnum() or character == "_"


@lru_cache(4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(text.replace("t-shirt", "tshirt")))


def _split(text: _Text) -> tuple[list[str], set[tuple[Difference, str]]]:
    """The tokens that identify the design, and the differences (size, colour) taken out of it."""
    kept: list[str] = []
    told: set[tuple[Difference, str]] = set()
    tokens, at = text.tokens, 0
    for start in [n for n, token in enumerate(tokens) if _may_begin_a_difference(token)]:
        found = _difference(text, start) if start >= at else None
        if found is not None:
            kept += tokens[at:start]
            at = start + found.length
            told.add((found.difference, " ".join(tokens[start:at])))
    kept += tokens[at:]
    return [token for token in kept if token not in _SEPARATORS], told


def _difference(text: _Text, at: int) -> _Found | None:
    for rule in _RULES:
        if found := rule(text, at):
            return found
    return None


# The rules: each looks at the tokens from `at` on -----------------------------------------------


def _count(text: _Text, at: int) -> _Found | None:
    """ "6 pcs", "pack of 6", "6er Pack", "6 x" before a measure."""
    tokens = text.tokens
    if _is_number(tokens, at):
        if _at(tokens, at + 1) in words.COUNT_WORDS:
            more = _at(tokens, at + 2) in words.PACK_WORDS
            return _Found(Difference.COUNT, 3 if more else 2)
        if _at(tokens, at + 1) in {"x", "×"} and _measure(text, at + 2):
            return _Found(Difference.COUNT, 2)
        return None
    if tokens[at] in words.PACK_WORDS:
        number = at + (2 if _at(tokens, at + 1) in words.OF_WORDS else 1)
        if _is_number(tokens, number) and not _unit_after(tokens, number):
            return _Found(Difference.COUNT, number + 1 - at)
    return None


def _measure(text: _Text, at: int) -> _Found | None:
    """ "500 ml", "1,5 l", "30 x 40 cm"; not "80 g/m²" or "2.5 mm²", no length of a display, and not
    "5G".
    """
    tokens = text.tokens
    if not _is_number(tokens, at) or _at(tokens, at - 1) == "/":
        return None
    end = at + 1
    while _at(tokens, end) in {"x", "×"} and _is_number(tokens, end + 1):
        end += 2
    unit = _at(tokens, end)
    if unit not in words.MEASURES or _at(tokens, end + 1) == "/":
        return None
    if unit in words.LENGTHS and not words.SCREENS.isdisjoint(text.vocabulary):
        return None
    if unit == "g" and not words.RADIOS.isdisjoint(text.vocabulary):
        return None
    if unit == "mm" and _at(tokens, end + 1) == "2":  # as NFKC writes mm²: of a cable, its copper
        return None
    return _Found(Difference.MEASURE, end + 1 - at)


def _size(text: _Text, at: int) -> _Found | None:
    """ "XL", "3XL", "size 42", "EU 38", "W32 L34", and a bare "M" or shoe size where it stands
    apart.
    """
    tokens = text.tokens
    word = tokens[at]
    if word in words.SIZE_LABELS:
        value = at + (2 if _at(tokens, at + 1) in {":", "."} else 1)
        if length := _size_value(tokens, value):
            return _Found(Difference.SIZE, value - at + length)
        return None
    if word in words.SIZES:
        return _Found(Difference.SIZE, 1)
    if _is_number(tokens, at) and _at(tokens, at + 1) in words.SIZES:
        return _Found(Difference.SIZE, 2)
    wearable = not words.WEARABLES.isdisjoint(text.vocabulary)
    if word in words.SIZE_SYSTEMS and wearable and _is_size_number(tokens, at + 1):
        return _Found(Difference.SIZE, 2)
    if word == "w" and _is_size_number(tokens, at + 1) and _at(tokens, at + 2) == "l":
        return _Found(Difference.SIZE, 4) if _is_size_number(tokens, at + 3) else None
    if not _stands_apart(tokens, at):
        return None
    if word in words.SHORT_SIZES and _ends(tokens, at + 1):
        return _Found(Difference.SIZE, 1)
    length = _size_value(tokens, at)
    # "Pegasus 40" is a model; "Pegasus, 40" is a size, and so is "32/34".
    is_set_off = length > 1 or _at(tokens, at - 1) in _SEPARATORS
    if wearable and is_set_off and word not in words.SHORT_SIZES and _ends(tokens, at + length):
        return _Found(Difference.SIZE, length)
    return None


def _colour(text: _Text, at: int) -> _Found | None:
    """ "black", "navy blue", "hellgrün", "Colour: red"; nowhere in a text where a colour tells the
    kind.
    """
    tokens = text.tokens
    if text.is_sold_by_mass or not words.COLOUR_IS_THE_KIND.isdisjoint(text.vocabulary):
        return None
    if _at(tokens, at - 1) in words.BEFORE_A_KIND:
        return None
    start = at
    if tokens[at] in words.COLOUR_LABELS:
        start = at + (2 if _at(tokens, at + 1) == ":" else 1)
    end = start
    while _at(tokens, end) in words.SHADES or _is_colour(_at(tokens, end)):
        end += 1
        if _at(tokens, end) == "/" and _is_colour(_at(tokens, end + 1)):
            end += 1
    if not any(_is_colour(token) for token in tokens[start:end]):
        return None
    return _Found(Difference.COLOUR, end - at)


_RULES: Final = (_count, _measure, _size, _colour)


@lru_cache(8192)
def _may_begin_a_difference(token: str) -> bool:
    """Whether any rule looks further at this token.

    Most words are told apart here, at little cost.
    """
    return token[:1].isdigit() or token in _FIRST_WORDS or _is_colour(token)


_SIZE_NAMES: Final = words.SIZES | words.SHORT_SIZES
_FIRST_WORDS: Final = frozenset({"w"}).union(
    words.PACK_WORDS,
    words.SIZE_LABELS,
    words.SIZES,
    words.SHORT_SIZES,
    words.SIZE_SYSTEMS,
    words.COLOUR_LABELS,
    words.SHADES,
)


# What a token is ---------------------------------------------------------------------------------


def _at(tokens: Sequence[str], index: int) -> str:
    return tokens[index] if 0 <= index < len(tokens) else ""


def _is_number(tokens: Sequence[str], index: int) -> bool:
    return _at(tokens, index)[:1].isdigit()


def _is_size_number(tokens: Sequence[str], index: int) -> bool:
    return _WHOLE_NUMBER.fullmatch(_at(tokens, index)) is not None


def _unit_after(tokens: Sequence[str], index: int) -> bool:
    return _at(tokens, index + 1) in words.MEASURES


def _size_value(tokens: Sequence[str], at: int) -> int:
    """How many tokens name a size: "XL", "M", "3XL", "42", "32/34"; 0 for none."""
    if _at(tokens, at) in _SIZE_NAMES:
        return 1
    if not _is_size_number(tokens, at):
        return 0
    if _at(tokens, at + 1) in words.SIZES:
        return 2
    if _at(tokens, at + 1) == "/" and _is_size_number(tokens, at + 2):
        return 3
    return 1


def _stands_apart(tokens: Sequence[str], at: int) -> bool:
    """After other words, and not as the name of a model or type."""
    before = _at(tokens, at - 1)
    return bool(before) and before not in words.NOT_BEFORE_A_SIZE and not before[:1].isdigit()


def _ends(tokens: Sequence[str], at: int) -> bool:
    """Nothing follows but a separator or the end."""
    return at >= len(tokens) or tokens[at] in _SEPARATORS


@lru_cache(8192)
def _is_colour(token: str) -> bool:
    return any(
        token.endswith(ending) and token[: len(token) - len(ending)] in words.COLOUR_STEMS
        for ending in words.ENDINGS
    )
