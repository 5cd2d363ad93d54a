"""The state of the queue in one sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.clocks import BEGINNING
from weighbridge.domain.batches import BatchesInFlight
from weighbridge.domain.budgets import THE_BUDGET_OF
from weighbridge.domain.calls import Cost
from weighbridge.domain.products import ProcessingStatus
from weighbridge.limits.limiter import Limits
from weighbridge.service.queue import QueueStatus
from weighbridge.service.views.state import Situation, batches_at_provider, outlook
from weighbridge.store.queue_state import QueueState

STATE = QueueState(
    running=True,
    paused_reason=None,
    batch_size=500,
    batch_delay_ms=60_000,
    max_concurrent_requests=None,
    pacing="batch",
    ask_together=False,
    requests_per_minute=500,
    tokens_per_minute=450_000,
    current_batch=1,
    next_batch_at=None,
)


def _look(
    pending: int = 0,
    processing: int = 0,
    completed: int = 0,
    failed: int = 0,
    used: Cost | None = None,
) -> QueueStatus:
    counts = dict(zip(ProcessingStatus, (pending, processing, completed, failed), strict=True))
    return QueueStatus(STATE, counts, used or Cost(0, 0), Limits(500, 450_000), BEGINNING)


STOPPED = replace(STATE, running=False)
WAITING = replace(STATE, next_batch_at=BEGINNING + timedelta(seconds=41))
PAUSED = replace(STATE, paused_reason="the provider does not answer")
FULL = Cost(100, 449_000)


@pytest.mark.parametrize(
    ("look", "workers", "situation", "sentence"),
    [
        (_look(), 1, Situation.EMPTY, "No products yet."),
        (
            _look(3_700, 97, 1_203),
            1,
            Situation.WORKING,
            "Processing 1,204 of 5,000 products, 42,000 an hour, done at {done}.",
        ),
        (
            _look(3_700, 97, 1_203, used=FULL),
            1,
            Situation.HELD,
            (
                "Processing 1,204 of 5,000 products, 42,000 an hour, done at {done}. "
                "Slowed down by the limit of tokens per minute."
            ),
        ),
        (
            replace(_look(4_500, completed=500), state=WAITING),
            1,
            Situation.WAITING,
            "Waiting {wait} for the next batch; 4,500 products to go.",
        ),
        (
            replace(_look(1), state=STOPPED),
            1,
            Situation.STOPPED,
            "Stopped. 1 product waits.",
        ),
        (
            replace(_look(7), state=replace(STOPPED, paused_reason="The model was shut down.")),
            1,
            Situation.STOPPED,
            "Stopped: The model was shut down.",
        ),
        (
            replace(_look(7), state=PAUSED),
            1,
            Situation.PAUSED,
            "Paused: the provider does not answer",
        ),
        (_look(7), 0, Situation.UNATTENDED, "7 products wait, and no worker is running."),
        (_look(completed=5), 1, Situation.FINISHED, "All 5 products processed."),
        (
            _look(completed=5, failed=2),
            0,
            Situation.FINISHED,
            "5 of 7 products completed; 2 failed.",
        ),
    ],
)
def test_says_how_things_stand(
    look: QueueStatus, workers: int, situation: Situation, sentence: str
) -> None:
    found = outlook(look, products_per_hour=42_000, live_workers=workers)
    assert (found.situation, found.sentence) == (situation, sentence)


def test_says_when_it_will_be_done() -> None:
    found = outlook(_look(4_200), products_per_hour=4_200, live_workers=1)
    assert found.done_at == BEGINNING + timedelta(hours=1)
    assert outlook(_look(4_200), products_per_hour=0, live_workers=1).done_at is None


def test_a_long_reason_is_a_headline_and_what_to_do() -> None:
    why = "The provider does not accept the key. Set OPENAI_API_KEY and restart."
    stopped = outlook(
        replace(_look(7), state=replace(STOPPED, paused_reason=why)),
        products_per_hour=0,
        live_workers=1,
    )
    assert stopped.sentence == "Stopped: The provider does not accept the key."
    assert stopped.remedy.startswith("Set OPENAI_API_KEY and restart. 7 products wait.")


def test_a_pause_says_what_ends_it() -> None:
    over_budget = replace(STATE, paused_reason=f"{THE_BUDGET_OF} $5.00 for a day is used up.")
    remedies = {
        outlook(replace(_look(1), state=state), products_per_hour=0, live_workers=1).remedy
        for state in (PAUSED, over_budget)
    }
    assert remedies == {
        "Weighbridge tries again by itself. Press Start to try at once.",
        (
            "Raise the budget under Settings to resume at once; otherwise processing resumes when "
            "the next day or month begins."
        ),
    }


def test_batches_at_the_provider_are_told_while_there_are_any() -> None:
    assert batches_at_provider(_look(1)) == ""
    two = replace(_look(1), batches=BatchesInFlight(2, 5_000, 1_204, BEGINNING))
    assert batches_at_provider(two).startswith(
        "2 batches are at the provider at half price: 1,204 of 5,000 requests answered."
    )
