"""What a call cost, and what a catalogue will: requests, tokens, money and hours before anything is
spent.

The worker prices each finished call here; `weighbridge estimate` prices a file. Pure arithmetic.
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
"""Factor by which the provider's count of a prompt may exceed ours."""
SHORT_ANSWERS: Final = 0.7
LONG_ANSWERS: Final = 1.6
"""How far a model's answers may be from the usual length: bills have few lines or many."""
CACHED_PROMPT_LEAST: Final = 1024
CACHED_PROMPT_STEP: Final = 128
"""OpenAI's prompt cache holds beginnings of 1,024 tokens and more, in steps of 128:
https://developers.openai.com/api/docs/guides/prompt-caching
"""


@dataclass(frozen=True, slots=True)
class QuestionLoad:
    """What one question takes in each call, apart from the data of the products."""

    prompt_tokens: int  # instructions, schema and frame: the same in every call
    output_tokens_per_product: float  # expected
    allowance_per_product: float  # sent, and charged to the token limit
    data_tokens_per_product: float = 0.0  # more per product than in the group: earlier answers


@dataclass(frozen=True, slots=True)
class Loads:
    """The same for the one question of all steps, and for the steps one by one."""

    together: Sequence[QuestionLoad]
    apart: Sequence[QuestionLoad]


@dataclass(frozen=True, slots=True)
class Pace:
    """What bounds the speed: limits per minute, seconds a call takes, calls at a time (None: no
    bound).
    """

    requests_per_minute: int
    tokens_per_minute: int
    latency_s: float
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class TierCost:
    """What the same calls cost in one service tier, with the range that answers and cache leave."""

    tier: str
    cost_usd: float
    low_usd: float
    high_usd: float


@dataclass(frozen=True, slots=True)
class CatalogueEstimate:
    """What a catalogue will take. `price_known` is False when no price is published: `cost_usd` is
    then 0.

    `cost_usd` is what the chosen tier costs, `tiers` all that have a published price. `variants`
    are those of the products that get the answers of another, and take no call. `rejected` are the
    rows that cannot be used.
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
    """USD for one call.

    Tokens read from and written to the cache are part of the input and have prices of their own.
    """
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    return _cost_usd(usage.input_tokens - cached, cached, usage.output_tokens, price) + (
        written * _write_premium_usd(price) / MILLION
    )


def reply_cost_usd(reply: CallReply, price: Price) -> float | None:
    """What a reply cost: as the gateway says, else by its usage and the tier that it names; None
    when nobody knows.
    """
    if reply.stated_cost_usd is not None:
        return reply.stated_cost_usd
    in_tier = price.in_tier(reply.service_tier)
    return call_cost_usd(reply.usage, in_tier) if in_tier.known else None


def most_usd(prompt_tokens: int, allowance: int, price: Price) -> float:
    """The most that a call can cost before it is sent, in USD; infinite where the price is unknown.

    `prompt_tokens` is the prompt as we count it: the provider's own count may be a little higher.
    """
    if not price.known:
        return inf
    dearest = max(price.input_usd, price.cached_input_usd, price.cache_write_usd or 0.0)
    return (prompt_tokens * PROMPT_MARGIN * dearest + allowance * price.output_usd) / MILLION


def cache_saving_usd(usage: Usage, price: Price) -> float:
    """What the prompt cache has saved, less what writing to it has cost on top; below 0 where it
    does not pay.
    """
    saved = usage.cached_input_tokens * (price.input_usd - price.cached_input_usd)
    return (saved - usage.cache_write_tokens * _write_premium_usd(price)) / MILLION


def _write_premium_usd(price: Price) -> float:
    """What a million tokens cost more for being written to the cache."""
    return 0.0 if price.cache_write_usd is None else price.cache_write_usd - price.input_usd


class _Tokens(NamedTuple):
    """Of all calls; `cached` and `written` are part of `input`."""

    input: int
    cached: int
    written: int
    output: int

    def cost(self, tier: str, price: Price) -> TierCost:
        """At this price; `high_usd` where the cache is written to and never read."""
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
    """Requests, tokens, money and hours for asking every question about every group, without
    retries: at `price`, and at those of the service tiers.

    The first call of each question writes the beginning of its prompt to the cache, later ones find
    it there.
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
    """The estimate for `products`, from that for `weighed` of them."""
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
            TierCost(one.tier, one.cost_usd * factor, one.low_usd * factor, one.high_usd * factor)
            for one in part.tiers
        ),
    )


def group_tokens(loads: Sequence[QuestionLoad], products: int, data_tokens: int) -> int:
    """Tokens of the calls about one group, input and output, if each question is asked once."""
    per_product = sum(
        load.data_tokens_per_product + load.output_tokens_per_product for load in loads
    )
    prompts = sum(load.prompt_tokens + data_tokens for load in loads)
    return prompts + ceil(per_product * products)


def cacheable_tokens(prompt_tokens: int) -> int:
    """How much of a repeated beginning the provider's cache holds."""
    if prompt_tokens < CACHED_PROMPT_LEAST:
        return 0
    return prompt_tokens - prompt_tokens % CACHED_PROMPT_STEP


def _duration_s(requests: int, charged_tokens: int, questions: int, pace: Pace) -> float:
    """The slowest of: the limit on requests, that on tokens, calls at a time; and one group's way
    through.
    """
    if not requests:
        return 0.0
    by_requests_s = requests / pace.requests_per_minute * 60
    by_tokens_s = charged_tokens / pace.tokens_per_minute * 60
    by_calls_s = requests * pace.latency_s / pace.concurrency if pace.concurrency else 0.0
    return max(by_requests_s, by_tokens_s, by_calls_s, questions * pace.latency_s)


def _cost_usd(uncached: int, cached: int, output: float, price: Price) -> float:
    return (
        uncached * price.input_usd + cached * price.cached_input_usd + output * price.output_usd
    ) / MILLION
