"""What is told, from one look at the database to the next."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from weighbridge.domain.notices import (
    LONG_AGO,
    Halt,
    Look,
    NoticeKind,
    Told,
    body_of,
    compare,
    next_try,
)
from weighbridge.domain.products import ProcessingStatus

QUIET = Told(busy=False, last_call=7, last_result=LONG_AGO, halt=Halt.NONE)
IDLE = Look(idle=True, last_call=7, last_result=LONG_AGO, halt=Halt.NONE)
BUSY = replace(IDLE, idle=False)


def told_in_turn(*looks: Look) -> list[NoticeKind]:
    told, kinds = QUIET, []
    for look in looks:
        happened, told = compare(told, look)
        kinds += happened
    return kinds


def test_the_end_of_work_is_told_once() -> None:
    assert told_in_turn(IDLE, BUSY, BUSY, IDLE, IDLE) == [NoticeKind.FINISHED]


@pytest.mark.parametrize(
    "done",
    [
        replace(IDLE, last_call=8),
        replace(IDLE, last_result=LONG_AGO + timedelta(seconds=1)),
    ],
)
def test_work_that_began_and_ended_between_two_looks_is_told(done: Look) -> None:
    assert told_in_turn(IDLE, done, done) == [NoticeKind.FINISHED]


@pytest.mark.parametrize(
    ("halt", "kind"),
    [
        (Halt.PAUSED, NoticeKind.PAUSED),
        (Halt.STOPPED, NoticeKind.PAUSED),
        (Halt.BUDGET, NoticeKind.BUDGET_REACHED),
    ],
)
def test_a_halt_is_told_once_and_again_after_it_was_over(halt: Halt, kind: NoticeKind) -> None:
    halted = replace(BUSY, halt=halt, reason="why")
    assert told_in_turn(halted, halted, BUSY, halted) == [kind, kind]


def test_a_pause_that_becomes_a_stop_is_told_as_well() -> None:
    looks = [replace(BUSY, halt=halt) for halt in (Halt.PAUSED, Halt.STOPPED)]
    assert told_in_turn(*looks) == [NoticeKind.PAUSED, NoticeKind.PAUSED]


def test_tries_go_on_for_a_day_and_then_end() -> None:
    waits = [next_try(attempts) for attempts in range(1, 13)]
    assert waits[-1] is None
    kept = [wait for wait in waits if wait is not None]
    assert timedelta(hours=23) < sum(kept, timedelta()) <= timedelta(hours=26)


def test_the_payload_says_who_answered_and_whether_it_goes_on() -> None:
    counts = dict.fromkeys(ProcessingStatus, 3)
    body = body_of(
        NoticeKind.PAUSED, LONG_AGO, counts, reason="no key", halt=Halt.STOPPED, simulated=True
    )
    document = json.loads(body)
    assert document["type"] == "queue.paused"
    assert document["data"]["products"] == {status.value: 3 for status in ProcessingStatus}
    assert document["data"]["simulated"] is True
    assert document["data"]["resumesByItself"] is False
    finished = json.loads(body_of(NoticeKind.FINISHED, LONG_AGO, counts, simulated=True))
    assert "3 failed (answers of the simulator)" in finished["data"]["message"]
