"""Who of those in front may go now: what one round of the governor decides, by the quota and everything else.

Nothing is carried out here: that comes when the round's transaction is committed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.engine.quota.permits import JobLost
from weighbridge.errors import RequestTooLarge
from weighbridge.limits.circuit_breaker import PausedUntil, Probe
from weighbridge.limits.limiter import NotBefore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.clock import Clock
    from weighbridge.engine.quota.circuit_breaker import QueueBreaker
    from weighbridge.engine.quota.concurrency_cap import Room
    from weighbridge.engine.quota.permits import Waiter
    from weighbridge.limits.limiter import Limiter, Reservation


class Leave(NamedTuple):
    """This one may go."""

    waiter: Waiter
    reservation: Reservation
    is_probe: bool


@dataclass(slots=True)
class Decision:
    """Who may go, who never will, and how long until the next round; None when only an event helps."""

    leaves: list[Leave] = field(default_factory=list)
    refusals: list[tuple[Waiter, Exception]] = field(default_factory=list)
    wait_s: float | None = 0.0


def reserve(
    candidates: Sequence[Waiter],
    held: frozenset[int],
    room: Room,
    breaker: QueueBreaker,
    limiter: Limiter,
    now_s: float,
    clock: Clock,
) -> Decision:
    """Reserve in order until something does not fit; a big one is never overtaken by small ones.

    `held` are the jobs that are still ours, `now_s` is the limiter's time.
    """
    decision = Decision()
    for waiter in candidates:
        if waiter.job_id not in held:
            decision.refusals.append((waiter, JobLost()))
            continue
        if len(decision.leaves) >= room.calls:
            decision.wait_s = room.look_again_s
            break
        permission = breaker.permission()
        if permission is None:
            decision.wait_s = None  # the probe's end wakes us
            break
        if isinstance(permission, PausedUntil):
            decision.wait_s = permission.at_s - clock.monotonic_s()
            break
        try:
            outcome = limiter.reserve(waiter.price(), now_s)
        except RequestTooLarge as error:
            decision.refusals.append((waiter, error))
            continue
        if isinstance(outcome, NotBefore):
            decision.wait_s = outcome.at_s - now_s
            break
        breaker.probing = isinstance(permission, Probe)
        decision.leaves.append(Leave(waiter, outcome, breaker.probing))
    return decision
