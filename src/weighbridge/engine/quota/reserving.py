"""Decides which requests get a permit in a round, from what the round has read. Pure: the decision
is carried out when the round's transaction is committed.
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
"""Time before a used-up budget is checked again: calls that end give money back, and caps may be
raised.
"""


class Allowances(Protocol):
    """The output allowances of calls, learned from earlier answers."""

    def allowance(self, step: str, group_size: int, attempts: int = 0) -> int:
        """Output tokens to allow for an answer about so many products; more after every failed
        attempt.
        """
        ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a round has read after locking the account's row.

    `permission` is the circuit breaker's; None: no call until a call in flight has ended.
    """

    held: frozenset[int]  # jobs that are still ours
    room: Room  # what the concurrency cap leaves
    permission: GoAhead | Probe | PausedUntil | None
    ask_together: bool
    money: Money
    now_s: float  # the limiter's time
    process_s: float  # the time of this process's clock, by which pauses are timed


class Selected(NamedTuple):
    """A request that gets a permit for `call`, which can cost `most_usd` at most."""

    waiter: Waiter
    call: PreparedCall
    reservation: Reservation
    allowance: int
    is_probe: bool
    most_usd: float = 0.0


@dataclass(slots=True)
class Decision:
    """Which requests get a permit, which are refused for good, and the seconds until the next
    round.

    `wait_s` is None if only a finished call or a new request can change anything. `limit` names the
    limit that the first request without a permit waits for.
    """

    selected: list[Selected] = field(default_factory=list)
    refusals: list[tuple[Waiter, Exception]] = field(default_factory=list)
    wait_s: float | None = 0.0
    limit: str = ""
    unpaid_usd: float | None = None
    """The most that the first call for which the budget has no room can cost; None if the budget
    had room for all.
    """


def reserve(
    candidates: Sequence[Waiter],
    conditions: Conditions,
    limiter: Limiter,
    allowances: Allowances,
) -> Decision:
    """Reserve quota for the candidates in their order, up to the first that has to wait: small
    calls must not overtake a large one.
    """
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
    """What the call takes from the quota, and the part of it that is the output allowance."""
    if call.is_look_up:
        return Cost(1, 0), 0
    allowance = allowances.allowance(call.question.name, call.group_size, call.attempts)
    return Cost(1, call.prompt_tokens + allowance), allowance
