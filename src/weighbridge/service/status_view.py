"""The queue's status under its public names: the contract of `GET /api/products/queue-status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.domain.products import ProcessingStatus
from weighbridge.service.queue import config_of

if TYPE_CHECKING:
    from weighbridge.service.queue import QueueStatus
    from weighbridge.store.provider_facts import ProviderFacts


def status_document(look: QueueStatus) -> dict[str, Any]:
    """The queue's status as the API's document."""
    state, counts = look.state, look.counts
    config = config_of(state)
    processing = counts[ProcessingStatus.PROCESSING]
    return {
        "queue": {
            "queueLength": counts[ProcessingStatus.PENDING],
            "processing": processing > 0,
            "processedCount": counts[ProcessingStatus.COMPLETED],
            "failedCount": counts[ProcessingStatus.FAILED],
            "batchSize": config["batchSize"],
            "batchDelayMs": config["batchDelayMs"],
            "maxConcurrentRequests": config["maxConcurrentRequests"],
            "pacing": config["pacing"],
            "askTogether": config["askTogether"],
            "running": state.running,
            "pausedReason": state.paused_reason,
            "currentBatch": state.current_batch,
            "nextBatchAt": state.next_batch_at,
            "limits": {
                "requestsPerMinute": {
                    "used": look.used.requests,
                    "allowed": look.limits.requests_per_minute,
                },
                "tokensPerMinute": {
                    "used": look.used.tokens,
                    "allowed": look.limits.tokens_per_minute,
                },
            },
        },
        "database": {status.value: counts[status] for status in ProcessingStatus},
        "totalProducts": look.total_products,
        "batches": {
            "inFlight": look.batches.batches,
            "requests": look.batches.requests,
            "answered": look.batches.answered,
            "oldestAt": look.batches.oldest_at,
        },
        "provider": None if look.provider is None else _provider_document(look.provider),
    }


def _provider_document(provider: ProviderFacts) -> dict[str, Any]:
    """The provider as part of the document; None for what is not learned yet."""
    return {
        "name": provider.name,
        "model": provider.model,
        "answerForm": provider.learned.get("form"),
        "contextTokens": provider.learned.get("context_tokens"),
        "cacheSavingUsd": provider.learned.get("cache_saving_usd"),
        "writesCache": provider.learned.get("writes_cache"),
        "notices": list(provider.notices),
    }
