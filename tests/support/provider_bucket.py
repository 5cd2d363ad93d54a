"""A provider's admission control, by its own books: two token buckets, and headers as OpenAI sends
them.

Independent of `weighbridge.limits` on purpose: a shared mistake must not cancel itself out. `Rush`
drives a crowd of identical calls through a limiter against it, on virtual time.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.domain.calls import Cost, Remaining
from weighbridge.limits.limiter import Limiter, Reservation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Budget:
    """A token bucket: `per_minute` refills evenly, at most `burst_s` seconds' worth is there at
    once.
    """

    per_minute: int
    burst_s: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.capacity

    @property
    def capacity(self) -> float:
        return self.per_minute * self.burst_s / 60

    def refill(self, elapsed_s: float) -> None:
        self.level = min(self.capacity, self.level + self.per_minute * elapsed_s / 60)

    def change(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.level = min(self.level, self.capacity)

    @property
    def reset_s(self) -> float:
        """Time until full."""
        return (self.capacity - self.level) * 60 / self.per_minute


@dataclass
class Verdict:
    """What became of a call at the provider's door."""

    admitted: bool
    headers: Remaining
    retry_after_s: float = 0.0


class ProviderBucket:
    """Admits calls while both budgets last; counts everything that arrived.

    `headers` is `level` (limit per minute, what is left in the bucket, time until it is full),
    `minute` (what is left is told of a minute's budget, and the smaller burst is kept secret) or
    `none`.
    """

    def __init__(
        self,
        requests_per_minute: int,
        tokens_per_minute: int,
        burst_s: float = 60.0,
        headers: str = "level",
    ) -> None:
        self.requests = Budget(requests_per_minute, burst_s)
        self.tokens = Budget(tokens_per_minute, burst_s)
        self.headers = headers
        self.arrivals: list[tuple[float, int]] = []  # ours: when, tokens (0: refused)
        self.admitted_elsewhere: list[float] = []
        self._minute = (Budget(requests_per_minute, 60.0), Budget(tokens_per_minute, 60.0))
        self._at_s = 0.0

    def arrive(self, now_s: float, tokens: int, *, ours: bool = True) -> Verdict:
        """A call of `tokens` (prompt + output allowance) is at the door."""
        for budget in (self.requests, self.tokens, *self._minute):
            budget.refill(now_s - self._at_s)
        self._at_s = now_s
        admitted = self.requests.level >= 1 and self.tokens.level >= tokens
        retry_after_s = 0.0
        if admitted:
            for budgets in ((self.requests, self.tokens), self._minute):
                budgets[0].level -= 1
                budgets[1].level -= tokens
        else:
            retry_after_s = max(
                (1 - self.requests.level) * 60 / self.requests.per_minute,
                (tokens - self.tokens.level) * 60 / self.tokens.per_minute,
            )
        if ours:
            self.arrivals.append((now_s, tokens if admitted else 0))
        elif admitted:
            self.admitted_elsewhere.append(now_s)
        return Verdict(admitted, self._told(), retry_after_s)

    def change(self, requests_per_minute: int, tokens_per_minute: int) -> None:
        """The account's limits are changed, with all that follows for the levels."""
        for budgets in ((self.requests, self.tokens), self._minute):
            budgets[0].change(requests_per_minute)
            budgets[1].change(tokens_per_minute)

    def _told(self) -> Remaining:
        if self.headers == "none":
            return Remaining()
        requests, tokens = (
            self._minute if self.headers == "minute" else (self.requests, self.tokens)
        )
        return Remaining(
            requests_limit=requests.per_minute,
            requests_remaining=max(0, math.floor(requests.level)),
            requests_reset_s=round(requests.reset_s, 3),
            tokens_limit=tokens.per_minute,
            tokens_remaining=max(0, math.floor(tokens.level)),
            tokens_reset_s=round(tokens.reset_s, 3),
        )

    def admitted_at(self) -> list[float]:
        """When our calls were admitted."""
        return [at_s for at_s, tokens in self.arrivals if tokens]

    def refusals(self) -> int:
        """How many of our calls were refused."""
        return sum(1 for _, tokens in self.arrivals if not tokens)

    def busiest_minute(self) -> tuple[int, int]:
        """The most requests and tokens of ours that were admitted in any sliding 60 s."""
        most_requests = most_tokens = first = tokens_now = 0
        admitted = [(at_s, tokens) for at_s, tokens in self.arrivals if tokens]
        for index, (at_s, tokens) in enumerate(admitted):
            tokens_now += tokens
            while admitted[first][0] <= at_s - 60:
                tokens_now -= admitted[first][1]
                first += 1
            most_requests = max(most_requests, index - first + 1)
            most_tokens = max(most_tokens, tokens_now)
        return most_requests, most_tokens


