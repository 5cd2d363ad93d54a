"""An estimate counts its sample when the file is read, and says what counting at once would say."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from weighbridge.application import estimate_basis
from weighbridge.domain.products import Product
from weighbridge.ingest.checking.chunks import PRODUCT_SCHEMA, CheckedChunk
from weighbridge.planning.cost import Pace, estimate_catalogue
from weighbridge.planning.grouping import (
    GROUP_TOKENS,
    Group,
    Ready,
    TokenBudget,
    group_products,
    product_tokens,
)
from weighbridge.service.estimates import LATENCY_S, EstimateBasis, Estimator, question_loads
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.planning.cost import CatalogueEstimate

TEXT = 'oak steel chair bowl red blue XL 40 kg für 茶杯 🪑 the of \n \u2028 " \\ 3.5'
WORDS = TEXT.split(" ")
"""With what must survive being kept."""


@pytest.fixture(scope="module")
def basis() -> EstimateBasis:
    return estimate_basis(load_settings(model="gpt-6-luna"))


def some_products(count: int, dice: random.Random, *, words: int) -> list[Product]:
    return [
        Product(
            code=f"P-{dice.random()}",
            name=" ".join(dice.choices(WORDS, k=4)),
            description=" ".join(dice.choices(WORDS, k=dice.randint(1, words))),
            weight_kg=dice.choice([None, 0.25, 3.0]),
            image_url=dice.choice([None, None, "https://example.com/a.png"]),
        )
        for _ in range(count)
    ]


def chunk_of(products: Sequence[Product]) -> CheckedChunk:
    names = ("code", "name", "description", "weight_kg", "image_url")
    rows = [
        {"row_number": i, **{name: getattr(product, name) for name in names}}
        for i, product in enumerate(products)
    ]
    return CheckedChunk(pl.DataFrame(rows, schema=PRODUCT_SCHEMA))


def counted_at_once(chunks: Sequence[Sequence[Product]], basis: EstimateBasis) -> CatalogueEstimate:
    """Of a file in which every product is asked about."""
    groups: list[Group] = []
    for products in chunks:
        ready = [
            Ready(i, product_tokens(product, basis.model), product.has_image)
            for i, product in enumerate(products)
        ]
        groups += group_products(ready, TokenBudget(GROUP_TOKENS))
    loads = question_loads(basis.questions, basis.steps, basis.model)
    pace = Pace(basis.requests_per_minute, basis.tokens_per_minute, LATENCY_S)
    prices = basis.load_prices()
    return estimate_catalogue(groups, loads, prices.chosen, pace, prices.tiers)


def test_an_estimate_is_what_counting_each_product_at_once_gives(basis: EstimateBasis) -> None:
    dice = random.Random()
    chunks = [some_products(dice.randint(0, 80), dice, words=400) for _ in range(5)]
    estimator = Estimator(replace(basis, variants=False))
    watched = list(estimator.watch(chunk_of(products) for products in chunks))
    assert [chunk.products.height for chunk in watched] == [len(one) for one in chunks]
    assert estimator.estimate() == counted_at_once(chunks, basis)
    assert estimator.estimate() == estimator.estimate()


def test_when_the_sample_is_counted_changes_nothing(basis: EstimateBasis) -> None:
    """With variants, which are looked for in all chunks."""
    dice = random.Random()
    chairs = [
        [
            replace(product, name=f"Chair, {dice.choice(['red', 'blue', 'XL'])}", description="Oak")
            for product in some_products(60, dice, words=1)
        ]
        for _ in range(4)
    ]
    chunks = [chunk_of(products) for products in chairs]
    early, late = Estimator(basis), Estimator(basis)
    for chunk in chunks:
        early.take(chunk)
        early.estimate()
        late.take(chunk)
    assert early.estimate() == late.estimate()
    assert late.estimate().variants > 0


def test_a_sample_of_long_texts_is_counted_from_its_file(basis: EstimateBasis) -> None:
    dice = random.Random(1)
    products = [
        replace(product, description=dice.randbytes(10_000).hex(), image_url=None)
        for product in some_products(440, dice, words=1)
    ]
    estimator = Estimator(replace(basis, variants=False))
    estimator.take(chunk_of(products[:220]))
    estimator.take(chunk_of(products[220:]))
    assert estimator.estimate() == counted_at_once([products[:220], products[220:]], basis)
