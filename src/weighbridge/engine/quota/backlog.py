"""The backlog target: how many jobs are kept ready, so that a call can be sent whenever the quota
allows one.

The dispatcher makes jobs up to this number. When no more than this are left, the governor takes it
that the last stretch of a run begins.
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
"""Number of minutes for which enough calls are kept ready, besides those in flight."""


def backlog_target(state: QueueState, traffic: Traffic) -> int:
    """Number of jobs to have at once: the calls of a minute and a half, plus twice the number in
    flight by Little's law.

    A job has one call in flight. A provider that accepts a full minute's quota in one burst does so
    again a minute later, and all these calls must be ready then. (With twice Little's law alone,
    they took 30 s to be sent, and the last minute of a run was wasted.) The additional half minute
    is for the end of a run (docs/decisions/0018).
    """
    cap = state.concurrency_cap
    if cap is not None:
        return max(FEWEST_JOBS_AHEAD, min(cap * 2, MOST_JOBS_AHEAD))
    a_minute = calls_a_minute(state, traffic.mean_tokens)
    in_flight = a_minute / 60 * max(traffic.mean_latency_s, 1.0)
    wanted = min(a_minute * MINUTES_AHEAD + in_flight * 2, MOST_JOBS_AHEAD)
    return max(FEWEST_JOBS_AHEAD, ceil(wanted))


def calls_a_minute(state: QueueState, mean_tokens: float) -> float:
    """Calls per minute that the limits on requests and tokens allow. `mean_tokens` are those of a
    call; 0: unknown.
    """
    by_tokens = state.tokens_per_minute / mean_tokens if mean_tokens else float("inf")
    return min(state.requests_per_minute, by_tokens)
