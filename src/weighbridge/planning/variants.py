"""Decides which products are the same design in another size, colour, count or weight, so that one
answer can be used for all.

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
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.planning import variant_words as words

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from weighbridge.domain.products import Product

MAX_WEIGHT_RATIO: Final = 4.0
"""Products whose texts differ at most in colour are not variants if their weights differ by more
than this factor: one weight may be wrong.
"""
MAX_SIZED_WEIGHT_RATIO: Final = 10.0
"""As `MAX_WEIGHT_RATIO`, for products whose texts name different sizes, contents or counts: beyond
this factor they differ in packaging, as a sachet and a canister do.
"""
MIN_CODE_CHARACTERS: Final = 3
"""Article numbers shorter than this are not removed from texts: they may be ordinary words or
sizes.
"""
_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[%/²³°×+#\"″]|[,;:|()\[\]–—]|(?<=\s)-(?=\s)")
_SEPARATORS: Final = frozenset(",;:|()[]–—-")
_UNSTATED: Final = "none"
_WHOLE_NUMBER: Final = re.compile(r"\d{1,2}(?:[.,]5)?")


class Difference(StrEnum):
    """The kinds of words in a text by which variants of one design differ."""

    COLOUR = "colour"
    SIZE = "size"
    COUNT = "count"
    MEASURE = "measure"


class Design(NamedTuple):
    """The design of a product, and the words that were left out to find it.

    `key` identifies the design: 32 hexadecimal digits, the same for all its variants.
    `told_apart_by` are the words that were left out, each with the kind of difference it states.
    """

    key: str
    told_apart_by: frozenset[tuple[Difference, str]]


class Standing(StrEnum):
    """Whether a product has answers that other variants of its design may use."""

    ANSWERED = "answered"  # it has valid answers
    ASKED = "asked"  # the model is being asked about it
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product about which the model was, or is being, asked."""

    id: int
    product: Product
    design: Design
    standing: Standing


class VariantPlan(NamedTuple):
    """Each product is in one of three: the model is `asked` about it, or it gets the answers of
    another variant that is `answered`, or it is `waiting` for those of another.

    `answered` and `waiting` map the product's id to the id of that other variant.
    """

    asked: set[int]
    answered: dict[int, int]
    waiting: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Text:
    """A product's name, description or stated variant."""

    tokens: tuple[str, ...]
    vocabulary: frozenset[str]  # of name and description together
    is_sold_by_mass: bool  # by the name


class _Found(NamedTuple):
    """A difference that a text states in its next `length` tokens."""

    difference: Difference
    length: int


def design_of(product: Product) -> Design:
    """The design of a product, from its name, its description and the facts that its owner states.

    The shop's own statement of the variant is read in the same way: "Size: 50 cm" is left out,
    "Material: oak" belongs to the design.
    """
    code = _normal(product.code)
    texts = (product.name, product.description, product.facts.variant or "")
    tokenised = [_tokens(_without_code(_normal(text), code)) for text in texts]
    vocabulary = frozenset().union(*tokenised)
    is_sold_by_mass = not vocabulary & words.RADIOS and _names_a_mass(tokenised[0])
    kept: list[list[str]] = []
    told: set[tuple[Difference, str]] = set()
    for tokens in tokenised:
        rest, found = _without_differences(_Text(tokens, vocabulary, is_sold_by_mass))
        kept.append(rest)
        told |= found
    identity = "\x1e".join(["\x1f".join(rest) for rest in kept] + _facts_of_design(product))
    return Design(hashlib.sha256(identity.encode()).hexdigest()[:32], frozenset(told))


def _names_a_mass(tokens: Sequence[str]) -> bool:
    """Whether the text states a mass like "500 g" or "1 kg"; "80 g/m²" is none."""
    return any(
        token in words.MASSES and _is_number(tokens, at - 1) and _token_at(tokens, at + 1) != "/"
        for at, token in enumerate(tokens)
    )


