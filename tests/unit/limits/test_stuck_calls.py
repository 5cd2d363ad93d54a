"""A call that fails while others pass is told from an outage that hits them all."""

from __future__ import annotations

import random

from weighbridge.errors import ProviderOverloaded
from weighbridge.limits.retries import GiveUp, Split, Wait, decide
from weighbridge.limits.stuck_calls import (
    BILLED_TIMES_OF_A_GROUP,
    LEAST_PASSED,
    TIMES_OF_A_GROUP,
    TIMES_OF_ONE,
    StuckCalls,
    StuckHistory,
)

DOWN = ProviderOverloaded("llm.example (500) is unavailable: it crashed.")


def test_a_product_that_always_fails_while_others_pass_is_failed_with_the_servers_words() -> None:
    calls = StuckCalls()
    actions = []
    for _ in range(TIMES_OF_ONE):
        history = calls.failed(1)
        actions.append(decide(DOWN, history.times - 1, 1, 0.5, unanswered=history))
        calls.passed(2)
    assert all(isinstance(action, Wait) for action in actions[:-1])
    assert isinstance(actions[-1], GiveUp)
    assert "it crashed" in actions[-1].reason
    assert f"{TIMES_OF_ONE} times in a row" in actions[-1].reason


def test_a_group_is_halved_long_before() -> None:
    history = StuckHistory(TIMES_OF_A_GROUP, LEAST_PASSED, 0)
    assert isinstance(decide(DOWN, 4, 8, 0.5, unanswered=history), Split)


def test_the_last_call_of_a_run_is_given_up_though_nothing_else_is_sent() -> None:
    calls = StuckCalls()
    for _ in range(LEAST_PASSED):
        calls.passed(0)
    stuck = [calls.failed(1).is_stuck(in_company=False) for _ in range(2 * TIMES_OF_ONE)]
    assert stuck == [False] * (2 * TIMES_OF_ONE - 1) + [True]


def test_a_provider_that_never_answered_is_waited_for() -> None:
    calls = StuckCalls()
    assert not any(calls.failed(1).is_stuck(in_company=False) for _ in range(500))


def test_an_outage_is_waited_out_however_long_it_takes() -> None:
    calls = StuckCalls()
    for _ in range(50):
        calls.passed(0)
    for _ in range(500):
        assert not any(calls.failed(job).is_stuck(in_company=False) for job in range(5))


def test_a_provider_that_fails_most_calls_at_random_fails_no_product() -> None:
    chance = random.Random(1)
    calls, failed = StuckCalls(), 0
    for job in range(300):
        while chance.random() < 0.8:
            failed += calls.failed(job).is_stuck(in_company=False)
            if chance.random() < 0.2:
                calls.passed(-1)
            else:
                calls.failed(-2)
        calls.passed(job)
    assert not failed


def test_products_that_draw_empty_replies_do_not_vouch_for_each_other() -> None:
    calls, convicted = StuckCalls(), set[int]()
    for product in range(20):
        calls.failed(product, [product], is_billed=True)
        calls.passed(100 + product)
    for _ in range(40):
        for product in set(range(5)) - convicted:
            if calls.failed(product, [product], is_billed=True).is_stuck(in_company=False):
                convicted.add(product)
                calls.forget(product)
        for product in range(5, 20):
            calls.passed(product, [product])
    assert convicted == set(range(5))


def test_what_passed_beside_a_group_speaks_about_its_products_too() -> None:
    calls = StuckCalls()
    group = [1, 2, 3]
    histories = [calls.failed(7, group, is_billed=True) for _ in range(BILLED_TIMES_OF_A_GROUP)]
    for other in range(LEAST_PASSED):
        calls.passed(other)
    assert not histories[-1].is_suspect
    assert calls.failed(8, [1], is_billed=True).is_suspect


def test_empty_replies_to_everything_convict_nobody() -> None:
    calls = StuckCalls()
    for _ in range(50):
        calls.passed(0)
    for _ in range(100):
        histories = [calls.failed(job, [job], is_billed=True) for job in range(5)]
        assert not any(history.is_stuck(in_company=False) for history in histories)
        assert not any(history.is_suspect for history in histories)


def test_a_group_of_empty_replies_is_halved_once_the_provider_has_answered_others() -> None:
    calls = StuckCalls()
    assert not any(
        calls.failed(1, [1, 2], is_billed=True).is_stuck(in_company=True) for _ in range(50)
    )
    for other in range(LEAST_PASSED):
        calls.passed(10 + other)
    assert calls.failed(1, [1, 2], is_billed=True).is_stuck(in_company=True)
