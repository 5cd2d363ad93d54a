"""The requests for permits, the permits, and the reasons why there may be none.

A worker makes a `PermitRequest` with the call as it may be sent; only its output allowance is still
missing. The governor answers with a `Permit`, which says what to send. When the call has ended, the
worker sets its outcome in the permit. `rounds.py` describes how all this is used.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.engine.quota.rank_queue import RankQueue
from weighbridge.limits.limiter import Reservation

if TYPE_CHECKING:
    from weighbridge.domain.calls import CallRequest, Cost, Remaining
    from weighbridge.errors import RequestTooLarge
    from weighbridge.steps import Question
    from weighbridge.store.open_calls import OpenCall

Spans = tuple[tuple[str, str], ...]
"""(name, span) of each cap on money that a call is committed to."""


class Held(NamedTuple):
    """A limit that all calls wait for, by its name, and the seconds left."""

    limit: str
    left_s: float


class PreparedCall(NamedTuple):
    """A call that is ready to be sent except for its output allowance. The permit sets that, as
    late as possible, because answer lengths are learned while calls wait.
    """

    question: Question
    request: CallRequest
    prompt_tokens: int
    group_size: int = 1
    attempts: int = 0  # unusable answers so far: each doubles the allowance
    open_call: OpenCall | None = None  # committed with the permit, before the call can be sent
    doubt_tokens: int = 0  # the prompt may have up to so many more: pictures of unknown size
    is_look_up: bool = False  # costs a request and no tokens


class PermitRequest(NamedTuple):
    """A request for a permit for one call of a job.

    `single` is the call for one question, `combined` the one for all questions at once; None if
    that is not possible. A stored setting decides which of them is sent, when the permit is given.
    """

    job_id: int
    single: PreparedCall
    combined: PreparedCall | None = None
    steps_left: int = 1

    def to_send(self, *, ask_together: bool) -> PreparedCall:
        """The call to send by this setting."""
        return self.combined if ask_together and self.combined else self.single


class Replied(NamedTuple):
    """Outcome of a call that got a reply: what the provider's limit was charged (`actual`), and how
    long it took.
    """

    actual: Cost
    latency_s: float
    processing_s: float | None  # how long the provider worked on it; None: it does not say
    remaining: Remaining
    cost_usd: float | None = None  # None: unknown


class LookedUp(NamedTuple):
    """Outcome of a look-up that the provider answered."""


@dataclass(slots=True, eq=False)
class Permit:
    """Permission to send `call` now, with `allowance` output tokens.

    The sender sets `outcome` when the provider has answered. Without one the call counts as
    unanswered, and its reservation stays: the provider may have counted it.
    """

    call: PreparedCall
    reservation: Reservation
    allowance: int
    waited_s: float
    is_probe: bool
    began_s: float  # when it was given, by this process's clock
    lag_s: float = 0.0  # how much later the call reached the provider, as far as is known
    outcome: Replied | LookedUp | None = None
    committed_usd: float = 0.0  # the most that it can cost, if money is capped
    spans: Spans = ()

    @classmethod
    def outside_limits(cls, call: PreparedCall, allowance: int, cost: Cost) -> Permit:
        """A permit for a request that no limit per minute counts, such as one in a batch: without a
        wait, and with a reservation that is in no window.
        """
        reservation = Reservation(at_s=0.0, cost=cost, slot=0, counted_s=0.0)
        return cls(call, reservation, allowance, waited_s=0.0, is_probe=False, began_s=0.0)

    @property
    def cost(self) -> Cost:
        """What was reserved."""
        return self.reservation.cost


class QueueStopped(Exception):
    """No new call may begin: the queue was stopped, or this process is draining."""


class JobLost(Exception):
    """This worker no longer holds the job: it was frozen for too long and another took over."""


class CallTooLarge(Exception):
    """This call costs more than a whole minute's quota. It was not sent."""

    def __init__(self, call: PreparedCall, error: RequestTooLarge) -> None:
        super().__init__(str(error))
        self.call = call
        self.error = error


@dataclass(slots=True, eq=False)
class Waiter:
    """A permit request that has been waiting since `since_s`. Its worker awaits `ready`."""

    request: PermitRequest
    since_s: float
    ready: asyncio.Future[Permit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Waiters(RankQueue[Waiter]):
    """All waiting permit requests of this process, in their order."""

    def give(self, waiter: Waiter, permit: Permit) -> bool:
        """Give the permit to the waiting worker; False if it does not wait any more."""
        self.remove(waiter)
        if waiter.ready.done():
            return False
        waiter.ready.set_result(permit)
        return True

    def withdraw(self, waiter: Waiter) -> Permit | None:
        """Remove a request whose worker was cancelled; returns its permit if one was just given,
        which the caller must return.
        """
        self.remove(waiter)
        was_given = waiter.ready.done() and not waiter.ready.cancelled()
        return waiter.ready.result() if was_given and not waiter.ready.exception() else None

    def refuse(self, waiter: Waiter, why: Exception) -> None:
        """Raise `why` in the worker that waits for this request."""
        self.remove(waiter)
        if not waiter.ready.done():
            waiter.ready.set_exception(why)

    def refuse_all(self, why: Exception) -> None:
        """Raise `why` in all workers that wait."""
        for waiter in list(self):
            self.refuse(waiter, why)
