"""The pause between batches ends when it should, whatever becomes of the wall clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.clocks import SteppedClock
from weighbridge.engine.dispatch.batch_wait import BatchWait
from weighbridge.store.queue_state import QueueState

DELAY_S = 60


def state_at(clock: SteppedClock, wait_s: float = DELAY_S) -> QueueState:
    return QueueState(
        running=True,
        paused_reason=None,
        batch_size=5,
        batch_delay_ms=DELAY_S * 1000,
        max_concurrent_requests=None,
        pacing="batch",
        ask_together=False,
        requests_per_minute=500,
        tokens_per_minute=450_000,
        current_batch=1,
        next_batch_at=clock.now() + timedelta(seconds=wait_s),
    )


def test_pause_lasts_as_long_as_stated() -> None:
    clock, wait = SteppedClock(), BatchWait()
    state = state_at(clock)
    assert wait.left_s(state, clock) == DELAY_S
    clock.advance(59)
    assert wait.left_s(state, clock) == pytest.approx(1)
    clock.advance(1)
    assert wait.left_s(state, clock) == 0


@pytest.mark.parametrize("hours", [-5, 5])
def test_wall_clock_set_in_the_middle_changes_nothing(hours: int) -> None:
    clock, wait = SteppedClock(), BatchWait()
    state = state_at(clock)
    wait.left_s(state, clock)
    clock.set_wall(hours * 3600)
    clock.advance(20)
    assert wait.left_s(state, clock) == pytest.approx(40)


def test_wall_clock_set_back_before_a_restart_costs_one_pause() -> None:
    clock = SteppedClock()
    state = state_at(clock)
    clock.set_wall(-5 * 3600)
    assert BatchWait().left_s(state, clock) == DELAY_S


def test_moment_that_was_moved_counts_at_once() -> None:
    clock, wait = SteppedClock(), BatchWait()
    wait.left_s(state_at(clock), clock)
    assert wait.left_s(state_at(clock, 0), clock) == 0
