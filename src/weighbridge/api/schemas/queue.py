"""Schemas of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.service.queue import CONFIG_RANGES, PACINGS, SWITCHES


class Used(Schema):
    """How much of one of the provider's limits was used in the last 60 s, and how much is
    allowed.
    """

    used: int = Field(ge=0, examples=[312])
    allowed: int = Field(ge=1, examples=[500])


class LimitsInUse(Schema):
    """The use of both limits of the provider."""

    requests_per_minute: Used
    tokens_per_minute: Used


class QueueView(Schema):
    """What the queue is doing, and its settings."""

    queue_length: int = Field(ge=0, description="Pending products.", examples=[1200])
    processing: bool = Field(description="Whether products are being processed right now.")
    processed_count: int = Field(ge=0, description="Completed products.", examples=[3400])
    failed_count: int = Field(ge=0, description="Failed products.", examples=[2])
    batch_size: int = Field(examples=[500])
    batch_delay_ms: int = Field(examples=[60_000])
    max_concurrent_requests: int = Field(examples=[10])
    pacing: Literal["batch", "continuous"]
    ask_together: bool = Field(description="Whether one call asks all questions.", examples=[False])
    running: bool = Field(description="False from stop-queue until start-queue.")
    paused_reason: str | None = Field(
        description="Why a started queue makes no calls at the moment (a rate limit, a budget that is used up, an outage); null while it makes calls."
    )
    current_batch: int = Field(ge=0, description="Batches started so far.", examples=[7])
    next_batch_at: datetime | None = Field(description="When the pause between batches ends.")
    limits: LimitsInUse


class StateCounts(Schema):
    """Products by state."""

    pending: int = Field(ge=0, examples=[1200])
    processing: int = Field(ge=0, examples=[50])
    completed: int = Field(ge=0, examples=[3400])
    failed: int = Field(ge=0, examples=[2])


class BatchesView(Schema):
    """Batches at the provider, for products in the lane `batch`."""

    in_flight: int = Field(
        ge=0, description="Batches that the provider has not finished.", examples=[2]
    )
    requests: int = Field(ge=0, description="Requests in these batches.", examples=[9400])
    answered: int = Field(
        ge=0, description="Requests that the provider has finished.", examples=[3570]
    )
    oldest_at: datetime | None = Field(
        description="When the oldest of these batches was submitted; null if there are none."
    )


class ProviderView(Schema):
    """What is known of the provider and model that answer."""

    name: str = Field(examples=["openai"])
    model: str = Field(examples=["gpt-6-luna"])
    answer_form: Literal["strict", "schema", "object", "text"] | None = Field(
        description="How the model is told the form of its answer: by a JSON schema (`strict`, or `schema` without strict "
        "mode), or by the schema in the prompt (`object` with JSON mode, or `text` without).",
        examples=["strict"],
    )
    context_tokens: int | None = Field(
        description="Tokens that prompt and answer may have together; null while unknown.",
        examples=[1_050_000],
    )
    cache_saving_usd: float | None = Field(
        description="What the prompt cache has saved with this model, minus what writing to the cache cost.",
        examples=[1.25],
    )
    writes_cache: bool | None = Field(
        description="Whether prompts are written to the cache; false once that has cost more than it saved.",
        examples=[True],
    )
    notices: list[str] = Field(
        description="Notices for the operator, such as the date on which the model is shut down.",
        examples=[["gpt-4.1-mini will be shut down on 2027-01-14."]],
    )


class QueueStatusDocument(Schema):
    """The answer of queue-status."""

    queue: QueueView
    database: StateCounts
    total_products: int = Field(ge=0, examples=[4652])
    batches: BatchesView
    provider: ProviderView | None = Field(
        description="The provider that was used last; null before the first start."
    )


class Started(Schema):
    """The answer of start-queue."""

    added_to_queue: int = Field(ge=0, description="Products that are now pending.")
    message: str = Field(examples=["The queue is running; 1,200 pending products."])
    queue: QueueView


class Stopped(Schema):
    """The answer of stop-queue."""

    calls_in_flight: int = Field(
        ge=0,
        description="Calls in flight of all workers; they will finish and be stored. In continuous pacing without "
        "maxConcurrentRequests, each group of products that another worker is processing counts as one call.",
    )
    returned_to_pending: int = Field(ge=0, description="Products returned to pending at once.")
    message: str = Field(
        examples=["The queue is stopped. 3 calls in flight will finish and be stored."]
    )
    queue: QueueView


class FailedReset(Schema):
    """The answer of reset-failed."""

    modified_count: int = Field(ge=0, examples=[2])
    message: str = Field(examples=["2 failed products set to pending again."])


class QueueConfig(Schema):
    """Every setting of the queue."""

    batch_size: int = Field(examples=[500])
    batch_delay_ms: int = Field(examples=[60_000])
    max_concurrent_requests: int = Field(examples=[10])
    pacing: Literal["batch", "continuous"]
    ask_together: bool = Field(description="Whether one call asks all questions.", examples=[False])
    requests_per_minute: int = Field(examples=[500])
    tokens_per_minute: int = Field(examples=[450_000])


class SettingRange(Schema):
    """The values that a setting may have: from minimum to maximum, or one of `values`."""

    minimum: int | None = Field(default=None, examples=[1])
    maximum: int | None = Field(default=None, examples=[1000])
    values: list[str | bool] | None = None


class ConfigDocument(QueueConfig):
    """The present settings, and the values that each may have."""

    allowed: dict[str, SettingRange]


class ConfigChanged(Schema):
    """The answer of queue-config."""

    previous: QueueConfig
    current: QueueConfig


_DEFAULTS: Final = {
    "batchSize": 500,
    "batchDelayMs": 60_000,
    "maxConcurrentRequests": 10,
    "requestsPerMinute": 500,
    "tokensPerMinute": 450_000,
}


def config_ranges() -> dict[str, Any]:
    """The values that each setting may have, by its name, as `SettingRange`."""
    return {
        **{
            name: {"minimum": allowed.low, "maximum": allowed.high}
            for name, allowed in CONFIG_RANGES.items()
        },
        "pacing": {"values": list(PACINGS)},
        **{name: {"values": [True, False]} for name in SWITCHES},
    }


def config_change_schema() -> dict[str, Any]:
    """The OpenAPI schema of the body of queue-config, from the ranges that the service checks."""
    properties: dict[str, Any] = {
        name: {
            "type": "integer",
            "minimum": allowed.low,
            **({"maximum": allowed.high} if allowed.high is not None else {}),
            "description": f"Default {_DEFAULTS[name]:,}.",
        }
        for name, allowed in CONFIG_RANGES.items()
    }
    properties["pacing"] = {
        "type": "string",
        "enum": list(PACINGS),
        "description": "Default batch.",
    }
    properties["askTogether"] = {
        "type": "boolean",
        "description": "Whether one call asks all questions. Default false.",
    }
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "example": {"batchSize": 200, "pacing": "batch"},
    }
