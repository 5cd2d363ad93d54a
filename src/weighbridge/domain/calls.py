"""The contract with any provider: what we ask, what comes back, what it used.

Named tuples, because several of each are made for every call: a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Lane(StrEnum):
    """How a call travels: at once, or in the provider's slower and cheaper batch service."""

    LIVE = "live"
    BATCH = "batch"


class CallRequest(NamedTuple):
    """One question about one group, ready to be sent.

    `instructions` is the same for every group, so that the provider's prompt cache can hold it;
    `content` is the products as data; `image_url` is an http(s) or data: URL. With a `key` the provider is asked
    to store its reply under it, so that `Provider.find` can fetch it.
    """

    instructions: str
    content: str
    schema_name: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    image_url: str | None = None
    key: str | None = None


class Usage(NamedTuple):
    """Tokens as the provider counted them. Cached ones are part of the input."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0


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


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. `known` is False when no price is published for the model (cost is then 0)."""

    input_usd: float
    cached_input_usd: float
    output_usd: float
    known: bool = True


class Cost(NamedTuple):
    """What one call takes from the provider's budget at admission: requests and tokens."""

    requests: int
    tokens: int
