"""How much work is kept ready."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weighbridge.domain.calls import Cost
from weighbridge.engine.quota.backlog import FEWEST_JOBS_AHEAD, MOST_JOBS_AHEAD, backlog_target
from weighbridge.engine.quota.traffic import Traffic
from weighbridge.store.queue_state import QueueState

STATE = QueueState(
    running=True,
    paused_reason=None,
    batch_size=500,
    batch_delay_ms=60_000,
    max_concurrent_requests=None,
    pacing="continuous",
    ask_together=False,
    requests_per_minute=600,
    tokens_per_minute=450_000,
    current_batch=0,
    next_batch_at=None,
)


def _traffic(tokens: int, latency_s: float) -> Traffic:
    traffic = Traffic()
    traffic.began(Cost(1, tokens))
    traffic.mean_latency_s = latency_s
    return traffic


def test_backlog_covers_ninety_seconds_and_twice_the_calls_in_flight() -> None:
    # 600 a minute are 10 a second: 900, and twice the 30 of three seconds.
    assert backlog_target(STATE, _traffic(100, 3.0)) == 960


def test_the_scarcer_quota_sets_the_backlog() -> None:
    assert backlog_target(STATE, _traffic(3_000, 4.0)) == 150 * 1.5 + 20


def test_before_the_first_call_requests_set_the_backlog() -> None:
    assert backlog_target(STATE, Traffic()) == 900 + 40


@pytest.mark.parametrize(("ceiling", "jobs"), [(1, FEWEST_JOBS_AHEAD), (50, 100)])
def test_a_concurrency_cap_alone_sets_the_backlog(ceiling: int, jobs: int) -> None:
    state = replace(STATE, max_concurrent_requests=ceiling)
    assert backlog_target(state, _traffic(100, 3.0)) == jobs


def test_backlog_is_bounded_for_tiny_and_huge_quotas() -> None:
    tiny = replace(STATE, requests_per_minute=1)
    huge = replace(STATE, requests_per_minute=1_000_000, tokens_per_minute=10**9)
    assert backlog_target(tiny, Traffic()) == FEWEST_JOBS_AHEAD
    assert backlog_target(huge, Traffic()) == MOST_JOBS_AHEAD