def _facts_of_design(product: Product) -> list[str]:
    """The stated facts that must be equal for all variants of a design: materials, manufacture,
    pieces in a pack, the parent's code and so on.
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


def sharing_key(product: Product, design: Design) -> Hashable:
    """What two products must have in common before one may get the answers about the other: the
    design, the pictures, that the weight is known or not, and the size if it is not.
    """
    size = _size_differences(design) if product.weight_kg is None else None
    return design.key, product.pictures, size


def may_answer_for(asked: Product, other: Product, designs: tuple[Design, Design]) -> bool:
    """Whether `other` may get the answers about `asked`; `designs` are those of the two products.

    The masses in the answers are scaled to the other's weight. So both weights must be known; or
    neither, if the texts name the same size. Products with different pictures are not variants.
    """
    ours, theirs = designs
    if sharing_key(asked, ours) != sharing_key(other, theirs):
        return False
    if asked.weight_kg is None or other.weight_kg is None:
        return True
    same_size = _size_differences(ours) == _size_differences(theirs)
    ratio = max(asked.weight_kg, other.weight_kg) / min(asked.weight_kg, other.weight_kg)
    return ratio <= (MAX_WEIGHT_RATIO if same_size else MAX_SIZED_WEIGHT_RATIO)


def plan_variants(
    products: Iterable[tuple[int, Product, Design]],
    known: Iterable[Candidate] = (),
) -> VariantPlan:
    """Decide for each product whether the model is asked about it, or it gets the answers of
    another variant.

    `products` are (id, product, design), in the order in which they would be asked; `known` are
    candidates from before, those of a design in the same order. A product waits for a variant that
    the model is being asked about only if no variant that it could use has failed.
    """
    # By what they share, a product meets few others, however many a catalogue has of its design.
    candidates: dict[Hashable, list[Candidate]] = {}
    for one in known:
        candidates.setdefault(sharing_key(one.product, one.design), []).append(one)
    plan = VariantPlan(set(), {}, {})
    for product_id, product, design in products:
        siblings = candidates.setdefault(sharing_key(product, design), [])
        usable = {
            other.standing: other.id
            for other in reversed(siblings)
            if other.id != product_id
            and may_answer_for(other.product, product, (other.design, design))
        }
        if Standing.ANSWERED in usable:
            plan.answered[product_id] = usable[Standing.ANSWERED]
        elif Standing.ASKED in usable and Standing.FAILED not in usable:
            plan.waiting[product_id] = usable[Standing.ASKED]
        else:
            plan.asked.add(product_id)
            siblings.append(Candidate(product_id, product, design, Standing.ASKED))
    return plan


def _size_differences(design: Design) -> frozenset[tuple[Difference, str]]:
    """The differences of a design other than colours."""
    return frozenset(each for each in design.told_apart_by if each[0] is not Difference.COLOUR)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _without_code(text: str, code: str) -> str:
    """The text without the article number, which shops repeat in it and which differs between
    variants. Both arguments must come from `_normal`.
    """
    if len(code) < MIN_CODE_CHARACTERS or code not in text:
        return text
    kept: list[str] = []
    for part in text.split(code):
        # Part of a longer word is no article number.
        if kept and (_is_of_a_word(kept[-1][-1:]) or _is_of_a_word(part[:1])):
            kept[-1] += code + part
        else:
            kept.append(part)
    return " ".join(kept)


def _is_of_a_word(character: str) -> bool:
    return character.isalnum() or character == "_"


@lru_cache(4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(text.replace("t-shirt", "tshirt")))


def _without_differences(text: _Text) -> tuple[list[str], set[tuple[Difference, str]]]:
    """The tokens that identify the design, and the differences (size, colour) that were
    left out.
    """
    kept: list[str] = []
    told: set[tuple[Difference, str]] = set()
    tokens, at = text.tokens, 0
    for start in [n for n, token in enumerate(tokens) if _may_begin_a_difference(token)]:
        found = _find_difference(text, start) if start >= at else None
        if found is not None:
            kept += tokens[at:start]
            at = start + found.length
            told.add((found.difference, " ".join(tokens[start:at])))
    kept += tokens[at:]
    return [token for token in kept if token not in _SEPARATORS], told


def _find_difference(text: _Text, at: int) -> _Found | None:
    """The difference that the tokens from `at` on state; None if they state none."""
    for rule in _RULES:
        if found := rule(text, at):
            return found
    return None


# The rules: each returns the difference that the tokens from `at` on state, or None -------------


def _find_count(text: _Text, at: int) -> _Found | None:
    """Finds "6 pcs", "pack of 6", "6er Pack", and "6 x" before a measure."""
    tokens = text.tokens
    if _is_number(tokens, at):
        if _token_at(tokens, at + 1) in words.COUNT_WORDS:
            more = _token_at(tokens, at + 2) in words.PACK_WORDS
            return _Found(Difference.COUNT, 3 if more else 2)
        if _token_at(tokens, at + 1) in {"x", "×"} and _find_measure(text, at + 2):
            return _Found(Difference.COUNT, 2)
        return None
    if tokens[at] in words.PACK_WORDS:
        number = at + (2 if _token_at(tokens, at + 1) in words.OF_WORDS else 1)
        if _is_number(tokens, number) and not _unit_after(tokens, number):
            return _Found(Difference.COUNT, number + 1 - at)
    return None


def _find_measure(text: _Text, at: int) -> _Found | None:
    """Finds "500 ml", "1,5 l", "30 x 40 cm"; not "80 g/m²" or "2.5 mm²", the size of a display, or
    "5G".
    """
    tokens = text.tokens
    if not _is_number(tokens, at) or _token_at(tokens, at - 1) == "/":
        return None
    end = at + 1
    while _token_at(tokens, end) in {"x", "×"} and _is_number(tokens, end + 1):
        end += 2
    unit = _token_at(tokens, end)
    if unit not in words.MEASURES or _token_at(tokens, end + 1) == "/":
        return None
    if unit in words.LENGTHS and not words.SCREENS.isdisjoint(text.vocabulary):
        return None
    if unit == "g" and not words.RADIOS.isdisjoint(text.vocabulary):
        return None
    # NFKC writes "mm²" as "mm2": the cross-section of a cable, which decides how much copper it has
    if unit == "mm" and _token_at(tokens, end + 1) == "2":
        return None
    return _Found(Difference.MEASURE, end + 1 - at)


def _find_size(text: _Text, at: int) -> _Found | None:
    """Finds "XL", "3XL", "size 42", "EU 38", "W32 L34"; and a bare "M" or shoe size at the end of a
    phrase.
    """
    tokens = text.tokens
    word = tokens[at]
    if word in words.SIZE_LABELS:
        value = at + (2 if _token_at(tokens, at + 1) in {":", "."} else 1)
        if length := _size_value_length(tokens, value):
            return _Found(Difference.SIZE, value - at + length)
        return None
    if word in words.SIZES:
        return _Found(Difference.SIZE, 1)
    if _is_number(tokens, at) and _token_at(tokens, at + 1) in words.SIZES:
        return _Found(Difference.SIZE, 2)
    wearable = not words.WEARABLES.isdisjoint(text.vocabulary)
    if word in words.SIZE_SYSTEMS and wearable and _is_size_number(tokens, at + 1):
        return _Found(Difference.SIZE, 2)
    if word == "w" and _is_size_number(tokens, at + 1) and _token_at(tokens, at + 2) == "l":
        return _Found(Difference.SIZE, 4) if _is_size_number(tokens, at + 3) else None
    if not _may_be_a_size_at(tokens, at):
        return None
    if word in words.SHORT_SIZES and _is_end_of_phrase(tokens, at + 1):
        return _Found(Difference.SIZE, 1)
    length = _size_value_length(tokens, at)
    # "Pegasus 40" is a model; "Pegasus, 40" is a size, and so is "32/34".
    is_set_off = length > 1 or _token_at(tokens, at - 1) in _SEPARATORS
    may_be_size = wearable and is_set_off and word not in words.SHORT_SIZES
    if may_be_size and _is_end_of_phrase(tokens, at + length):
        return _Found(Difference.SIZE, length)
    return None


def _find_colour(text: _Text, at: int) -> _Found | None:
    """Finds "black", "navy blue", "hellgrün", "Colour: red"; but nothing in a text where a colour
    is part of what the product is.
    """
    tokens = text.tokens
    if text.is_sold_by_mass or not words.COLOUR_IS_THE_KIND.isdisjoint(text.vocabulary):
        return None
    if _token_at(tokens, at - 1) in words.BEFORE_A_KIND:
        return None
    start = at
    if tokens[at] in words.COLOUR_LABELS:
        start = at + (2 if _token_at(tokens, at + 1) == ":" else 1)
    end = start
    while _token_at(tokens, end) in words.SHADES or _is_colour(_token_at(tokens, end)):
        end += 1
        if _token_at(tokens, end) == "/" and _is_colour(_token_at(tokens, end + 1)):
            end += 1
    if not any(_is_colour(token) for token in tokens[start:end]):
        return None
    return _Found(Difference.COLOUR, end - at)


_RULES: Final = (_find_count, _find_measure, _find_size, _find_colour)


@lru_cache(8192)
def _may_begin_a_difference(token: str) -> bool:
    """Whether any rule could find a difference that begins with this token: a quick test, so that
    the rules run for few tokens only.
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


