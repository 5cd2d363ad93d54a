"""Estimates the cost of a catalogue from the file alone. Sends and stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import Subject
from weighbridge.domain.products import Product
from weighbridge.ingest.catalogue import read_catalogue
from weighbridge.planning.cost import CatalogueEstimate, Pace, QuestionLoad, estimate_catalogue
from weighbridge.planning.grouping import (
    GROUP_TOKENS,
    Ready,
    TokenBudget,
    group_products,
    product_tokens,
)
from weighbridge.planning.tokens import request_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from weighbridge.domain.answers import StepName
    from weighbridge.domain.calls import Price
    from weighbridge.domain.products import FieldLimits
    from weighbridge.ingest.columns import Field
    from weighbridge.steps import Question, Steps

LATENCY_S: Final = 4.0
"""Seconds a call is assumed to take: a usual value for a small model and a few hundred tokens of output."""


def estimate_file(
    path: Path,
    *,
    mapping: Mapping[Field, str],
    limits: FieldLimits,
    questions: Sequence[Question],
    steps: Steps,
    price: Price,
    model: str,
    requests_per_minute: int,
    tokens_per_minute: int,
) -> CatalogueEstimate:
    """Read the catalogue, group it like the queue, and add up.

    Raises:
        InputError: the file cannot be used.
    """
    ready = [
        Ready(number, product_tokens(product, model), product.has_image)
        for number, product in enumerate(
            product
            for chunk in read_catalogue(path, mapping=mapping, limits=limits)
            for product in chunk.iterate_products()
        )
    ]
    groups = group_products(ready, TokenBudget(GROUP_TOKENS))
    loads = [_load(question, steps, model) for question in questions]
    pace = Pace(requests_per_minute, tokens_per_minute, LATENCY_S)
    return estimate_catalogue(groups, loads, price, pace)


def _load(question: Question, steps: Steps, model: str) -> QuestionLoad:
    """Tokens of a question without and with a typical product."""
    subject = _usual_subject(question.needs, steps)
    one = request_tokens(question.request([subject], 1), model)
    two = request_tokens(question.request([subject, subject], 1), model)
    per_product = two - one
    bare = product_tokens(subject.product, model)
    return QuestionLoad(
        prompt_tokens=one - per_product,
        output_tokens_per_product=question.output_tokens_per_product * 0.7,
        allowance_per_product=question.output_tokens_per_product,
        data_tokens_per_product=max(0, per_product - bare),
    )


def _usual_subject(needed: Sequence[StepName], steps: Steps) -> Subject:
    """A product with the earlier answers it needs, of typical length."""
    return Subject(
        Product("CODE-0001", "A usual product", "", 1.0),
        {step.name: step.usual_answer() for step in steps if step.name in needed},
    )