def least_time_s(
    calls: int,
    tokens: int,
    provider: ProviderBucket,
    requests_per_minute: int,
    tokens_per_minute: int,
) -> float:
    """When the last of `calls` could be admitted at best, by the buckets and the configured
    window.
    """
    window = min(requests_per_minute, tokens_per_minute // tokens)
    burst = min(provider.requests.capacity, provider.tokens.capacity / tokens)
    rate = min(provider.requests.per_minute / 60, provider.tokens.per_minute / 60 / tokens)
    at_s: list[float] = []
    level, last_s = burst, 0.0
    for index in range(calls):
        now_s = max(last_s, at_s[index - window] + 60 if index >= window else 0.0)
        level = min(burst, level + (now_s - last_s) * rate)
        if level < 1:
            now_s += (1 - level) / rate
            level = 1.0
        level -= 1
        last_s = now_s
        at_s.append(now_s)
    return last_s


class Rush:
    """Calls of one size wait in a line, go when the limiter lets them, and come back when refused.

    `way_s` bounds the time on the network; replies take a lognormal time. Before `start_up_s` no
    call leaves.
    """

    def __init__(
        self,
        limiter: Limiter,
        provider: ProviderBucket,
        calls: int,
        tokens: int,
        *,
        seed: int = 1,
        start_s: float = 1_700_000_000.0,
        actual_tokens: int | None = None,
        median_latency_s: float = 4.0,
        way_s: tuple[float, float] = (0.01, 0.05),
        start_up_s: float = 0.0,
    ) -> None:
        self.limiter = limiter
        self.provider = provider
        self.tokens = tokens
        self.actual_tokens = tokens if actual_tokens is None else actual_tokens
        self.start_s = start_s
        self.now_s = 0.0
        self.waiting = deque(range(calls))
        self.done = 0
        self.calls = calls
        self._random = random.Random(seed)
        self._median_latency_s = median_latency_s
        self._way_s = way_s
        self._start_up_s = start_up_s
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = self._counter()
        self._wake_s = math.inf

    @staticmethod
    def _counter() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def at(self, moment_s: float, action: Callable[[], None]) -> None:
        """Let `action` happen at `moment_s` of the rush."""
        heapq.heappush(self._events, (moment_s, next(self._numbers), action))

    def second_program(self, per_minute: int, from_s: float, to_s: float) -> None:
        """Another program asks evenly with the same key and takes what it gets."""

        def ask() -> None:
            self.provider.arrive(self.now_s, self.tokens, ours=False)

        count = int((to_s - from_s) * per_minute / 60)
        for index in range(count):
            self.at(from_s + index * 60 / per_minute, ask)

    def run(self, until_s: float = math.inf) -> None:
        """Until all calls are answered, or until `until_s`."""
        self.at(0.0, self._let_go)
        while self._events and self.done < self.calls and self._events[0][0] <= until_s:
            self.now_s, _, action = heapq.heappop(self._events)
            action()

    def _let_go(self) -> None:
        self._wake_s = math.inf
        while self.waiting:
            answer = self.limiter.reserve(Cost(1, self.tokens), self.start_s + self.now_s)
            if not isinstance(answer, Reservation):
                self._wake_s = answer.at_s - self.start_s
                assert self._wake_s > self.now_s, "a promise in the past"
                self.at(self._wake_s, self._alarm(self._wake_s))
                return
            call = self.waiting.popleft()
            leaves_s = max(self.now_s, self._start_up_s)
            if self.limiter.explores:
                self.at(leaves_s, self._departure)
            self.at(leaves_s + self._random.uniform(*self._way_s), self._arrival(call, answer))

    def _departure(self) -> None:
        self.limiter.departed(self.start_s + self.now_s)
        self._let_go()

    def _alarm(self, wake_s: float) -> Callable[[], None]:
        def ring() -> None:
            if wake_s == self._wake_s:  # else something else happened earlier, and set another
                self._let_go()

        return ring

    def _arrival(self, call: int, granted: Reservation) -> Callable[[], None]:
        def arrive() -> None:
            verdict = self.provider.arrive(self.now_s, self.actual_tokens)
            if verdict.admitted:
                latency_s = self._random.lognormvariate(math.log(self._median_latency_s), 0.5)
                self.at(self.now_s + latency_s, lambda: self._reply(granted, verdict))
            else:
                back_s = self._random.uniform(*self._way_s)
                self.at(self.now_s + back_s, lambda: self._refusal(call, granted, verdict))

        return arrive

    def _reply(self, granted: Reservation, verdict: Verdict) -> None:
        now_s = self.start_s + self.now_s
        self.limiter.settle(granted, Cost(1, self.actual_tokens), now_s)
        self.limiter.observe(verdict.headers, now_s, granted)
        self.done += 1
        self._let_go()

    def _refusal(self, call: int, granted: Reservation, verdict: Verdict) -> None:
        now_s = self.start_s + self.now_s
        self.limiter.observe(verdict.headers, now_s, granted)
        self.limiter.refused(verdict.retry_after_s, now_s, granted)
        self.waiting.appendleft(call)
        self._let_go()
