"""A day at a quota and with a crowd of workers that no test machine has, on virtual time: 43
million calls.

Where `model.py` follows every product, this one counts: groups of five go through three questions,
in ticks of 20 ms. The decisions are the program's own (limiter, outage watch, retries); provider,
workers and what happens to them are of this file. A day takes about a quarter of an hour.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Cost, Remaining
from weighbridge.errors import ProviderUnreachable, RateLimited
from weighbridge.limits.circuit_breaker import CircuitBreaker, PausedUntil, Probe
from weighbridge.limits.limiter import Limiter, Limits, Reservation
from weighbridge.limits.retries import MAX_ATTEMPTS, Wait, decide

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK_S: Final = 0.02
STEPS: Final = 3
GROUP: Final = 5
COST: Final = Cost(1, 3_000)
AT_ONCE: Final = 25
"""Calls that a worker lets go before it is the next one's turn."""
TAKEOVER_S: Final = 10.0
NO_REPLY: Final = 0.002
BAD_ANSWER: Final = 0.002
"""Of each product in each answer."""
POISONED: Final = 0.000_02
UNREACHABLE: Final = ProviderUnreachable("cut")


@dataclass(frozen=True)
class Plan:
    """What the day brings. Times in seconds after midnight."""

    seed: int = 0
    length_s: float = 86_400.0
    workers: int = 1_000
    requests_per_minute: int = 30_000
    tokens_per_minute: int = 150_000_000
    burst_s: float = 60.0
    latency_s: float = 4.0
    outage_s: tuple[float, float] = (0.0, 0.0)
    halved_s: tuple[float, float] = (0.0, 0.0)
    deaths: int = 0


class Provider:
    """Two buckets and the count of the last minute, tick by tick."""

    def __init__(self, plan: Plan) -> None:
        self.burst_s = plan.burst_s
        self.limits = (plan.requests_per_minute, plan.tokens_per_minute)
        self.levels = [limit * plan.burst_s / 60 for limit in self.limits]
        self.admitted = self.refused = 0
        self.most = [0, 0]
        self._minute: deque[tuple[float, int]] = deque()
        self._in_minute = 0
        self._now = 0

    def begin_tick(self, now_s: float, share: float) -> None:
        """Refill; `share` is how much of its limits the account has at present."""
        if self._now:
            self._minute.append((now_s - TICK_S, self._now))
            self._in_minute += self._now
            self._now = 0
        while self._minute and self._minute[0][0] <= now_s - 60 - TICK_S:
            self._in_minute -= self._minute.popleft()[1]
        for index, limit in enumerate(self.limits):
            most = limit * share * self.burst_s / 60
            self.levels[index] = min(most, self.levels[index] + limit * share * TICK_S / 60)

    def arrive(self) -> bool:
        """A call is at the door."""
        levels = self.levels
        if levels[0] < COST.requests or levels[1] < COST.tokens:
            self.refused += 1
            return False
        levels[0] -= COST.requests
        levels[1] -= COST.tokens
        self.admitted += 1
        self._now += 1
        if self._in_minute + self._now > self.most[0]:
            self.most = [self._in_minute + self._now, (self._in_minute + self._now) * COST.tokens]
        return True

    def headers(self, share: float) -> Remaining:
        """As OpenAI sends them, at the moment of admission."""
        requests, tokens = (limit * share for limit in self.limits)
        return Remaining(
            requests_limit=int(requests),
            requests_remaining=int(self.levels[0]),
            requests_reset_s=(requests * self.burst_s / 60 - self.levels[0]) * 60 / requests,
            tokens_limit=int(tokens),
            tokens_remaining=int(self.levels[1]),
            tokens_reset_s=(tokens * self.burst_s / 60 - self.levels[1]) * 60 / tokens,
        )


@dataclass(eq=False, slots=True)
class Group:
    """Products that are asked about together. `turn` grows with every takeover."""

    size: int
    worker: Worker
    step: int = 0
    turn: int = 0
    failures: int = 0
    attempts: int = 0
    is_poisoned: bool = False


@dataclass(eq=False, slots=True)
class Worker:
    """One process."""

    watch: CircuitBreaker = field(default_factory=CircuitBreaker)
    line: deque[Group] = field(default_factory=deque)
    groups: dict[Group, None] = field(default_factory=dict)  # in the order in which they began
    in_flight: int = 0
    is_alive: bool = True
    is_waiting: bool = False
    is_probing: bool = False


Call = tuple[Group, int, Reservation, bool]
"""Group, its turn, the leave, and whether it is a probe."""


