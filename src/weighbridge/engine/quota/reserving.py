"""Which requests get a permit now: the decision of one round, as a function of what the round
found.

Nothing is carried out here: that comes when the round's transaction is committed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from weighbridge.domain.calls import Cost
from weighbridge.engine.quota.permits import CallTooLarge, JobLost
from weighbridge.errors import RequestTooLarge
from weighbridge.limits.circuit_breaker import PausedUntil, Probe
from weighbridge.limits.limiter import NotBefore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.engine.quota.concurrency_cap import Room
    from weighbridge.engine.quota.permits import PreparedCall, Waiter
    from weighbridge.engine.quota.spending import Money
    from weighbridge.limits.circuit_breaker import GoAhead
    from weighbridge.limits.limiter import Limiter, Reservation

LOOK_FOR_MONEY_S: Final = 1.0
"""Pause before a used-up budget is checked again: ending calls return money, caps may be raised."""


class Allowances(Protocol):
    """Output tokens to allow for an answer, learned from earlier ones."""

    def allowance(self, step: str, group_size: int, attempts: int = 0) -> int:
        """More after every attempt that failed."""
        ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a round found once the account's row was locked.

    `permission` is the circuit breaker's; None while only the end of a probe can tell.
    """

    held: frozenset[int]  # jobs that are still ours
    room: Room  # what the concurrency cap leaves
    permission: GoAhead | Probe | PausedUntil | None
    ask_together: bool
    money: Money
    now_s: float  # the limiter's time
    process_s: float  # this process's clock, by which a pause ends


class Selected(NamedTuple):
    """This request gets a permit for `call`."""

    waiter: Waiter
    call: PreparedCall
    reservation: Reservation
    allowance: int
    is_probe: bool
    most_usd: float = 0.0


@dataclass(slots=True)
class Decision:
    """Who gets a permit, who never will, and how long until the next round.

    `wait_s` is None when only an event helps: a call that ends, a new request. `limit` is what the
    first one that does not fit has to wait for.
    """

    selected: list[Selected] = field(default_factory=list)
    refusals: list[tuple[Waiter, Exception]] = field(default_factory=list)
    wait_s: float | None = 0.0
    limit: str = ""
    unpaid_usd: float | None = None
    """Most that the first call may cost for which the budget has no room; None: all had room."""


def reserve(
    candidates: Sequence[Waiter],
    conditions: Conditions,
    limiter: Limiter,
    allowances: Allowances,
) -> Decision:
    """Reserve in order until something does not fit; small calls never overtake a large one."""
    decision = Decision()
    is_probe = isinstance(conditions.permission, Probe)
    committed_usd = 0.0
    for waiter in candidates:
        if waiter.request.job_id not in conditions.held:
            decision.refusals.append((waiter, JobLost()))
            continue
        if len(decision.selected) >= conditions.room.calls:
            decision.wait_s = conditions.room.look_again_s
            break
        if conditions.permission is None or (is_probe and decision.selected):
            decision.wait_s = None  # the end of the probe wakes us
            break
        if isinstance(conditions.permission, PausedUntil):
            decision.wait_s = conditions.permission.at_s - conditions.process_s
            break
        call = waiter.request.to_send(ask_together=conditions.ask_together)
        cost, allowance = price(call, allowances)
        usd = conditions.money.most_usd(call, allowance)
        if committed_usd + usd > conditions.money.left_usd:
            decision.wait_s, decision.unpaid_usd = LOOK_FOR_MONEY_S, usd
            break
        try:
            outcome = limiter.reserve(cost, conditions.now_s)
        except RequestTooLarge as error:
            decision.refusals.append((waiter, CallTooLarge(call, error)))
            continue
        if isinstance(outcome, NotBefore):
            decision.wait_s = outcome.at_s - conditions.now_s
            decision.limit = outcome.limit
            break
        committed_usd += usd
        decision.selected.append(Selected(waiter, call, outcome, allowance, is_probe, usd))
    return decision


def price(call: PreparedCall, allowances: Allowances) -> tuple[Cost, int]:
    """What the call takes from the quota, and how much of it is allowed for the answer."""
    if call.is_look_up:
        return Cost(1, 0), 0
    allowance = allowances.allowance(call.question.name, call.group_size, call.attempts)
    return Cost(1, call.prompt_tokens + allowance), allowance
