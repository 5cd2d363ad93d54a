"""Which requests get a permit: the decision of one round, without a database or a clock."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.engine_builders import (
    QUESTIONS,
    NoAllowance,
    permit_request,
    prepared_call,
)
from weighbridge.domain.budgets import Budget
from weighbridge.domain.calls import Cost, Price
from weighbridge.engine.quota.concurrency_cap import UNLIMITED, Room
from weighbridge.engine.quota.permits import CallTooLarge, JobLost, PermitRequest, Waiter
from weighbridge.engine.quota.reserving import Conditions, price, reserve
from weighbridge.engine.quota.spending import Money
from weighbridge.limits.circuit_breaker import GoAhead, PausedUntil, Probe
from weighbridge.limits.limiter import Limiter, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.engine.quota.reserving import Decision

pytestmark = pytest.mark.anyio

NOW_S = 1_000.0
CONDITIONS = Conditions(
    held=frozenset({1, 2, 3}),
    room=UNLIMITED,
    permission=GoAhead(),
    ask_together=False,
    money=Money(math.inf, (), Price(1.0, 0.1, 2.0), None),
    now_s=NOW_S,
    process_s=50.0,
)


class TenTokens:
    """An allowance that shows what it was asked for."""

    def allowance(self, step: str, group_size: int, attempts: int = 0) -> int:
        """Ten for each product, doubled with each attempt."""
        return 10 * group_size << attempts


def waiting(*requests: PermitRequest) -> list[Waiter]:
    """They wait, in this order."""
    ready = asyncio.get_running_loop().create_future
    return [Waiter(request, 0.0, ready()) for request in requests]


def decide(
    waiters: Sequence[Waiter], conditions: Conditions = CONDITIONS, tokens_per_minute: int = 450_000
) -> Decision:
    limiter = Limiter(Limits(500, tokens_per_minute), NOW_S)
    return reserve(waiters, conditions, limiter, NoAllowance())


async def test_requests_are_served_in_order_until_one_does_not_fit() -> None:
    # A first burst is four seconds' worth of quota: 4,000 tokens here, less what jitter may need.
    waiters = waiting(permit_request(1, 3_000), permit_request(2, 50_000), permit_request(3, 1))
    decision = decide(waiters, tokens_per_minute=60_000)
    assert [selected.waiter for selected in decision.selected] == waiters[:1]
    assert decision.refusals == []
    assert decision.wait_s is not None
    assert decision.wait_s > 0


async def test_a_lost_job_gets_no_permit_and_does_not_hold_up_the_others() -> None:
    waiters = waiting(permit_request(9, 100), permit_request(1, 100))
    decision = decide(waiters)
    assert [type(why) for _, why in decision.refusals] == [JobLost]
    assert [selected.waiter for selected in decision.selected] == waiters[1:]


async def test_a_call_larger_than_a_minutes_quota_is_refused_and_says_which_it_was() -> None:
    waiters = waiting(permit_request(1, 2_000), permit_request(2, 10))
    decision = decide(waiters, tokens_per_minute=1_000)
    [(waiter, why)] = decision.refusals
    assert waiter is waiters[0]
    assert isinstance(why, CallTooLarge)
    assert why.call is waiters[0].request.single
    assert "2,000 tokens" in str(why)
    assert len(decision.selected) == 1


async def test_no_more_permits_than_the_concurrency_cap_leaves() -> None:
    waiters = waiting(*(permit_request(1, 10) for _ in range(3)))
    decision = decide(waiters, replace(CONDITIONS, room=Room(2, look_again_s=0.2)))
    assert len(decision.selected) == 2
    assert decision.wait_s == 0.2


async def test_a_paused_queue_waits_for_the_end_of_the_pause_on_the_clock_of_this_process() -> None:
    waiters = waiting(permit_request(1, 10))
    decision = decide(waiters, replace(CONDITIONS, permission=PausedUntil(53.0)))
    assert decision.selected == []
    assert decision.wait_s == 3.0


async def test_one_request_probes_and_the_others_wait_for_its_end() -> None:
    waiters = waiting(permit_request(9, 10), permit_request(1, 10), permit_request(2, 10))
    decision = decide(waiters, replace(CONDITIONS, permission=Probe()))
    assert [(s.waiter, s.is_probe) for s in decision.selected] == [(waiters[1], True)]
    assert decision.wait_s is None


async def test_while_a_probe_is_in_flight_nothing_goes() -> None:
    decision = decide(waiting(permit_request(1, 10)), replace(CONDITIONS, permission=None))
    assert decision.selected == []
    assert decision.wait_s is None


@pytest.mark.parametrize("ask_together", [True, False])
async def test_the_stored_setting_says_which_of_the_two_prepared_calls_goes(
    ask_together: bool,
) -> None:
    single, combined = prepared_call(10), prepared_call(20)._replace(question=QUESTIONS.together)
    waiters = waiting(PermitRequest(1, single, combined), PermitRequest(1, single))
    decision = decide(waiters, replace(CONDITIONS, ask_together=ask_together))
    assert [s.call for s in decision.selected] == [combined if ask_together else single, single]
    assert [s.reservation.cost.tokens for s in decision.selected] == [
        20 if ask_together else 10,
        10,
    ]


def test_a_price_is_the_prompt_and_the_allowance_of_this_moment() -> None:
    call = prepared_call(100)._replace(group_size=3, attempts=1)
    assert price(call, TenTokens()) == (Cost(1, 160), 60)


def test_a_look_up_costs_a_request_and_no_tokens() -> None:
    look_up = prepared_call(0)._replace(is_look_up=True)
    assert price(look_up, TenTokens()) == (Cost(1, 0), 0)


async def test_calls_go_while_the_most_that_they_can_cost_fits_the_budget() -> None:
    price = Price(input_usd=1.0, cached_input_usd=0.1, output_usd=2.0, cache_write_usd=1.25)
    cap = Budget("day", cap_usd=0.01, committed_usd=0.0, span="2026-11-27")
    money = Money(cap.left_usd, (("day", cap.span),), price, cap)
    waiters = waiting(*(permit_request(1, 3_000) for _ in range(3)))
    decision = decide(waiters, replace(CONDITIONS, money=money))
    most_usd = 3_000 * 1.1 * 1.25 / 1e6  # as if all of it were written to the cache
    assert [selected.most_usd for selected in decision.selected] == pytest.approx([most_usd] * 2)
    assert decision.unpaid_usd == pytest.approx(most_usd)
    assert "$0.01 for a day" in money.why_not(most_usd, "a model")
    unseen = prepared_call(3_000)._replace(doubt_tokens=1_000)
    assert money.most_usd(unseen, 0) == pytest.approx(most_usd * 4 / 3)