class Day:
    """Runs a plan until the last group that was begun has ended."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dice = random.Random(plan.seed)
        self.provider = Provider(plan)
        self.limiter = Limiter(Limits(plan.requests_per_minute, plan.tokens_per_minute))
        self.workers = [Worker() for _ in range(plan.workers)]
        self.now_s = 0.0
        self.share = 1.0
        self.begun = self.completed = self.failed = 0  # products
        self.useful = self.lost = self.in_flight_at_deaths = 0  # answers about products
        self.asked_in_outage = 0
        self._admitted_in_time = 0
        self._admitted_before: int | None = None
        self._arrivals: defaultdict[int, list[Call]] = defaultdict(list)
        self._replies: defaultdict[int, list[tuple[Call, Remaining | None, str]]] = defaultdict(
            list
        )
        self._again: defaultdict[int, list[tuple[Group, int]]] = defaultdict(list)
        self._wakes: defaultdict[int, list[Worker]] = defaultdict(list)
        self._takeovers: defaultdict[int, list[Worker]] = defaultdict(list)
        self._waiting: deque[Worker] = deque()
        self._not_before_s = 0.0
        latencies = (self.dice.lognormvariate(0, 0.5) * plan.latency_s for _ in range(20_011))
        self._latency_ticks = [max(1, round(latency_s / TICK_S)) for latency_s in latencies]
        self._deaths = sorted(self.dice.uniform(0, plan.length_s) for _ in range(plan.deaths))
        self._groups_each = math.ceil(1.1 * plan.requests_per_minute / plan.workers)

    @property
    def utilisation(self) -> float:
        """Of what the provider would have admitted after the first minute: not in the outage, half
        while halved.
        """
        plan = self.plan
        outage_s = plan.outage_s[1] - plan.outage_s[0]
        full_s = plan.length_s - 60 - outage_s - (plan.halved_s[1] - plan.halved_s[0]) / 2
        return self._admitted_in_time / (full_s * self._calls_a_minute / 60)

    @property
    def _calls_a_minute(self) -> float:
        limits = self.provider.limits
        return min(limits[0] / COST.requests, limits[1] / COST.tokens)

    def run(self) -> Day:
        """All of it."""
        for _ in self.ticks():
            pass
        return self

    def ticks(self) -> Iterator[float]:
        """Live through it, tick by tick; yields the time.

        An AssertionError when nothing moves any more.
        """
        for worker in self.workers:
            self._begin_groups(worker)
        tick = 0
        while self.completed + self.failed < self.begun:
            assert self.now_s < self.plan.length_s + 3_600, "the day does not end"
            self.now_s = tick * TICK_S
            halved_from_s, halved_to_s = self.plan.halved_s
            self.share = 0.5 if halved_from_s <= self.now_s < halved_to_s else 1.0
            self.provider.begin_tick(self.now_s, self.share)
            self._admitted_in_time += self._count_admitted()
            self._answer_arrivals(tick)
            had_replies = self._hear_replies(tick)
            self._wake(tick)
            if self._waiting and (had_replies or self.now_s >= self._not_before_s):
                self._admit(tick)
            tick += 1
            yield self.now_s

    def _count_admitted(self) -> int:
        """Between the end of the first minute and that of the day."""
        now = self.provider.admitted if 60 <= self.now_s <= self.plan.length_s else None
        before, self._admitted_before = self._admitted_before, now
        return 0 if now is None or before is None else now - before

    def _answer_arrivals(self, tick: int) -> None:
        calls = self._arrivals.pop(tick, None)
        if not calls:
            return
        outage_from_s, outage_to_s = self.plan.outage_s
        is_away = outage_from_s <= self.now_s < outage_to_s
        for call in calls:
            if is_away:
                self.asked_in_outage += 1
                self._replies[tick + 5].append((call, None, "cut"))
            elif not self.provider.arrive():
                headers = self.provider.headers(self.share)
                self._replies[tick + 3].append((call, headers, "refused"))
            else:
                delay = self._latency_ticks[int(self.dice.random() * 20_011)]
                outcome = "cut" if self.dice.random() < NO_REPLY else "ok"
                headers = self.provider.headers(self.share)
                self._replies[tick + delay].append((call, headers, outcome))

    def _hear_replies(self, tick: int) -> bool:
        replies = self._replies.pop(tick, None)
        if not replies:
            return False
        limiter, now_s = self.limiter, self.now_s
        for call, headers, outcome in replies:
            group, turn, granted, is_probe = call
            worker = group.worker
            if group.turn != turn or not worker.is_alive:
                if outcome == "ok":
                    self.lost += group.size
                continue
            worker.in_flight -= 1
            if is_probe:
                worker.is_probing = False
            if headers is not None and outcome != "cut":
                limiter.observe(headers, now_s, granted)
            if outcome == "ok":
                limiter.settle(granted, COST, now_s)
                worker.watch.succeeded()
                self._answered(group, tick)
            else:
                self._unanswered(group, granted, outcome, tick)
        return True

    def _unanswered(self, group: Group, granted: Reservation, outcome: str, tick: int) -> None:
        watch, jitter = group.worker.watch, self.dice.random()
        error: ProviderUnreachable | RateLimited = UNREACHABLE
        if outcome == "refused":
            error = RateLimited("429", 0.1)
            self.limiter.refused(0.1, self.now_s, granted)
            watch.succeeded()
        else:
            watch.failed("cut", self.now_s, jitter)
        action = decide(error, group.failures, group.size, self.dice.random())
        assert isinstance(action, Wait)
        group.failures += 1
        self._again[tick + 1 + int(action.delay_s / TICK_S)].append((group, group.turn))

    def _answered(self, group: Group, tick: int) -> None:
        group.failures = 0
        bad = [n for n in range(group.size) if self.dice.random() < BAD_ANSWER]
        if group.is_poisoned and 0 not in bad:
            bad.append(0)
        self.useful += group.size - len(bad)
        if bad and group.size > 1:
            for n in bad:
                poisoned = group.is_poisoned and n == 0
                alone = Group(1, group.worker, group.step, attempts=1, is_poisoned=poisoned)
                group.worker.groups[alone] = None
                self._again[tick + 1].append((alone, 0))
            group.size -= len(bad)
            group.is_poisoned = group.is_poisoned and 0 not in bad
        elif bad:
            group.attempts += 1
            if group.attempts <= MAX_ATTEMPTS:
                self._again[tick + 1].append((group, group.turn))
            else:
                self.failed += 1
                self._ended(group)
            return
        group.step += 1
        group.attempts = 0
        if group.size and group.step < STEPS:
            self._join(group)
        else:
            self.completed += group.size
            self._ended(group)

    def _ended(self, group: Group) -> None:
        group.worker.groups.pop(group, None)
        self._begin_groups(group.worker)

    def _begin_groups(self, worker: Worker) -> None:
        while self.now_s < self.plan.length_s and len(worker.groups) < self._groups_each:
            group = Group(GROUP, worker, is_poisoned=self.dice.random() < POISONED)
            worker.groups[group] = None
            self.begun += GROUP
            self._join(group)

    def _join(self, group: Group) -> None:
        worker = group.worker
        worker.line.append(group)
        if not worker.is_waiting:
            worker.is_waiting = True
            self._waiting.append(worker)

    def _wake(self, tick: int) -> None:
        """Whoever waited for a time: calls after a backoff, workers in an outage, groups of the
        dead.
        """
        for group, turn in self._again.pop(tick, ()):
            if group.worker.is_alive and group.turn == turn:
                self._join(group)
        for worker in self._wakes.pop(tick, ()):
            if worker.is_alive and worker.line and not worker.is_waiting:
                worker.is_waiting = True
                self._waiting.append(worker)
        for dead in self._takeovers.pop(tick, ()):
            for group in dead.groups:
                group.turn += 1
                group.worker = self.dice.choice(self.workers)
                group.worker.groups[group] = None
                self._join(group)
        while self._deaths and self._deaths[0] <= self.now_s:
            self._deaths.pop(0)
            number = self.dice.randrange(len(self.workers))
            dead, self.workers[number] = self.workers[number], Worker()
            dead.is_alive = False
            self.in_flight_at_deaths += dead.in_flight * GROUP
            self._takeovers[tick + int(TAKEOVER_S / TICK_S)].append(dead)
            self._begin_groups(self.workers[number])

    def _admit(self, tick: int) -> None:
        """In turns, some calls each, until the quota is used up."""
        waiting, limiter, now_s = self._waiting, self.limiter, self.now_s
        while waiting:
            worker = waiting[0]
            for _ in range(AT_ONCE):
                if not worker.is_alive or not worker.line or self._is_held_back(worker, tick):
                    worker.is_waiting = False
                    waiting.popleft()
                    break
                granted = limiter.reserve(COST, now_s)
                if not isinstance(granted, Reservation):
                    assert granted.at_s > now_s, "a promise in the past"
                    self._not_before_s = granted.at_s
                    return
                limiter.departed(now_s)
                group = worker.line.popleft()
                worker.in_flight += 1
                is_probe = worker.watch.paused_reason is not None
                worker.is_probing = worker.is_probing or is_probe
                call = (group, group.turn, granted, is_probe)
                self._arrivals[tick + 1 + (self.dice.random() < 0.5)].append(call)
            else:
                waiting.rotate(-1)

    def _is_held_back(self, worker: Worker, tick: int) -> bool:
        if worker.watch.paused_reason is None:
            return False
        if worker.is_probing:
            self._wakes[tick + 10].append(worker)
            return True
        permission = worker.watch.permission(self.now_s)
        if isinstance(permission, PausedUntil):
            self._wakes[tick + 1 + int((permission.at_s - self.now_s) / TICK_S)].append(worker)
            return True
        assert isinstance(permission, Probe)
        worker.watch.probe_sent(self.now_s)
        return False

    def check(self) -> None:
        """What must hold at the end."""
        plan, provider = self.plan, self.provider
        assert self.begun == self.completed + self.failed
        assert self.useful >= STEPS * self.completed
        assert self.useful <= STEPS * self.completed + (STEPS - 1) * self.failed
        assert self.lost <= self.in_flight_at_deaths
        assert provider.most[0] <= plan.requests_per_minute, provider.most
        assert provider.most[1] <= plan.tokens_per_minute, provider.most
