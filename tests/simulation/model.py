"""The decisions of the engine on virtual time: limiter, grouping, retries, outage watch,
checkpoint, takeover.

No database, no network, no waiting: an hour of many workers takes milliseconds. The provider keeps
its own books (`ProviderBucket`), and everything that can go wrong is drawn from one seed.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.support.provider_bucket import ProviderBucket
from weighbridge.domain.calls import Cost
from weighbridge.errors import ProviderError, ProviderUnreachable, RateLimited
from weighbridge.limits.circuit_breaker import CircuitBreaker, PausedUntil, Probe
from weighbridge.limits.limiter import Limiter, Limits, Reservation
from weighbridge.limits.retries import MAX_ATTEMPTS, Wait, decide
from weighbridge.planning.grouping import Ready, TokenBudget, group_products

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: Final = 3
HEARTBEAT_TIMEOUT_S: Final = 8.0
LOOK_S: Final = 2.0
"""How often an idle worker looks for the jobs of the dead."""


@dataclass(frozen=True)
class Fate:
    """What a run has to live through."""

    seed: int
    products: int
    workers: int
    requests_per_minute: int
    tokens_per_minute: int
    burst_s: float
    latency_s: float
    no_reply: float  # share of calls
    bad_answer: float  # share of answers
    poisoned: frozenset[int]
    outage_s: tuple[float, float]
    deaths: tuple[tuple[float, int], ...]  # (when, which worker); another takes its place
    freezes: tuple[tuple[float, float, int], ...]  # (from, to, which worker)

    @property
    def repeat(self) -> str:
        """How to see it again."""
        return (
            f"To repeat: python -m benchmarks.simulate decisions --runs 1 --first-seed {self.seed}"
        )

    @staticmethod
    def drawn(seed: int) -> Fate:
        """A fate for every seed."""
        dice = random.Random(seed)
        products, workers = dice.randint(5, 150), dice.randint(1, 8)
        tokens_per_minute = dice.choice((60_000, 450_000, 2_000_000))
        outage_from = dice.uniform(0, 60)
        freezes = []
        for _ in range(dice.choice((0, 0, 1, 3))):
            start = dice.uniform(0, 90)
            freezes.append((start, start + dice.uniform(1, 40), dice.randrange(workers)))
        return Fate(
            seed=seed,
            products=products,
            workers=workers,
            requests_per_minute=dice.choice((30, 120, 500, 3_000)),
            tokens_per_minute=tokens_per_minute,
            # A call that exceeds what may come at once would be refused for ever.
            burst_s=dice.choice((2.0 if tokens_per_minute > 100_000 else 5.0, 10.0, 60.0)),
            latency_s=dice.uniform(0.2, 8.0),
            no_reply=dice.choice((0.0, 0.02, 0.2)),
            bad_answer=dice.choice((0.0, 0.02, 0.2)),
            poisoned=frozenset(dice.sample(range(products), dice.choice((0, 1, products // 10)))),
            outage_s=(outage_from, outage_from + dice.choice((0, 30, 600, 36_000))),
            deaths=tuple(
                (dice.uniform(0, 120), dice.randrange(workers))
                for _ in range(dice.choice((0, 1, 5)))
            ),
            freezes=tuple(freezes),
        )


@dataclass(eq=False)
class Job:
    """A group and who has it.

    `turn` grows with every takeover: what belongs to an earlier turn is late.
    """

    members: list[int]
    turn: int = 0
    owner: Worker | None = None


@dataclass(eq=False)
class Worker:
    """One process. `line` are its calls that wait for leave."""

    number: int
    watch: CircuitBreaker = field(default_factory=CircuitBreaker)
    line: deque[Call] = field(default_factory=deque)
    is_alive: bool = True
    frozen_until_s: float = 0.0
    is_probing: bool = False
    in_flight: set[Call] = field(default_factory=set)


@dataclass(eq=False)
class Call:
    """A question about some products of a job, from its first wait for leave to its reply."""

    worker: Worker
    job: Job
    turn: int
    step: int
    asked: tuple[int, ...]
    failures: int = 0
    is_probe: bool = False

    @property
    def tokens(self) -> int:
        """What it takes from the budget."""
        return 1_500 + 300 * len(self.asked)

    @property
    def is_current(self) -> bool:
        """Whether its worker still holds the job."""
        return self.job.turn == self.turn


class World:
    """Runs one fate to its end."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self.dice = random.Random(fate.seed + 1)
        self.now_s = 0.0
        self.provider = ProviderBucket(
            fate.requests_per_minute, fate.tokens_per_minute, fate.burst_s
        )
        self.limiter = Limiter(Limits(fate.requests_per_minute, fate.tokens_per_minute))
        self.answers: set[tuple[int, int]] = set()
        self.sound: Counter[tuple[int, int]] = Counter()  # good answers that the provider gave
        self.bad: Counter[int] = Counter()  # bad answers that the provider gave about a product
        self.excused = 0  # answers in flight at a death, or late
        self.attempts: Counter[int] = Counter()
        self.completed: set[int] = set()
        self.failed: set[int] = set()
        self.asked_in_outage = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._alarm_s = math.inf
        self.queue: deque[Job] = deque()
        self.jobs: set[Job] = set()
        self.waiting: dict[Worker, None] = {}
        """Workers that have calls in line, in the order in which they joined."""
        self.workers = [Worker(number) for number in range(fate.workers)]

    # The clockwork ------------------------------------------------------------------------------

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Let something happen."""
        self._number += 1
        heapq.heappush(self._events, (max(when_s, self.now_s), self._number, action))

    def run(self) -> World:
        """Until every product has ended; an AssertionError when nothing happens any more."""
        ready = [Ready(n, 200, has_image=n % 7 == 0) for n in range(self.fate.products)]
        for group in group_products(ready, TokenBudget(4_000)):
            self._enqueue(list(group.product_ids))
        for when_s, number in self.fate.deaths:
            self.at(when_s, partial(self._die, number))
        for from_s, to_s, number in self.fate.freezes:
            self.at(from_s, partial(self._freeze, number, to_s))
        while len(self.completed) + len(self.failed) < self.fate.products:
            assert self._events, f"everything stands still. {self.fate.repeat}"
            self.now_s, _, action = heapq.heappop(self._events)
            action()
        return self

    # Jobs ---------------------------------------------------------------------------------------

    def _enqueue(self, members: list[int]) -> None:
        job = Job(members)
        self.jobs.add(job)
        self.queue.append(job)
        self.at(self.now_s, self._hand_out)

    def _hand_out(self) -> None:
        able = self._able()
        if not able and self.queue:
            self.at(self.now_s + LOOK_S, self._hand_out)
            return
        while self.queue:
            job = self.queue.popleft()
            job.owner = self.dice.choice(able)
            job.turn += 1
            self._next_question(job.owner, job)

    def _able(self) -> list[Worker]:
        return [w for w in self.workers if w.frozen_until_s <= self.now_s]

    def _next_question(self, worker: Worker, job: Job) -> None:
        for step in range(STEPS):
            asked = tuple(m for m in job.members if (m, step) not in self.answers)
            if asked:
                self._join(Call(worker, job, job.turn, step, asked))
                return
        self.completed.update(job.members)
        self.jobs.discard(job)

    def _die(self, number: int) -> None:
        dead = self.workers[number]
        dead.is_alive = False
        self.waiting.pop(dead, None)
        self.workers[number] = Worker(number)
        self._miss(dead)

    def _freeze(self, number: int, until_s: float) -> None:
        worker = self.workers[number]
        worker.frozen_until_s = max(worker.frozen_until_s, until_s)
        self.at(worker.frozen_until_s, self._admit)
        self._miss(worker)

    def _miss(self, worker: Worker) -> None:
        """No heartbeat from now on: after the timeout others take its jobs, unless it woke up."""
        delay_s = HEARTBEAT_TIMEOUT_S + self.dice.uniform(0, LOOK_S)
        self.at(self.now_s + delay_s, partial(self._take_over, worker))

    def _take_over(self, worker: Worker) -> None:
        if worker.is_alive and worker.frozen_until_s <= self.now_s:
            return
        if not self._able():  # nobody is there to take them; the frozen one may come first
            self.at(self.now_s + LOOK_S, partial(self._take_over, worker))
            return
        self.excused += sum(len(call.asked) for call in worker.in_flight if call.is_current)
        for job in sorted(self.jobs, key=lambda job: job.members):
            if job.owner is worker:
                job.owner = None
                self.queue.append(job)
        self._hand_out()

    # Leave --------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Every worker's first calls, until the quota is used up: then all wait, and the next one
        is first.
        """
        for worker in list(self.waiting):
            if worker.frozen_until_s > self.now_s:
                continue
            while worker.line:
                if not worker.line[0].is_current:
                    worker.line.popleft()  # JobLost
                    continue
                wait_until_s = self._pause_until(worker)
                if wait_until_s is None:
                    wait_until_s = self._let_go(worker)
                    if wait_until_s is not None:
                        self._wake_at(wait_until_s)
                        return
                    continue
                self._wake_at(wait_until_s)
                break
            if not worker.line:
                del self.waiting[worker]

    def _pause_until(self, worker: Worker) -> float | None:
        """Whether the outage watch keeps the first call back; infinity when the probe's end will
        tell.
        """
        permission = worker.watch.permission(self.now_s)
        if isinstance(permission, PausedUntil):
            return permission.at_s
        worker.line[0].is_probe = isinstance(permission, Probe)
        if worker.line[0].is_probe:
            worker.watch.probe_sent(self.now_s)
        return math.inf if worker.line[0].is_probe and worker.is_probing else None

    def _let_go(self, worker: Worker) -> float | None:
        """None: the first call went. Otherwise when there is quota for it."""
        call = worker.line[0]
        granted = self.limiter.reserve(Cost(1, call.tokens), self.now_s)
        if not isinstance(granted, Reservation):
            assert granted.at_s > self.now_s, f"a promise in the past. {self.fate.repeat}"
            return granted.at_s
        worker.line.popleft()
        worker.is_probing = worker.is_probing or call.is_probe
        worker.in_flight.add(call)
        self.limiter.departed(self.now_s)
        self.at(self.now_s + self.dice.uniform(0.001, 0.03), lambda: self._arrive(call, granted))
        return None

    def _join(self, call: Call) -> None:
        call.worker.line.append(call)
        self.waiting[call.worker] = None
        self._admit()

    def _wake_at(self, when_s: float) -> None:
        """One alarm is enough: the earliest."""
        if when_s >= self._alarm_s:
            return
        self._alarm_s = when_s

        def ring() -> None:
            if self._alarm_s == when_s:
                self._alarm_s = math.inf
                self._admit()

        self.at(when_s, ring)

    # The provider -------------------------------------------------------------------------------

    def _arrive(self, call: Call, granted: Reservation) -> None:
        start, end = self.fate.outage_s
        if start <= self.now_s < end:
            self.asked_in_outage += 1
            self._back(call, 0.1, lambda: self._failed(call, ProviderUnreachable("reset")))
            return
        verdict = self.provider.arrive(self.now_s, call.tokens)
        if not verdict.admitted:
            error = RateLimited("429", verdict.retry_after_s, verdict.headers)

            def refused() -> None:
                self.limiter.observe(verdict.headers, self.now_s, granted)
                self.limiter.refused(verdict.retry_after_s, self.now_s, granted)
                self._failed(call, error)

            self._back(call, 0.05, refused)
            return
        latency_s = self.dice.lognormvariate(0, 0.5) * self.fate.latency_s
        if self.dice.random() < self.fate.no_reply:
            self._back(call, latency_s, lambda: self._failed(call, ProviderUnreachable("cut")))
            return
        good = [p for p in call.asked if self._answers_well(p)]
        self.bad.update(set(call.asked) - set(good))
        self.sound.update((p, call.step) for p in good)

        def reply() -> None:
            self.limiter.settle(granted, Cost(1, call.tokens), self.now_s)
            self.limiter.observe(verdict.headers, self.now_s, granted)
            self._replied(call, good)

        self._back(call, latency_s, reply)

    def _answers_well(self, product: int) -> bool:
        return product not in self.fate.poisoned and self.dice.random() >= self.fate.bad_answer

    def _back(self, call: Call, delay_s: float, then: Callable[[], None]) -> None:
        """The reply travels; a dead worker never sees it, a frozen one when it wakes."""

        def arrive() -> None:
            worker = call.worker
            if worker.frozen_until_s > self.now_s:
                self.at(worker.frozen_until_s, arrive)
                return
            if worker.is_alive:
                worker.in_flight.discard(call)
                if call.is_probe:
                    worker.is_probing = False
                then()
                self._admit()

        self.at(self.now_s + delay_s, arrive)

    # What the worker does -----------------------------------------------------------------------

    def _failed(self, call: Call, error: ProviderError) -> None:
        if isinstance(error, RateLimited):
            call.worker.watch.succeeded()
        else:
            call.worker.watch.failed(str(error), self.now_s, self.dice.random())
        action = decide(error, call.failures, len(call.asked), self.dice.random())
        assert isinstance(action, Wait), "what is nobody's fault is waited out"
        call.failures += 1

        def again() -> None:
            if call.worker.is_alive:
                self._join(call)

        self.at(self.now_s + action.delay_s, again)

    def _replied(self, call: Call, good: list[int]) -> None:
        call.worker.watch.succeeded()
        self.answers.update((product, call.step) for product in good)
        if not call.is_current or call.job not in self.jobs:
            return  # late: the answers are kept, and nothing else happens
        for product in call.asked:
            if product in good:
                self.attempts[product] = 0
            else:
                self._refuse(call.job, product)
        if call.job.members:
            self._next_question(call.worker, call.job)
        else:
            self.jobs.discard(call.job)

    def _refuse(self, job: Job, product: int) -> None:
        job.members.remove(product)
        if self.attempts[product] >= MAX_ATTEMPTS:
            self.failed.add(product)
        else:
            self.attempts[product] += 1
            self._enqueue([product])
