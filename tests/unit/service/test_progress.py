"""Time left counts the pauses between batches, those behind and those to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from weighbridge.domain.calls import Cost
from weighbridge.domain.products import ProcessingStatus
from weighbridge.limits.limiter import Limits
from weighbridge.service.queue import QueueStatus
from weighbridge.service.statistics import Progress
from weighbridge.store.calls import CallTotals
from weighbridge.store.queue_state import QueueState

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def progress(
    *, pending: int, processing: int, completed: int, wait_s: float | None, pacing: str = "batch"
) -> Progress:
    state = QueueState(
        running=True,
        paused_reason=None,
        batch_size=100,
        batch_delay_ms=60_000,
        max_concurrent_requests=None,
        pacing=pacing,
        ask_together=False,
        requests_per_minute=500,
        tokens_per_minute=450_000,
        current_batch=1,
        next_batch_at=None if wait_s is None else NOW + timedelta(seconds=wait_s),
    )
    counts = {
        ProcessingStatus.PENDING: pending,
        ProcessingStatus.PROCESSING: processing,
        ProcessingStatus.COMPLETED: completed,
        ProcessingStatus.FAILED: 0,
    }
    status = QueueStatus(state, counts, Cost(0, 0), Limits(500, 450_000), NOW)
    totals = CallTotals(*([0] * len(CallTotals.__dataclass_fields__)))
    return Progress(status, totals, 0, 70.0, 20.0)


def test_pauses_to_come_are_counted() -> None:
    look = progress(pending=200, processing=0, completed=100, wait_s=41)
    assert look.batch_wait_s == 41
    assert look.eta_s == pytest.approx(200 * 0.5 + 41 + 60)


def test_pause_before_every_batch_but_the_one_under_way() -> None:
    look = progress(pending=200, processing=50, completed=50, wait_s=None)
    assert look.batch_wait_s is None
    assert look.eta_s == pytest.approx(250 * 1.0 + 120)


def test_continuous_pacing_has_no_pauses() -> None:
    look = progress(pending=50, processing=50, completed=100, wait_s=None, pacing="continuous")
    assert look.eta_s == pytest.approx(100 * 0.5)


def test_nothing_is_foretold_before_the_first_product() -> None:
    assert progress(pending=10, processing=5, completed=0, wait_s=None).eta_s is None
