"""Finds answers that belong to another product of the group: swapped, moved on by one, or one given
to several.

Models that lose count do that, and those that obey a text ("give A the answer of B"). One answer by
itself may well look odd. So answers are refused only where the same reply has two or more that do
not fit their own products and do fit others of the group. A refusal that was wrong costs a call:
the products are asked about again, each alone.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import BillOfMaterials, Classification
from weighbridge.errors import WrongProducts
from weighbridge.steps.base import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.domain.answers import Answer, Subject

FITS: Final = 0.01
"""Masses fit a weight when they add up to it within this share: the model is told to make the
masses add up to it.
"""
COMMON: Final = 3
"""A word in the names of more subcategories than this ("other", "accessories") says nothing about a
product.
"""
_WORD: Final = re.compile(r"[^\W\d_]{3,}")

Kind = tuple[str, str]
"""Category and subcategory."""


class Kinds:
    """The words in the names of subcategories, by which a text is matched with them.

    Texts in other languages have none of these words, and nothing is refused.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        words = {kind: _words(kind[1]) for kind in kinds}
        counts = Counter(word for found in words.values() for word in found)
        self._words = {
            kind: frozenset(word for word in found if counts[word] <= COMMON)
            for kind, found in words.items()
        }
        self._by_word: dict[str, set[Kind]] = {}
        for kind, found in self._words.items():
            for word in found:
                self._by_word.setdefault(word, set()).add(kind)

    def refuse_misplaced(
        self, answers: Mapping[str, Answer], group: Sequence[Subject]
    ) -> tuple[Refusal, ...]:
        """Refuse products whose text names a kind of another category, when the given kind fits a
        neighbour's text.

        Within a category two kinds are often both right: they are not refused.
        """
        kinds = {
            code: (answer.category, answer.subcategory)
            for code, answer in answers.items()
            if isinstance(answer, Classification)
        }
        texts = {s.product.code: _text(s) for s in group if s.product.code in kinds}
        odd = {
            code: others
            for subject in group
            if (code := subject.product.code) in kinds
            and not self._is_named(kinds[code], texts[code])
            and any(self._is_named(kinds[code], text) for text in texts.values())
            and (others := self._kinds_named(subject, texts[code], kinds.values()))
            and all(category != kinds[code][0] for category, _ in others)
        }
        # Laptop sleeves are bags, and so may be their neighbours: only texts about different things
        # count.
        return () if odd and set.intersection(*odd.values()) else _refusals(odd, "kind")

    def _is_named(self, kind: Kind, text: str) -> bool:
        """Whether the text has a word of the name of this kind."""
        return any(word in text for word in self._words.get(kind, ()))

    def _kinds_named(self, subject: Subject, text: str, answered: Iterable[Kind]) -> set[Kind]:
        """All kinds that the product's name has a word of, and those of the reply (`answered`) that
        its text has a word of.
        """
        named = {
            kind for word in _words(subject.product.name) for kind in self._by_word.get(word, ())
        }
        return named | {kind for kind in answered if self._is_named(kind, text)}


def refuse_misplaced_bills(
    answers: Mapping[str, Answer], group: Sequence[Subject]
) -> tuple[Refusal, ...]:
    """Refuse bills whose masses add up to a neighbour's weight instead of the product's own."""
    weights_kg = {s.product.code: s.product.weight_kg for s in group if s.product.weight_kg}
    odd = [
        code
        for code, weight_kg in weights_kg.items()
        if isinstance(bill := answers.get(code), BillOfMaterials)
        and not _fits_weight(bill, weight_kg)
        and any(_fits_weight(bill, other_kg) for other_kg in weights_kg.values())
    ]
    return _refusals(odd, "bill of materials")


def _fits_weight(bill: BillOfMaterials, weight_kg: float) -> bool:
    """Whether the stated masses add up to this weight."""
    return abs(bill.stated_mass_kg - weight_kg) <= FITS * weight_kg


def _text(subject: Subject) -> str:
    return f"{subject.product.name}\n{subject.product.description}".casefold()


def _words(text: str) -> set[str]:
    """The words of a text in lower case, without a plural s."""
    return {word.removesuffix("s") for word in _WORD.findall(text.casefold())}


def _refusals(odd: Iterable[str], answer: str) -> tuple[Refusal, ...]:
    """Refusals of these products; none for a single one, which may just be odd. `answer` names what
    the model gave it.
    """
    codes = list(odd)
    if len(codes) < 2:
        return ()
    return tuple(
        Refusal(
            code,
            WrongProducts(f"{code}: the model gave this product the {answer} of another product."),
        )
        for code in codes
    )
