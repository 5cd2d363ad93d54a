"""Gives a product the answers that were given earlier about the same text, so that no call is
needed.

The text may have had another code, been in another catalogue, or belonged to a product that was
deleted since. A reused answer is marked by `AnswerProvenance.reused`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from weighbridge.engine.jobs.job_products import keep_held
from weighbridge.store import earlier_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Questions
    from weighbridge.store.database import Connection


def content_key(product: JobProduct, provider: Provider) -> str:
    """A hash of all that the model gets about the product except its code, and of the provider and
    model. It is computed once per product.
    """
    if product.content_key is None:
        content = product.stored.product.content()
        parts = (content, provider.name, provider.model, str(provider.simulated))
        product.content_key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    return product.content_key


async def reuse_answers(
    connection: Connection,
    products: Sequence[JobProduct],
    questions: Questions,
    provider: Provider,
) -> None:
    """Give the products without any answer those about the same text, if all questions have one."""
    key_of = {
        product.id: content_key(product, provider) for product in products if not product.answers
    }
    if not key_of:
        return
    found = await earlier_answers.find(connection, [*{*key_of.values()}], questions.steps.names)
    for product in products:
        for stored in found.get(key_of.get(product.id, ""), ()):
            if questions.are_answered(keep_held(product, stored, questions)):
                product.borrowed.extend(
                    answer._replace(
                        product_id=product.id,
                        question_fingerprint=product.question_fingerprint,
                    )
                    for (step, version), answer in stored.items()
                    if product.versions.get(step) == version
                )
                break
            product.forget()
