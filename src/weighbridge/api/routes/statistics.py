"""The route for statistics of the last 24 hours and overall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from weighbridge.api.context import Context
from weighbridge.api.schemas.statistics import ProcessingStatsDocument

if TYPE_CHECKING:
    from weighbridge.service.processing_stats import CallFigures, PeriodStats

router = APIRouter(prefix="/api/products", tags=["statistics"])


@router.get("/processing-stats")
async def processing_stats(context: Context) -> ProcessingStatsDocument:
    """Show counts, rates, latency, tokens, cost and errors, by step and by model.

    The figures may be a few seconds old.
    """
    stats = await context.statistics.processing_stats()
    return ProcessingStatsDocument.model_validate(
        {
            "as_of": stats.as_of,
            "counts": {status.value: count for status, count in stats.counts.items()},
            "batches": {
                "in_flight": stats.batches.batches,
                "requests": stats.batches.requests,
                "answered": stats.batches.answered,
                "oldest_at": stats.batches.oldest_at,
            },
            "last24_hours": _period(stats.last_24_hours),
            "overall": _period(stats.overall),
        }
    )


def _period(period: PeriodStats) -> dict[str, Any]:
    """The figures of a period under the schema's names, by step and by model too."""
    return {
        **_calls(period.total),
        "completed": period.completed,
        "failed": period.failed,
        "variants": period.variants,
        "reused": period.reused,
        "products_per_hour": period.products_per_hour,
        "failure_rate": period.failure_rate,
        "seconds_per_batch": period.total.latency_mean_s,
        "by_step": [{"name": name, **_calls(figures)} for name, figures in period.by_step.items()],
        "by_model": [
            {"name": name, **_calls(figures)} for name, figures in period.by_model.items()
        ],
        "recent_errors": [
            {
                "source": error.source,
                "reason": error.kind,
                "count": error.count,
                "last_at": error.last_at,
                "example": error.example,
            }
            for error in period.errors
        ],
    }


def _calls(figures: CallFigures) -> dict[str, Any]:
    """Figures of calls under the schema's names: seconds, USD, and tokens estimated and counted."""
    return {
        "calls": figures.calls,
        "failed_calls": figures.failed_calls,
        "retries": figures.retries,
        "rate_limited": figures.rate_limited,
        "simulated_calls": figures.simulated_calls,
        "tokens": {
            "estimated": figures.estimated_tokens,
            "input": figures.input_tokens,
            "cached_input": figures.cached_input_tokens,
            "output": figures.output_tokens,
            "total": figures.input_tokens + figures.output_tokens,
        },
        "cost_usd": figures.known_cost_usd,
        "unpriced_calls": figures.unpriced_calls,
        "latency_mean_s": figures.latency_mean_s,
        "latency_p50_s": figures.latency_p50_s,
        "latency_p95_s": figures.latency_p95_s,
        "waited_mean_s": figures.waited_mean_s,
    }
