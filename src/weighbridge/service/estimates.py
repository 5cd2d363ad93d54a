"""Estimates the cost of a catalogue from the file alone. Sends and stores nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.domain.answers import Subject
from weighbridge.domain.products import Product
from weighbridge.planning.cost import (
    CatalogueEstimate,
    Pace,
    QuestionLoad,
    estimate_catalogue,
    scaled,
)
from weighbridge.planning.grouping import (
    GROUP_TOKENS,
    Group,
    Ready,
    TokenBudget,
    group_products,
    product_tokens,
)
from weighbridge.planning.tokens import request_tokens
from weighbridge.planning.variants import (
    Candidate,
    Design,
    Standing,
    design_of,
    plan_variants,
    sharing_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from weighbridge.domain.answers import StepName
    from weighbridge.domain.calls import Price
    from weighbridge.domain.products import Picture
    from weighbridge.ingest.checking.chunks import CheckedChunk
    from weighbridge.planning.variants import Difference
    from weighbridge.steps import Question, Steps

SAMPLE: Final = 20_000
SAMPLED_PART: Final = 20
USUAL_SHARE: Final = 0.29
"""Of the first allowance for a product's answers a model writes so much. Of 680 tokens: 207 in the
recorded answers about the sample catalogue, 187 in the simulator's.
"""
LATENCY_S: Final = 4.0
"""Seconds a call is assumed to take: a usual value for a small model and a few hundred tokens of
output.
"""


@dataclass(frozen=True, slots=True)
class EstimateBasis:
    """What an estimate rests on: the questions, who answers at which price, and the limits."""

    questions: Sequence[Question]
    steps: Steps
    price: Price
    model: str
    requests_per_minute: int
    tokens_per_minute: int
    variants: bool  # one of each design is asked
    tiers: Mapping[str, Price] = field(default_factory=dict)  # to compare with, by name


class Estimator:
    """Adds up what products would take as their chunks go by.

    Every product of a file is weighed up to SAMPLE of them; of longer files a part of each chunk,
    and the sums are scaled: weighing takes longer than reading.
    """

    def __init__(self, basis: EstimateBasis) -> None:
        self._basis = basis
        self._groups: list[Group] = []
        self._products = 0
        self._weighed = 0
        self._variants = 0
        self._rejected = 0
        self._siblings: dict[int, tuple[_Sibling, ...]] = {}
        self._told: dict[frozenset[tuple[Difference, str]], frozenset[tuple[Difference, str]]] = {}

    def watch(self, chunks: Iterable[CheckedChunk]) -> Iterator[CheckedChunk]:
        """Hands the chunks on, weighed."""
        for chunk in chunks:
            self.take(chunk)
            yield chunk

    def take(self, chunk: CheckedChunk) -> None:
        """Group the products of a chunk as the queue would."""
        height = chunk.products.height
        most = height if self._products < SAMPLE else max(1, height // SAMPLED_PART)
        products = list(islice(chunk.iterate_products(), most))
        asked = self._asked(products) if self._basis.variants else products
        ready = [
            Ready(self._products + i, product_tokens(product, self._basis.model), product.has_image)
            for i, product in enumerate(asked)
        ]
        self._groups += group_products(ready, TokenBudget(GROUP_TOKENS))
        self._products += height
        self._rejected += len(chunk.rejected)
        self._weighed += len(products)
        self._variants += len(products) - len(asked)

    def _asked(self, products: Sequence[Product]) -> list[Product]:
        """Those that are asked in the stead of their variants, in this chunk and those before."""
        designed = [(i, product, design_of(product)) for i, product in enumerate(products)]
        keys = {i: hash(sharing_key(product, design)) for i, product, design in designed}
        known = {keys[i]: design.key for i, _, design in designed if keys[i] in self._siblings}
        plan = plan_variants(
            designed,
            (one.candidate(of) for key, of in known.items() for one in self._siblings[key]),
        )
        for i, product, design in designed:
            if i in plan.asked:
                told = self._told.setdefault(design.told_apart_by, design.told_apart_by)
                sibling = _Sibling(product.weight_kg, product.pictures, told)
                self._siblings[keys[i]] = (*self._siblings.get(keys[i], ()), sibling)
        return [products[i] for i in sorted(plan.asked)]

    def estimate(self) -> CatalogueEstimate:
        """The sum."""
        basis = self._basis
        loads = question_loads(basis.questions, basis.steps, basis.model)
        pace = Pace(basis.requests_per_minute, basis.tokens_per_minute, LATENCY_S)
        whole = estimate_catalogue(self._groups, loads, basis.price, pace, basis.tiers)
        all_of_them = scaled(replace(whole, variants=self._variants), self._products, self._weighed)
        return replace(all_of_them, rejected=self._rejected)


class _Sibling(NamedTuple):
    """What tells whether a product may answer for another of its design; a large file has many."""

    weight_kg: float | None
    pictures: tuple[Picture | str, ...]
    told_apart_by: frozenset[tuple[Difference, str]]

    def candidate(self, key: str) -> Candidate:
        product = Product("", "", "", self.weight_kg, more_pictures=self.pictures)
        # Not a place in a later chunk, which counts from 0 again.
        return Candidate(-1, product, Design(key, self.told_apart_by), Standing.ASKED)


def question_loads(questions: Sequence[Question], steps: Steps, model: str) -> list[QuestionLoad]:
    """What each question takes in a call."""
    return [_load(question, steps, model) for question in questions]


def _load(question: Question, steps: Steps, model: str) -> QuestionLoad:
    """Tokens of a question without and with a typical product."""
    subject = _usual_subject(question.needs, steps)
    one = request_tokens(question.request([subject], 1), model)
    two = request_tokens(question.request([subject, subject], 1), model)
    per_product = two - one
    bare = product_tokens(subject.product, model)
    return QuestionLoad(
        prompt_tokens=one - per_product,
        output_tokens_per_product=question.output_tokens_per_product * USUAL_SHARE,
        allowance_per_product=question.output_tokens_per_product,
        data_tokens_per_product=max(0, per_product - bare),
    )


def _usual_subject(needed: Sequence[StepName], steps: Steps) -> Subject:
    """A product with the earlier answers it needs, of typical length."""
    return Subject(
        Product("CODE-0001", "A usual product", "", 1.0),
        {step.name: step.usual_answer() for step in steps if step.name in needed},
    )