def _token_at(tokens: Sequence[str], index: int) -> str:
    """The token at this index; empty outside the text."""
    return tokens[index] if 0 <= index < len(tokens) else ""


def _is_number(tokens: Sequence[str], index: int) -> bool:
    return _token_at(tokens, index)[:1].isdigit()


def _is_size_number(tokens: Sequence[str], index: int) -> bool:
    return _WHOLE_NUMBER.fullmatch(_token_at(tokens, index)) is not None


def _unit_after(tokens: Sequence[str], index: int) -> bool:
    return _token_at(tokens, index + 1) in words.MEASURES


def _size_value_length(tokens: Sequence[str], at: int) -> int:
    """How many tokens the size at `at` has ("XL", "M" and "42": 1, "3XL": 2, "32/34": 3); 0 if
    there is no size.
    """
    if _token_at(tokens, at) in _SIZE_NAMES:
        return 1
    if not _is_size_number(tokens, at):
        return 0
    if _token_at(tokens, at + 1) in words.SIZES:
        return 2
    if _token_at(tokens, at + 1) == "/" and _is_size_number(tokens, at + 2):
        return 3
    return 1


def _may_be_a_size_at(tokens: Sequence[str], at: int) -> bool:
    """Whether a size may come at `at`: after a word, but not one like "model" or "type"."""
    before = _token_at(tokens, at - 1)
    return bool(before) and before not in words.NOT_BEFORE_A_SIZE and not before[:1].isdigit()


def _is_end_of_phrase(tokens: Sequence[str], at: int) -> bool:
    return at >= len(tokens) or tokens[at] in _SEPARATORS


@lru_cache(8192)
def _is_colour(token: str) -> bool:
    return any(
        token.endswith(ending) and token[: len(token) - len(ending)] in words.COLOUR_STEMS
        for ending in words.ENDINGS
    )
