"""Computes what a call has cost, and estimates the requests, tokens, money and hours that a
catalogue will take.

Used by the worker for each finished call, and by `weighbridge estimate` for a file. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.calls import CallReply, Price, Usage
    from weighbridge.planning.grouping import Group

MILLION: Final = 1_000_000
PROMPT_MARGIN: Final = 1.1
"""Factor by which the provider's count of a prompt's tokens may exceed ours."""
SHORT_ANSWERS: Final = 0.7
"""Factor by which the expected length of answers is multiplied for the low end of a cost estimate.
"""
LONG_ANSWERS: Final = 1.6
"""Factor by which the expected length of answers is multiplied for the high end of a cost estimate:
bills of materials may be long.
"""
CACHED_PROMPT_LEAST: Final = 1024
"""The shortest beginning of a prompt, in tokens, that OpenAI's prompt cache stores:
https://developers.openai.com/api/docs/guides/prompt-caching
"""
CACHED_PROMPT_STEP: Final = 128
"""Of a beginning that is longer than `CACHED_PROMPT_LEAST`, OpenAI's cache stores a multiple of
this many tokens.
"""


@dataclass(frozen=True, slots=True)
class QuestionLoad:
    """The tokens that one question takes in each call, apart from the texts of the products."""

    prompt_tokens: int  # instructions, schema and frame: the same in every call
    output_tokens_per_product: float  # expected
    allowance_per_product: float  # the output allowance, charged to the token limit
    data_tokens_per_product: float = 0.0  # earlier answers, which are sent with the product


@dataclass(frozen=True, slots=True)
class Loads:
    """The loads of both ways to ask: all steps in one question (`together`), or one question for
    each step (`apart`).
    """

    together: Sequence[QuestionLoad]
    apart: Sequence[QuestionLoad]


@dataclass(frozen=True, slots=True)
class Pace:
    """What limits the speed: the limits per minute, the duration of a call, and the number of calls
    at a time (None: unlimited).
    """

    requests_per_minute: int
    tokens_per_minute: int
    latency_s: float
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class TierCost:
    """The estimated cost of the calls in one service tier, with the range that is due to the length
    of answers and to the prompt cache.
    """

    tier: str
    cost_usd: float
    low_usd: float
    high_usd: float


@dataclass(frozen=True, slots=True)
class CatalogueEstimate:
    """What a catalogue is estimated to take.

    `cost_usd` is the cost in the chosen service tier, 0 if its price is not known (`price_known`);
    `tiers` are the costs in all tiers with a published price. `variants` is how many of the
    products get the answers of another, without a call. `rejected` counts the rows that cannot be
    used.
    """

    products: int
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float
    hours: float
    price_known: bool
    variants: int = 0
    low_usd: float = 0.0
    high_usd: float = 0.0
    tiers: tuple[TierCost, ...] = ()
    rejected: int = 0


def call_cost_usd(usage: Usage, price: Price) -> float:
    """The cost of one call in USD.

    Tokens read from and written to the prompt cache are part of the input, and have prices of their
    own.
    """
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    return _cost_usd(usage.input_tokens - cached, cached, usage.output_tokens, price) + (
        written * _write_premium_usd(price) / MILLION
    )


def reply_cost_usd(reply: CallReply, price: Price) -> float | None:
    """The cost of a reply in USD: as the gateway states it, else by its usage and service tier;
    None if the price is unknown.
    """
    if reply.stated_cost_usd is not None:
        return reply.stated_cost_usd
    in_tier = price.in_tier(reply.service_tier)
    return call_cost_usd(reply.usage, in_tier) if in_tier.known else None


def most_usd(prompt_tokens: int, allowance: int, price: Price) -> float:
    """The most that a call can cost, in USD; infinite if the price is unknown.

    `prompt_tokens` is our own count of the prompt; `PROMPT_MARGIN` is added, since the provider's
    may be higher.
    """
    if not price.known:
        return inf
    dearest = max(price.input_usd, price.cached_input_usd, price.cache_write_usd or 0.0)
    return (prompt_tokens * PROMPT_MARGIN * dearest + allowance * price.output_usd) / MILLION


def cache_saving_usd(usage: Usage, price: Price) -> float:
    """How much the prompt cache has saved, in USD; negative if writing to it cost more than reading
    from it saved.
    """
    saved = usage.cached_input_tokens * (price.input_usd - price.cached_input_usd)
    return (saved - usage.cache_write_tokens * _write_premium_usd(price)) / MILLION


def _write_premium_usd(price: Price) -> float:
    """How much more a million input tokens cost if they are written to the cache, in USD."""
    return 0.0 if price.cache_write_usd is None else price.cache_write_usd - price.input_usd


class _Tokens(NamedTuple):
    """The tokens of all calls together. Those read from the cache (`cached`) and `written` to it
    are part of `input`.
    """

    input: int
    cached: int
    written: int
    output: int

    def cost(self, tier: str, price: Price) -> TierCost:
        """The cost of these tokens at this price; its high end assumes that the cache is written to
        but never read.
        """
        return TierCost(
            tier,
            self._usd(price, self.output),
            self._usd(price, self.output * SHORT_ANSWERS),
            self._replace(cached=0)._usd(price, self.output * LONG_ANSWERS),
        )

    def _usd(self, price: Price, output: float) -> float:
        uncached = self.input - self.cached
        usd = _cost_usd(uncached, self.cached, output, price)
        return usd + self.written * _write_premium_usd(price) / MILLION


def estimate_catalogue(
    groups: Sequence[Group],
    questions: Sequence[QuestionLoad],
    price: Price,
    pace: Pace,
    tiers: Mapping[str, Price] = MappingProxyType({}),
) -> CatalogueEstimate:
    """Estimate what it takes to ask every question about every group, without retries; the cost at
    `price`, and at the price of each service tier in `tiers`.

    It is assumed that the first call of each question writes the beginning of its prompt to the
    cache, and that later calls read it from there.
    """
    products = sum(len(group.product_ids) for group in groups)
    data_tokens = sum(group.tokens for group in groups)
    requests = len(groups) * len(questions)
    input_tokens = cached = written = output_tokens = charged_tokens = 0
    for load in questions:
        asked_input = len(groups) * load.prompt_tokens + data_tokens
        asked_input += ceil(load.data_tokens_per_product * products)
        input_tokens += asked_input
        cached += max(0, len(groups) - 1) * cacheable_tokens(load.prompt_tokens)
        written += cacheable_tokens(load.prompt_tokens) if groups else 0
        output_tokens += ceil(load.output_tokens_per_product * products)
        charged_tokens += asked_input + ceil(load.allowance_per_product * products)
    tokens = _Tokens(input_tokens, cached, written, output_tokens)
    chosen = tokens.cost("", price)
    return CatalogueEstimate(
        products=products,
        requests=requests,
        input_tokens=input_tokens,
        cached_input_tokens=cached,
        output_tokens=output_tokens,
        cost_usd=chosen.cost_usd,
        hours=_duration_s(requests, charged_tokens, len(questions), pace) / 3600,
        price_known=price.known,
        low_usd=chosen.low_usd,
        high_usd=chosen.high_usd,
        tiers=tuple(tokens.cost(tier, of_tier) for tier, of_tier in tiers.items() if of_tier.known),
    )


def scaled(part: CatalogueEstimate, products: int, weighed: int) -> CatalogueEstimate:
    """The estimate for `products` products, from the estimate `part` for `weighed` of them."""
    if products == weighed or not weighed:
        return replace(part, products=products)
    factor = products / weighed
    return CatalogueEstimate(
        products=products,
        requests=ceil(part.requests * factor),
        input_tokens=ceil(part.input_tokens * factor),
        cached_input_tokens=ceil(part.cached_input_tokens * factor),
        output_tokens=ceil(part.output_tokens * factor),
        cost_usd=part.cost_usd * factor,
        hours=part.hours * factor,
        price_known=part.price_known,
        variants=ceil(part.variants * factor),
        low_usd=part.low_usd * factor,
        high_usd=part.high_usd * factor,
        tiers=tuple(
            TierCost(
                cost.tier, cost.cost_usd * factor, cost.low_usd * factor, cost.high_usd * factor
            )
            for cost in part.tiers
        ),
    )


def group_tokens(loads: Sequence[QuestionLoad], products: int, data_tokens: int) -> int:
    """Input and output tokens of all calls about one group, if each question is asked once.

    `data_tokens` are those of the texts of its products.
    """
    per_product = sum(
        load.data_tokens_per_product + load.output_tokens_per_product for load in loads
    )
    prompts = sum(load.prompt_tokens + data_tokens for load in loads)
    return prompts + ceil(per_product * products)


def cacheable_tokens(prompt_tokens: int) -> int:
    """How many tokens of a beginning of this length the provider's prompt cache stores."""
    if prompt_tokens < CACHED_PROMPT_LEAST:
        return 0
    return prompt_tokens - prompt_tokens % CACHED_PROMPT_STEP


def _duration_s(requests: int, charged_tokens: int, questions: int, pace: Pace) -> float:
    """How long all calls take: the longest of the times by the limit on requests, by the limit on
    tokens and by the calls at a time, and of the time for one group's questions in turn.
    """
    if not requests:
        return 0.0
    by_requests_s = requests / pace.requests_per_minute * 60
    by_tokens_s = charged_tokens / pace.tokens_per_minute * 60
    by_calls_s = requests * pace.latency_s / pace.concurrency if pace.concurrency else 0.0
    return max(by_requests_s, by_tokens_s, by_calls_s, questions * pace.latency_s)


def _cost_usd(uncached: int, cached: int, output: float, price: Price) -> float:
    """The cost of these tokens in USD, without writing to the cache."""
    return (
        uncached * price.input_usd + cached * price.cached_input_usd + output * price.output_usd
    ) / MILLION
