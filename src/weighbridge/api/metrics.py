"""Prometheus metrics from the database; they include every server and worker that uses it.

With several servers on one database, scrape only one: all give the same figures, except for
`weighbridge_calls_in_flight`, which counts the server's own process.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from typing_extensions import override

from weighbridge.service.processing_stats import LATENCY_BOUNDS_S, OK, WAITING_BOUNDS_S, CallSum
from weighbridge.service.queue import queue_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from weighbridge.api.context import ApiContext
    from weighbridge.service.queue import QueueStatus

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


async def metrics_page(context: ApiContext) -> bytes:
    """The current metrics page."""
    sums = await context.statistics.call_sums()
    status = await queue_status(context.database, context.clock)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_MetricsSnapshot(sums, status, context.calls_in_flight))
    return generate_latest(registry)


class _MetricsSnapshot(Collector):
    """The metrics of one moment, for a Prometheus registry."""

    def __init__(self, sums: Sequence[CallSum], status: QueueStatus, in_flight: int) -> None:
        self._sums = sums
        self._status = status
        self._in_flight = in_flight

    @override
    def collect(self) -> Iterator[Metric]:
        """All metrics; latencies are of calls that got a reply."""
        yield from self._queue()
        yield from self._calls()
        yield _histogram(
            "weighbridge_call_latency_seconds",
            "Duration of calls that got a reply.",
            [row for row in self._sums if row.outcome == OK],
            LATENCY_BOUNDS_S,
            lambda row: row.latency_bucket,
            lambda row: row.latency_s,
        )
        yield _histogram(
            "weighbridge_governor_waiting_seconds",
            "Time that calls waited for the rate limit.",
            self._sums,
            WAITING_BOUNDS_S,
            lambda row: row.waiting_bucket,
            lambda row: row.waited_s,
        )

    def _queue(self) -> Iterator[Metric]:
        """States of products, quota used and allowed, and whether the queue runs or is paused."""
        states = GaugeMetricFamily("weighbridge_products", "Products by state.", labels=["state"])
        for product_state, count in self._status.counts.items():
            states.add_metric([product_state.value], count)
        yield states
        used = GaugeMetricFamily(
            "weighbridge_quota_used", "Quota used in the last 60 seconds.", labels=["budget"]
        )
        used.add_metric(["requests"], self._status.used.requests)
        used.add_metric(["tokens"], self._status.used.tokens)
        yield used
        allowed = GaugeMetricFamily(
            "weighbridge_quota_allowed", "Quota for any 60 seconds.", labels=["budget"]
        )
        allowed.add_metric(["requests"], self._status.limits.requests_per_minute)
        allowed.add_metric(["tokens"], self._status.limits.tokens_per_minute)
        yield allowed
        state = self._status.state
        yield GaugeMetricFamily(
            "weighbridge_queue_running",
            "1 while the queue is started, 0 while it is stopped.",
            int(state.running),
        )
        yield GaugeMetricFamily(
            "weighbridge_queue_paused",
            "1 while the queue makes no calls until the provider recovers, otherwise 0.",
            int(state.paused_reason is not None),
        )
        yield GaugeMetricFamily(
            "weighbridge_calls_in_flight", "Calls in flight in this process.", self._in_flight
        )

    def _calls(self) -> Iterator[Metric]:
        """Calls, tokens and cost (USD), each summed over the labels it has."""
        yield _counter(
            "weighbridge_calls",
            "Calls to the provider.",
            {
                "step": lambda row: row.step,
                "model": lambda row: row.model,
                "outcome": lambda row: row.outcome,
            },
            self._sums,
            lambda row: row.calls,
        )
        tokens = CounterMetricFamily(
            "weighbridge_tokens",
            "Tokens of calls: estimated before the call, and as counted by the provider.",
            labels=["kind"],
        )
        tokens.add_metric(["estimated"], sum(row.estimated_tokens for row in self._sums))
        tokens.add_metric(["input"], sum(row.input_tokens for row in self._sums))
        tokens.add_metric(["cached_input"], sum(row.cached_input_tokens for row in self._sums))
        tokens.add_metric(["output"], sum(row.output_tokens for row in self._sums))
        yield tokens
        yield _counter(
            "weighbridge_cost_usd",
            "Cost of calls, in US dollars.",
            {"model": lambda row: row.model, "simulated": lambda row: str(row.simulated).lower()},
            self._sums,
            lambda row: row.cost_usd,
        )


def _counter(
    name: str,
    help_text: str,
    labels: dict[str, Callable[[CallSum], str]],
    sums: Iterable[CallSum],
    value: Callable[[CallSum], float],
) -> CounterMetricFamily:
    """A counter with one sample for each combination of labels: the sum of `value` over its
    rows.
    """
    totals: dict[tuple[str, ...], float] = defaultdict(float)
    for row in sums:
        totals[tuple(label(row) for label in labels.values())] += value(row)
    family = CounterMetricFamily(name, help_text, labels=list(labels))
    for key, total in sorted(totals.items()):
        family.add_metric(list(key), total)
    return family


def _histogram(
    name: str,
    help_text: str,
    sums: Iterable[CallSum],
    bounds: Sequence[float],
    bucket: Callable[[CallSum], int],
    seconds: Callable[[CallSum], float],
) -> HistogramMetricFamily:
    """A histogram for each step; the count of a bucket includes those below it.

    `bucket` gives a row's index into `bounds` (one above the last for +Inf), `seconds` its total
    time.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (len(bounds) + 1))
    totals: dict[str, float] = defaultdict(float)
    for row in sums:
        counts[row.step][bucket(row)] += row.calls
        totals[row.step] += seconds(row)
    family = HistogramMetricFamily(name, help_text, labels=["step"])
    names = [str(bound) for bound in bounds] + ["+Inf"]
    for step, histogram in sorted(counts.items()):
        running = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip(names, histogram, strict=True):
            running += count
            buckets.append((bound, running))
        family.add_metric([step], buckets, totals[step])
    return family
