"""What calls teach about the quota is records, applied to whichever limiter the next round has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.engine_builders import permit
from weighbridge.clock import SystemClock
from weighbridge.domain.calls import Cost
from weighbridge.engine.quota.limiter_feedback import (
    ArrivedBy,
    Delayed,
    LimiterFeedback,
    LimitHit,
    Settled,
    apply,
)
from weighbridge.limits.limiter import Limiter, Limits, NotBefore, Reservation

if TYPE_CHECKING:
    from weighbridge.engine.quota.limiter_feedback import Feedback
    from weighbridge.engine.quota.permits import Permit

LIMITS = Limits(500, 450_000)
NOW_S = 1_000.0


def reserved(limiter: Limiter, tokens: int) -> Permit:
    reservation = limiter.reserve(Cost(1, tokens), NOW_S)
    assert isinstance(reservation, Reservation)
    given = permit(tokens, NOW_S, 0)
    given.reservation = reservation
    return given


def test_what_a_call_took_corrects_its_reservation() -> None:
    limiter = Limiter(LIMITS, NOW_S)
    given = reserved(limiter, 1_000)
    assert apply([Settled(given, Cost(1, 600))], limiter, NOW_S + 1) == {}
    assert limiter.used(NOW_S + 1) == Cost(1, 600)


def test_a_delayed_call_counts_later_and_what_follows_finds_it_there() -> None:
    limiter = Limiter(LIMITS, NOW_S)
    given = reserved(limiter, 1_000)
    records: list[Feedback] = [Delayed(given, 5.0), Settled(given, Cost(1, 600))]
    moved = apply(records, limiter, NOW_S + 10)
    assert moved[given].counted_s == NOW_S + 5
    assert limiter.used(NOW_S + 64) == Cost(1, 600)
    assert limiter.used(NOW_S + 66) == Cost(0, 0)


def test_applying_leaves_the_permits_alone_so_that_a_failed_round_can_be_repeated() -> None:
    limiter = Limiter(LIMITS, NOW_S)
    given = reserved(limiter, 1_000)
    before, stored = given.reservation, limiter.dump()
    results = []
    for _ in range(2):
        again = Limiter.load(stored, LIMITS)
        apply([Delayed(given, 5.0), Settled(given, Cost(1, 600))], again, NOW_S + 10)
        results.append(again.dump())
    assert given.reservation is before
    assert results[0] == results[1]


def test_a_refused_call_is_not_charged_and_holds_the_next_ones_back() -> None:
    limiter = Limiter(LIMITS, NOW_S)
    given = reserved(limiter, 1_000)
    apply([LimitHit(given, 2.0)], limiter, NOW_S + 0.1)
    assert limiter.used(NOW_S + 0.1) == Cost(0, 0)
    assert isinstance(limiter.reserve(Cost(1, 10), NOW_S + 0.2), NotBefore)


def test_an_arrival_that_is_not_known_is_charged_until_a_minute_after_the_reply() -> None:
    limiter = Limiter(LIMITS, NOW_S)
    given = reserved(limiter, 1_000)
    moved = apply([ArrivedBy(given, 5.0), Settled(given, Cost(1, 600))], limiter, NOW_S + 10)
    assert (moved[given].counted_s, moved[given].latest_s) == (NOW_S, NOW_S + 5)
    assert limiter.used(NOW_S + 64) == Cost(1, 600)
    assert limiter.used(NOW_S + 66) == Cost(0, 0)


def test_records_that_were_put_back_come_before_newer_ones() -> None:
    feedback = LimiterFeedback(SystemClock())
    first, second = permit(1, NOW_S, 0), permit(2, NOW_S, 0)
    feedback.refused(first, None)
    taken = feedback.take()
    assert feedback.due_in_s is None
    feedback.refused(second, None)
    feedback.put_back(taken)
    assert feedback.take() == [LimitHit(first, None), LimitHit(second, None)]
