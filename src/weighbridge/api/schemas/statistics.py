"""Schemas of statistics."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.queue import BatchesView, StateCounts


class TokenCounts(Schema):
    """Tokens of calls: `estimated` before the calls, the others as the provider counted them."""

    estimated: int = Field(ge=0)
    input: int = Field(ge=0)
    cached_input: int = Field(
        ge=0, description="Input tokens that came from the prompt cache; included in input."
    )
    output: int = Field(ge=0)
    total: int = Field(ge=0, description="Input and output.")


class CallStats(Schema):
    """Totals over calls. Times are in seconds and cover calls that got a reply."""

    calls: int = Field(ge=0)
    failed_calls: int = Field(ge=0)
    retries: int = Field(ge=0, description="Calls that failed and were retried.")
    rate_limited: int = Field(
        ge=0, description="Calls refused by the provider's rate limit (HTTP status 429)."
    )
    simulated_calls: int = Field(ge=0)
    tokens: TokenCounts
    cost_usd: float | None = Field(
        ge=0,
        description="Cost of the calls whose price is known; null if no price is known.",
    )
    unpriced_calls: int = Field(
        ge=0, description="Calls whose price is unknown; they are not included in costUsd."
    )
    latency_mean_s: float | None = Field(alias="latencyMeanS")
    latency_p50_s: float | None = Field(alias="latencyP50S")
    latency_p95_s: float | None = Field(alias="latencyP95S")
    waited_mean_s: float | None = Field(
        alias="waitedMeanS", description="Mean wait for the rate limit before a call."
    )


class NamedCallStats(CallStats):
    """Totals over the calls of one step or one model."""

    name: str = Field(examples=["classification"])


class ErrorCount(Schema):
    """Failures with the same reason."""

    source: str = Field(description="What failed: call or product.", examples=["call"])
    reason: str = Field(examples=["RateLimited"])
    count: int = Field(ge=1)
    last_at: datetime
    example: str = Field(description="The newest message.")


class Period(CallStats):
    """Products and calls of one period of time."""

    completed: int = Field(ge=0, description="Products completed in this period.")
    failed: int = Field(ge=0, description="Products that failed in this period.")
    variants: int = Field(
        ge=0,
        description="Completed products that reused the answers of another variant of the same design.",
    )
    reused: int = Field(
        ge=0,
        description="Completed products that reused stored answers about the same text, without a call.",
    )
    products_per_hour: float = Field(ge=0)
    failure_rate: float = Field(ge=0, le=1, description="Share of finished products that failed.")
    seconds_per_batch: float | None = Field(
        description="Mean duration of a call. One call asks about one group of products."
    )
    by_step: list[NamedCallStats]
    by_model: list[NamedCallStats]
    recent_errors: list[ErrorCount]


class ProcessingStatsDocument(Schema):
    """The answer of processing-stats."""

    as_of: datetime
    counts: StateCounts
    batches: BatchesView
    last24_hours: Period = Field(alias="last24Hours")
    overall: Period
