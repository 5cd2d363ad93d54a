"""Behind a gateway a call arrives at any moment before its reply: no minute of the provider's may
hold more than the limit, however late the calls are handed on. On virtual time.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.clocks import SteppedClock
from tests.support.engine_builders import prepared_call
from weighbridge.domain.calls import Cost
from weighbridge.engine.quota.limiter_feedback import LimiterFeedback, apply
from weighbridge.engine.quota.permits import Permit
from weighbridge.limits.limiter import Limiter, Limits, Reservation

LIMITS = Limits(30, 30_000)
COST = Cost(1, 10)
ROUND_EVERY_S = 0.25


class Sent(NamedTuple):
    """A call on its way: the reply comes after `latency_s`, and it arrives after `share` of it."""

    latency_s: float
    share: float
    is_answered: bool = True


class Gateway:
    """Sends calls as the limiter allows, and feeds back what their replies tell."""

    def __init__(self, *, says_processing: bool) -> None:
        self.says_processing = says_processing
        self.clock = SteppedClock()
        self.feedback = LimiterFeedback(self.clock)
        self.limiter = Limiter(LIMITS, self.clock.monotonic_s())
        self.arrived_s: list[float] = []
        self._replies: list[tuple[float, int, Permit, Sent]] = []

    def run(self, calls: list[Sent]) -> None:
        """Until all are answered."""
        waiting = list(calls)
        while waiting or self._replies:
            now_s = self.clock.monotonic_s()
            while self._replies and self._replies[0][0] <= now_s:
                self._ended(*heapq.heappop(self._replies)[2:])
            moved = apply(self.feedback.take(), self.limiter, now_s)
            for permit, reservation in moved.items():
                permit.reservation = reservation
            while waiting:
                granted = self.limiter.reserve(COST, now_s)
                if not isinstance(granted, Reservation):
                    break
                self._send(waiting.pop(0), granted, now_s)
                self.limiter.departed(now_s)
            self.clock.advance(ROUND_EVERY_S)

    def _send(self, call: Sent, reservation: Reservation, now_s: float) -> None:
        permit = Permit(prepared_call(10), reservation, 0, 0.0, False, now_s)
        self.feedback.began(permit)
        self.arrived_s.append(now_s + call.latency_s * call.share)
        reply = (now_s + call.latency_s, len(self.arrived_s), permit, call)
        heapq.heappush(self._replies, reply)

    def _ended(self, permit: Permit, call: Sent) -> None:
        processing_s = call.latency_s * (1 - call.share) if self.says_processing else None
        if call.is_answered:
            self.feedback.replied(permit, COST, call.latency_s, processing_s)
        else:
            self.feedback.unanswered(permit)
        self.feedback.ended(permit)

    @property
    def most_in_a_minute(self) -> int:
        """The provider's count."""
        arrived = sorted(self.arrived_s)
        return max(sum(1 for at in arrived if last - 60 < at <= last) for last in arrived)


late_start = [Sent(10.0, 0.9)] * 30 + [Sent(1.0, 0.1)] * 60
hung = [Sent(75.0, 0.9)] * 30 + [Sent(0.5, 0.0)] * 60
given_up = [Sent(40.0, 0.95, is_answered=False)] * 30 + [Sent(0.5, 0.0)] * 60
latencies = st.floats(0, 5) | st.floats(0, 100)
sent = st.builds(Sent, latencies, st.floats(0, 1), st.booleans())


@example(late_start)
@example(hung)
@example(given_up)
@given(st.lists(sent, min_size=31, max_size=120))
def test_no_minute_of_the_provider_holds_more_than_the_limit_when_arrivals_are_not_known(
    calls: list[Sent],
) -> None:
    gateway = Gateway(says_processing=False)
    gateway.run(calls)
    assert len(gateway.arrived_s) == len(calls)
    assert gateway.most_in_a_minute <= LIMITS.requests_per_minute


def test_calls_that_arrive_late_are_counted_late_where_the_reply_tells() -> None:
    gateway = Gateway(says_processing=True)
    gateway.run(late_start)
    assert gateway.most_in_a_minute <= LIMITS.requests_per_minute


def test_unknown_arrivals_cost_no_more_quota_than_the_latency() -> None:
    gateway = Gateway(says_processing=False)
    began_s = gateway.clock.monotonic_s()
    gateway.run([Sent(3.0, 0.1)] * 150)
    span_s = gateway.arrived_s[-1] - began_s
    assert 150 / span_s >= 0.9 * 30 / 63
