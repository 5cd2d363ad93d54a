"""The permit handshake: what a worker asks for, what it gets, and why it may get nothing.

A worker sends a `PermitRequest`: the call as it may be sent, priced but for its output allowance.
The governor answers with a `Permit`, which says what to send. When the call has ended the worker
leaves its outcome in the permit. All three are data; `rounds.py` describes how they meet.
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
"""(name, day or month) of each cap on money that a call is committed to"""


class Held(NamedTuple):
    """A limit that everybody waits for, and for how long."""

    limit: str
    left_s: float


class PreparedCall(NamedTuple):
    """A call ready to be sent but for its output allowance, which is set with the permit.

    The allowance is set that late because answer lengths are learned while calls wait.
    """

    question: Question
    request: CallRequest
    prompt_tokens: int
    group_size: int = 1
    attempts: int = 0  # unusable answers so far: each doubles the allowance
    open_call: OpenCall | None = None  # committed with the permit, before the call can be sent
    doubt_tokens: int = 0  # so many more the prompt may have: a picture that nobody here has seen
    is_look_up: bool = False  # costs a request and no tokens


class PermitRequest(NamedTuple):
    """Asks for a permit for one call of a job.

    `single` asks for one step. `combined` asks for all steps at once; it is None where that is not
    possible, and sent instead of `single` where the stored setting says so when the permit is
    given.
    """

    job_id: int
    single: PreparedCall
    combined: PreparedCall | None = None
    steps_left: int = 1

    def to_send(self, *, ask_together: bool) -> PreparedCall:
        """The call that the setting asks for."""
        return self.combined if ask_together and self.combined else self.single


class Replied(NamedTuple):
    """The call got a reply: what the provider charged for it, and how long it took."""

    actual: Cost
    latency_s: float
    processing_s: float | None  # as the provider says; the rest was travel
    remaining: Remaining
    cost_usd: float | None = None  # None: nobody knows


class LookedUp(NamedTuple):
    """The provider answered a look-up."""


@dataclass(slots=True, eq=False)
class Permit:
    """Permission to send `call` now, with `allowance` output tokens.

    Whoever sends it sets `outcome` when the provider has answered. Without one the call counts as
    unanswered, and its reservation stays: the provider may have counted it.
    """

    call: PreparedCall
    reservation: Reservation
    allowance: int
    waited_s: float
    is_probe: bool
    began_s: float  # when it was given, on this process's clock
    lag_s: float = 0.0  # how much later the provider counted it, as far as is known
    outcome: Replied | LookedUp | None = None
    committed_usd: float = 0.0  # the most that it can cost, where money is capped
    spans: Spans = ()

    @classmethod
    def outside_limits(cls, call: PreparedCall, allowance: int, cost: Cost) -> Permit:
        """For a request that no limit by the minute counts, such as one in a batch: it waited for
        nothing, and its reservation holds no place in a window.
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
    """A request that has been waiting since `since_s`; `ready` is what its worker waits for."""

    request: PermitRequest
    since_s: float
    ready: asyncio.Future[Permit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Waiters(RankQueue[Waiter]):
    """All requests of this process, in the order in which they are served."""

    def give(self, waiter: Waiter, permit: Permit) -> bool:
        """Hand over the permit; False when nobody waits for it any more."""
        self.remove(waiter)
        if waiter.ready.done():
            return False
        waiter.ready.set_result(permit)
        return True

    def withdraw(self, waiter: Waiter) -> Permit | None:
        """Nobody waits for this any more.

        Returns a permit that was just given, to be handed back.
        """
        self.remove(waiter)
        was_given = waiter.ready.done() and not waiter.ready.cancelled()
        return waiter.ready.result() if was_given and not waiter.ready.exception() else None

    def refuse(self, waiter: Waiter, why: Exception) -> None:
        """This one gets no permit."""
        self.remove(waiter)
        if not waiter.ready.done():
            waiter.ready.set_exception(why)

    def refuse_all(self, why: Exception) -> None:
        """Nobody gets a permit."""
        for waiter in list(self):
            self.refuse(waiter, why)
