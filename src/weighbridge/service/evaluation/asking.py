"""Asks a provider for the answers of an evaluation, one call after the other.

The queue is not involved: nothing is stored, and there are no limits but the provider's. After a
rate limit the call is tried again; products with any other error, or with an answer that the
program would refuse, are left out of the evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import Subject
from weighbridge.errors import ProviderError, RateLimited
from weighbridge.planning.cost import call_cost_usd
from weighbridge.planning.tokens import OutputAllowances
from weighbridge.service.evaluation.questionnaires import CheckedAnswers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.clock import Clock
    from weighbridge.domain.answers import Answer, StepName
    from weighbridge.domain.calls import CallReply
    from weighbridge.domain.products import Product
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Question

GROUP: Final = 5
"""How many products are asked about in one call."""
TRIES: Final = 4
"""How many times a call is tried."""
WAIT_S: Final = 5.0
"""How long to wait after a rate limit if the provider does not say; doubled with every try."""


@dataclass(frozen=True, slots=True)
class AskedAnswers:
    """The answers to an evaluation's questions; `label` names the model that gave them."""

    checked: CheckedAnswers
    label: str
    cost_usd: float | None  # None: the model's price is not known


async def ask(
    products: Sequence[Product], question: Question, provider: Provider, clock: Clock
) -> AskedAnswers:
    """Ask the question about all products; for each without a usable answer, the reason is
    given.
    """
    allowances = OutputAllowances({question.name: question.output_tokens_per_product})
    answers: dict[str, Mapping[StepName, Answer]] = {}
    refused: dict[str, str] = {}
    cost_usd = 0.0
    for first in range(0, len(products), GROUP):
        group = [Subject(product) for product in products[first : first + GROUP]]
        try:
            reply = await _reply_about(question, group, allowances, provider, clock)
        except ProviderError as error:
            refused |= {subject.product.code: str(error) for subject in group}
            continue
        accepted = question.accept(reply, group)
        reasons = {refusal.code: str(refusal.error) for refusal in accepted.refusals}
        refused |= reasons
        answers |= {code: one for code, one in accepted.answers.items() if code not in reasons}
        cost_usd += call_cost_usd(reply.usage, provider.price)
    by = f"{provider.model}, simulated" if provider.simulated else provider.model
    known = provider.price.known and not provider.simulated
    return AskedAnswers(CheckedAnswers(answers, refused), by, cost_usd if known else None)


async def _reply_about(
    question: Question,
    group: Sequence[Subject],
    allowances: OutputAllowances,
    provider: Provider,
    clock: Clock,
) -> CallReply:
    """The provider's reply about a group of products.

    Raises ProviderError at once, but after a rate limit only if all tries fail.
    """
    request = question.request(group, allowances.allowance(question.name, len(group)))
    for attempt in range(TRIES - 1):
        try:
            return await provider.call(request)
        except RateLimited as busy:
            if busy.is_about_day:
                raise
            await clock.sleep(busy.retry_after_s or WAIT_S * 2**attempt)
    return await provider.call(request)
