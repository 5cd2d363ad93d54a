"""The backlog target: how many jobs are kept ready, so that a call can go whenever the quota allows
one.

The dispatcher makes jobs up to it; the governor tells by it when the last stretch of a run begins.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.engine.quota.traffic import Traffic
    from weighbridge.store.queue_state import QueueState

FEWEST_JOBS_AHEAD: Final = 20
MOST_JOBS_AHEAD: Final = 5_000
MINUTES_AHEAD: Final = 1.5


def backlog_target(state: QueueState, traffic: Traffic) -> int:
    """Jobs to have at once: a minute and a half of calls, plus twice what Little's law says is in
    flight.

    A job has one call in flight. A provider that admits a full minute's quota in one burst does so
    again a minute later, and what is not ready then comes late: with twice Little's law alone, the
    calls of such a minute took 30 s to leave, and the last minute of a run lost them. The half
    minute on top is for the end of a run (docs/decisions/0018).
    """
    cap = state.concurrency_cap
    if cap is not None:
        return max(FEWEST_JOBS_AHEAD, min(cap * 2, MOST_JOBS_AHEAD))
    a_minute = calls_a_minute(state, traffic.mean_tokens)
    in_flight = a_minute / 60 * max(traffic.mean_latency_s, 1.0)
    wanted = min(a_minute * MINUTES_AHEAD + in_flight * 2, MOST_JOBS_AHEAD)
    return max(FEWEST_JOBS_AHEAD, ceil(wanted))


def calls_a_minute(state: QueueState, mean_tokens: float) -> float:
    """Calls that the quota allows: by requests, or by tokens where these run out first.

    `mean_tokens` 0: unknown.
    """
    by_tokens = state.tokens_per_minute / mean_tokens if mean_tokens else float("inf")
    return min(state.requests_per_minute, by_tokens)
