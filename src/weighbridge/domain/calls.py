"""The contract with any provider: what we ask, what comes back, what it used.

Named tuples, because several of each are made for every call: a frozen dataclass takes three times
as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar

from typing_extensions import override

T = TypeVar("T")


class Lane(StrEnum):
    """How the calls about a product are sent, from the fastest to the slowest."""

    ONLINE = "online"  # at once, in the service tier that is set
    FLEX = "flex"  # at once, in the provider's cheaper service tier
    BATCH = "batch"  # in files that the provider works off within a day, at half the price


class CallRequest(NamedTuple):
    """One question about one group, ready to be sent.

    `instructions` is the same for every group, so that the provider's prompt cache can hold it;
    `content` is the products as data; `image_urls` are http(s) or data: URLs. With a `key` the
    provider is asked to store its reply under it, so that `Provider.find` can fetch it.
    The time limit of the call is multiplied by `time_factor`. `tier` takes the place of the service
    tier that is set.
    """

    instructions: str
    content: str
    schema_name: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    image_urls: tuple[str, ...] = ()
    key: str | None = None
    time_factor: float = 1.0
    tier: str | None = None


class Identity(Generic[T]):
    """Wraps a schema, or a list in it, as the key of a cache: equal only where it is the same
    object, which the cache keeps alive.

    Schemas are built once per step and never changed; comparing their thousands of values for every
    call would take longer than what the cache saves.
    """

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    @override
    def __hash__(self) -> int:
        return id(self.value)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.value is self.value


class Usage(NamedTuple):
    """Tokens as the provider counted them.

    Those read from and written to its prompt cache are part of the input, hidden reasoning is part
    of the output.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class Remaining(NamedTuple):
    """What the provider's rate-limit headers say. None where a header was missing or unreadable.

    `reset_s` is the time until the budget is full again, in seconds.
    """

    requests_limit: int | None = None
    requests_remaining: int | None = None
    requests_reset_s: float | None = None
    tokens_limit: int | None = None
    tokens_remaining: int | None = None
    tokens_reset_s: float | None = None


class FinishReason(StrEnum):
    """Why the model stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"  # the model declined, or a content filter cut it


class CallReply(NamedTuple):
    """What the provider sent back. It was paid for, whatever its content."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    remaining: Remaining
    model: str  # as the provider names the model that answered
    request_id: str | None = None
    processing_s: float | None = (
        None  # from admission to answer, as the provider says; the rest was travel
    )
    service_tier: str | None = None  # by which the provider says that it served the call
    stated_cost_usd: float | None = None  # what a gateway says that the call has cost
    provider: str | None = None  # who answered, where that is not whoever was asked
    simulated: bool | None = None  # of that provider; None where it is whoever was asked
    full_context_tokens: int | None = None  # the context that was full before the answer was done


STANDARD_TIERS: Final = frozenset({"default", "auto", "standard", "on_demand", ""})
"""Names of the service tier whose prices are the list prices."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. `known` is False when no price is published for the model (cost is
    then unknown, not 0).

    `cache_write_usd` None: writing to the prompt cache costs what input costs. `tiers` holds the
    factor of each service tier that has a price of its own.
    """

    input_usd: float
    cached_input_usd: float
    output_usd: float
    known: bool = True
    cache_write_usd: float | None = None
    tiers: Mapping[str, float] = field(default_factory=dict)

    def in_tier(self, tier: str | None) -> Price:
        """The price in a service tier; `known` is False where no factor is published for the
        tier.
        """
        if tier is None or tier in STANDARD_TIERS or not self.known:
            return self
        if tier not in self.tiers:
            return replace(self, known=False)
        factor = self.tiers[tier]
        written = None if self.cache_write_usd is None else self.cache_write_usd * factor
        return Price(
            self.input_usd * factor,
            self.cached_input_usd * factor,
            self.output_usd * factor,
            self.known,
            written,
        )


class Cost(NamedTuple):
    """What one call takes from the provider's budget at admission: requests and tokens."""

    requests: int
    tokens: int
