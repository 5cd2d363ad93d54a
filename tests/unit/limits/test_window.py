"""The configured limit's memory: what counts, until when, and what is kept of it."""

from __future__ import annotations

from weighbridge.domain.calls import Cost
from weighbridge.limits.window import Window


def test_a_charge_counts_for_a_minute_and_a_margin_after_the_last_of_its_slot() -> None:
    window = Window()
    window.charge(Cost(1, 100), 1_000.01)
    window.charge(Cost(2, 200), 1_000.15)
    window.forget(1_060.34)
    assert (window.requests, window.tokens) == (3, 300)
    assert window.room_at_s(0, 0) == 1_060.351
    window.forget(1_060.351)
    assert (window.requests, window.tokens) == (0, 0)


def test_the_oldest_charges_expire_first() -> None:
    window = Window()
    for second in range(5):
        window.charge(Cost(1, 100), 1_000.0 + second)
    assert window.room_at_s(3, 1_000) == 1_061.201
    assert window.room_at_s(4, 150) == 1_063.201


def test_a_correction_finds_its_slot_and_never_goes_negative() -> None:
    window = Window()
    first = window.charge(Cost(1, 100), 1_000.0)
    window.charge(Cost(1, 100), 1_005.0)
    window.correct(first, -5, 50)
    assert (window.requests, window.tokens) == (1, 250)
    window.correct(first + 1, -1, -1)  # nothing was charged there
    assert (window.requests, window.tokens) == (1, 250)


def test_an_out_of_order_charge_joins_the_last_slot() -> None:
    window = Window()
    slot = window.charge(Cost(1, 100), 1_000.5)
    assert window.charge(Cost(1, 100), 1_000.1) == slot
    assert window.charged_since(1_000.49) == (2, 200)


def test_time_may_start_at_zero() -> None:
    window = Window()
    assert window.charge(Cost(1, 1), 0.0) == 0
    assert (window.requests, window.tokens) == (1, 1)


def test_a_busy_window_stays_accurate_for_weeks() -> None:
    window = Window()
    start_s = 1_700_000_000.0
    for minute in range(36_000):
        now_s = start_s + minute * 59.0
        window.forget(now_s)
        window.charge(Cost(1, 1), now_s)
    window.charge(Cost(1, 1), start_s + 26 * 86_400)
    window.forget(start_s + 26 * 86_400)
    assert (window.requests, window.tokens) == (1, 1)
    assert window.charged_since(start_s + 26 * 86_400 - 1) == (1, 1)


def test_a_window_round_trips() -> None:
    window = Window()
    for step in range(400):
        window.charge(Cost(step % 3, step), 1_000.0 + step * 0.07)
    again = Window.load(memoryview(window.dump()))
    assert again.dump() == window.dump()
    assert (again.requests, again.tokens) == (window.requests, window.tokens)
    assert again.charged_since(1_010.0) == window.charged_since(1_010.0)
