"""Estimates the cost of a catalogue from the file alone. Sends and stores nothing.

The texts of a sample are kept while the file is read and counted afterwards, so that the vocabulary
(67 MB) and the table of prices (20 MB) do not add to the memory of the process that reads.
"""

from __future__ import annotations

import pickle
import weakref
import zlib
from dataclasses import dataclass, replace
from itertools import islice
from tempfile import SpooledTemporaryFile
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
    picture_tokens,
    product_text,
    product_tokens,
)
from weighbridge.planning.tokens import content_tokens, request_tokens
from weighbridge.planning.variants import (
    Candidate,
    Design,
    Standing,
    design_of,
    plan_variants,
    sharing_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from weighbridge.domain.answers import StepName
    from weighbridge.domain.calls import Price
    from weighbridge.domain.products import Picture
    from weighbridge.ingest.checking.chunks import CheckedChunk
    from weighbridge.planning.variants import Difference
    from weighbridge.steps import Question, Steps

SAMPLE: Final = 20_000
SAMPLED_PART: Final = 20
USUAL_SHARE: Final = 0.29
"""How much of the output tokens that are allowed for a product at first its answers usually take,
as a share. Of 680 tokens the recorded answers about the sample catalogue took 207, the simulator's
187.
"""
LATENCY_S: Final = 4.0
"""Seconds a call is assumed to take: a usual value for a small model and a few hundred tokens of
output.
"""
_IN_MEMORY_BYTES: Final = 4 << 20
"""How many bytes a packed sample may have, at most, to be kept in memory; a larger one goes to a
temporary file: descriptions may be long. With usual ones a million rows take 3 MB.
"""


class Prices(NamedTuple):
    """What calls cost in the chosen service tier, and in those to compare it with, by name."""

    chosen: Price
    tiers: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class EstimateBasis:
    """What an estimate rests on: the questions, who answers at which price, and the limits."""

    questions: Sequence[Question]
    steps: Steps
    load_prices: Callable[[], Prices]  # may load the table of prices
    model: str
    requests_per_minute: int
    tokens_per_minute: int
    variants: bool  # one of each design is asked


class Estimator:
    """Estimates what a catalogue will take: notes the texts and pictures of its products as their
    chunks go by, and adds up the tokens, calls and cost.

    The first SAMPLE products of a file are all counted; of each later chunk only a part is, and the
    sums are scaled up, because counting tokens takes longer than reading.
    """

    def __init__(self, basis: EstimateBasis) -> None:
        self._basis = basis
        self._sample = _Sample()
        self._groups: list[Group] = []
        self._products = 0
        self._weighed = 0
        self._variants = 0
        self._rejected = 0
        self._siblings: dict[int, tuple[_Sibling, ...]] = {}
        self._alike: dict[tuple[_Sibling, ...], tuple[_Sibling, ...]] = {}

    def watch(self, chunks: Iterable[CheckedChunk]) -> Iterator[CheckedChunk]:
        """Yield the chunks unchanged after noting their products; after the last one, count the
        sample.
        """
        for chunk in chunks:
            self.take(chunk)
            yield chunk
        self._count()

    def take(self, chunk: CheckedChunk) -> None:
        """Note what the products of a chunk are asked with."""
        height = chunk.products.height
        most = height if self._products < SAMPLE else max(1, height // SAMPLED_PART)
        products = list(islice(chunk.iterate_products(), most))
        asked = self._asked(products) if self._basis.variants else products
        model = self._basis.model
        self._sample.add(
            _Asked(product_text(product), picture_tokens(product, model), product.has_image)
            for product in asked
        )
        self._products += height
        self._rejected += len(chunk.rejected)
        self._weighed += len(products)
        self._variants += len(products) - len(asked)

    def _asked(self, products: Sequence[Product]) -> list[Product]:
        """The products that the model will be asked about; the others are variants of one of these,
        or of one in an earlier chunk.
        """
        designed = [(i, product, design_of(product)) for i, product in enumerate(products)]
        keys = {i: hash(sharing_key(product, design)) for i, product, design in designed}
        known = {keys[i]: (design.key, product.pictures) for i, product, design in designed}
        plan = plan_variants(
            designed,
            (
                sibling.candidate(*shared)
                for key, shared in known.items()
                for sibling in self._siblings.get(key, ())
            ),
        )
        for i, product, design in designed:
            if i in plan.asked:
                sibling = _Sibling(product.weight_kg, design.told_apart_by)
                siblings = (*self._siblings.get(keys[i], ()), sibling)
                self._siblings[keys[i]] = self._alike.setdefault(siblings, siblings)
        return [products[i] for i in sorted(plan.asked)]

    def _count(self) -> None:
        """Group the products of each chunk as the queue would. Loads the vocabulary."""
        for chunk in self._sample.take():
            ready = [
                Ready(i, content_tokens(one.text) + one.picture_tokens, one.has_image)
                for i, one in enumerate(chunk)
            ]
            self._groups += group_products(ready, TokenBudget(GROUP_TOKENS))

    def estimate(self) -> CatalogueEstimate:
        """The sum over the chunks so far."""
        self._count()
        basis = self._basis
        loads = question_loads(basis.questions, basis.steps, basis.model)
        pace = Pace(basis.requests_per_minute, basis.tokens_per_minute, LATENCY_S)
        prices = basis.load_prices()
        whole = estimate_catalogue(self._groups, loads, prices.chosen, pace, prices.tiers)
        all_of_them = scaled(replace(whole, variants=self._variants), self._products, self._weighed)
        return replace(all_of_them, rejected=self._rejected)


class _Asked(NamedTuple):
    """What is needed of a product to group it with others for a call, and to count the tokens."""

    text: str
    picture_tokens: int
    has_image: bool


class _Sample:
    """Chunks of products whose tokens are not counted yet, packed to a quarter."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed with the sample
        weakref.finalize(self, self._file.close)
        self._lengths: list[int] = []

    def add(self, chunk: Iterable[_Asked]) -> None:
        """Keep a chunk."""
        packed = zlib.compress(pickle.dumps(list(chunk)), level=1)
        self._file.write(packed)
        self._lengths.append(len(packed))

    def take(self) -> Iterator[list[_Asked]]:
        """Every chunk that was kept; none of them is kept any longer."""
        self._file.seek(0)
        for length in self._lengths:
            yield pickle.loads(zlib.decompress(self._file.read(length)))  # noqa: S301 - our own
        self._lengths.clear()
        self._file.seek(0)
        self._file.truncate()


class _Sibling(NamedTuple):
    """What decides which of the products with the same sharing key may get each other's answers.
    Kept small, because a large file has many.
    """

    weight_kg: float | None
    told_apart_by: frozenset[tuple[Difference, str]]

    def candidate(self, key: str, pictures: tuple[Picture | str, ...]) -> Candidate:
        product = Product("", "", "", self.weight_kg, more_pictures=pictures)
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
    """A product with the earlier answers that the question needs, of typical length."""
    return Subject(
        Product("CODE-0001", "A usual product", "", 1.0),
        {step.name: step.usual_answer() for step in steps if step.name in needed},
    )
