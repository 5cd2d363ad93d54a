"""Gives a product the answers about another variant of its design, scaled to its own size, so that
no call is needed.

`planning.variants` decides for which products the answers may be used. A borrowed answer names the
other product in `AnswerProvenance.variant_of`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.domain.answers import BillOfMaterials
from weighbridge.engine.jobs.job_products import with_answers
from weighbridge.errors import AnswerError
from weighbridge.planning.variants import design_of, may_answer_for
from weighbridge.store.answers import StoredAnswer
from weighbridge.store.products import load_products

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.steps import Questions, Steps
    from weighbridge.store.database import Connection
    from weighbridge.store.products import StoredProduct


async def able_to_answer(
    connection: Connection,
    stored: Sequence[StoredProduct],
    questions: Questions,
    *,
    simulated: bool,
) -> dict[int, JobProduct]:
    """Those of these products, by id, whose answers other variants may get: all questions are
    answered about the product itself, nothing was corrected, and the weight is plausible.
    """
    products = await with_answers(connection, stored, questions, simulated=simulated)
    return {product.id: product for product in products if _is_able(product, questions)}


def _is_able(product: JobProduct, questions: Questions) -> bool:
    """Whether other variants may get this product's answers."""
    bill = product.subject().answer(BillOfMaterials)
    return (
        questions.are_answered(product.answers)
        and not product.corrections  # what is known to be wrong is not passed on
        and not any(given.variant_of for given in product.provenance.values())
        and not (bill and bill.weight_plausible is False)
    )


async def borrow_answers(
    connection: Connection, products: Sequence[JobProduct], questions: Questions, *, simulated: bool
) -> None:
    """Give answers to those of these products for which another variant was asked.

    A product that already has an answer of its own gets none.
    """
    sibling_of = {
        product.id: product.stored.variant_of
        for product in products
        if product.stored.variant_of is not None and not product.answers
    }
    if not sibling_of:
        return
    stored = await load_products(connection, [*{*sibling_of.values()}])
    able = await able_to_answer(connection, stored, questions, simulated=simulated)
    for product in products:
        asked = able.get(sibling_of.get(product.id, 0))
        if asked and _is_sibling(asked, product):
            _borrow(asked, product, questions.steps)


def _is_sibling(asked: JobProduct, product: JobProduct) -> bool:
    ours, theirs = asked.stored.product, product.stored.product
    return may_answer_for(ours, theirs, (design_of(ours), design_of(theirs)))


def _borrow(asked: JobProduct, product: JobProduct, steps: Steps) -> None:
    """Give `product` the answers about `asked`; none if one of them cannot be true of it."""
    try:
        answers = [
            steps.for_sibling(answer, asked.stored.product, product.stored.product)
            for answer in asked.answers.values()
        ]
    except AnswerError:
        return
    for answer in answers:
        provenance = replace(asked.provenance[answer.step], variant_of=asked.code)
        product.keep(answer, provenance, cost_usd=0.0)
        product.borrowed.append(
            StoredAnswer(
                product_id=product.id,
                step=answer.step,
                question_fingerprint=product.question_fingerprint,
                provenance=provenance,
                answer=steps.encode(answer),
                cost_usd=0.0,
                call_id=asked.call_ids[answer.step],
            )
        )
