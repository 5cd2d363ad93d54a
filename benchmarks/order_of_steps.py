"""Which waiting call goes first, and how many groups are begun ahead: what that does to first and
last results.

    python -m benchmarks.order_of_steps [--runs 40] [--json]

A model on virtual time, of our own limiter and waiting line: some 650 groups of three steps on
450,000 tokens a minute, latency lognormal with a median of 4 s, a provider that admits a full
minute's quota in one burst, or 5 s of it. Whether a run ends well is luck of its length: the same
40 lengths and latencies for each row. *Utilisation* as in quota.py; *first result* is when the
first group is complete. Takes about a minute.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import statistics
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import print_table
from weighbridge.domain.calls import Cost
from weighbridge.engine.quota.rank_queue import RankQueue
from weighbridge.limits.limiter import Limiter, Limits, NotBefore

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS_PER_MINUTE: Final = 450_000
STEP_TOKENS: Final = (2_271, 3_900, 2_850)
"""What a call of each step is charged for a group of five (see group_size.py)."""
MEDIAN_LATENCY_S: Final = 4.0
LATENCY_SIGMA: Final = 0.5
TICK_S: Final = 0.001  # rounding must not make it look again at the same moment

ORDERS: Final[dict[str, Callable[[bool], bool]]] = {
    "most steps left": lambda _more_waits: True,
    "fewest steps left": lambda _more_waits: False,
    "fewest, at the end most": lambda more_waits: not more_waits,
}


class Run:
    """One queue from the first group to the last."""

    def __init__(
        self,
        groups: int,
        order: Callable[[bool], bool],
        minutes_ahead: float,
        burst_s: float,
        seed: int,
    ) -> None:
        self._random = random.Random(seed)
        self._begins_first = order
        self._burst_s = burst_s
        self._limiter = Limiter(Limits(10_000, TOKENS_PER_MINUTE))
        self._bucket = self._largest = TOKENS_PER_MINUTE * burst_s / 60
        self._pending = groups
        self._alive = 0
        calls_a_minute = TOKENS_PER_MINUTE / statistics.mean(STEP_TOKENS)
        self._ahead = math.ceil(calls_a_minute * (minutes_ahead + 2 * MEDIAN_LATENCY_S / 60))
        self._queue: RankQueue[list[int]] = RankQueue()  # each waiter: [its next step]
        self._ends: list[tuple[float, int, int]] = []  # when, number of the call, step
        self.tokens = 0
        self.calls = 0
        self.last_admission_s = 0.0
        self.first_result_s = math.inf

    def run(self) -> Run:
        """To the end."""
        now_s = 0.0
        self._top_up()
        while self._alive:
            not_before_s = self._admit(now_s)
            if self._ends and self._ends[0][0] <= not_before_s:
                self._refill(now_s, self._ends[0][0])
                now_s, _, step = heapq.heappop(self._ends)
                self._after(step, now_s)
            else:
                self._refill(now_s, not_before_s)
                now_s = not_before_s
        return self

    def _top_up(self) -> None:
        if self._alive <= self._ahead * 3 // 4:
            new = min(self._ahead - self._alive, self._pending)
            self._pending -= new
            self._alive += new
            for _ in range(new):
                self._queue.add([0], len(STEP_TOKENS))

    def _admit(self, now_s: float) -> float:
        """Let go whom the quota allows; returns when to look again."""
        while self._queue:
            waiter = next(self._queue.front(highest_first=self._begins_first(self._pending > 0)))
            tokens = STEP_TOKENS[waiter[0]]
            if self._bucket < tokens:
                return now_s + (tokens - self._bucket) / (TOKENS_PER_MINUTE / 60) + TICK_S
            outcome = self._limiter.reserve(Cost(1, tokens), now_s)
            if isinstance(outcome, NotBefore):
                return outcome.at_s
            self._bucket -= tokens
            self._queue.remove(waiter)
            self.tokens += tokens
            self.calls += 1
            self.last_admission_s = now_s
            latency_s = MEDIAN_LATENCY_S * math.exp(self._random.gauss(0, LATENCY_SIGMA))
            heapq.heappush(self._ends, (now_s + latency_s, self.calls, waiter[0]))
        return math.inf

    def _refill(self, from_s: float, to_s: float) -> None:
        more = (to_s - from_s) * TOKENS_PER_MINUTE / 60
        self._bucket = min(self._largest, self._bucket + more)

    def _after(self, step: int, now_s: float) -> None:
        if step + 1 < len(STEP_TOKENS):
            self._queue.add([step + 1], len(STEP_TOKENS) - step - 1)
            return
        self.first_result_s = min(self.first_result_s, now_s)
        self._alive -= 1
        self._top_up()

    @property
    def utilisation(self) -> float:
        """The least possible time of the last admission / what it was."""
        if self._burst_s < 60:
            least_s = (self.tokens - self._largest) / (TOKENS_PER_MINUTE / 60)
        else:  # a burst each minute
            least_s = 60.0 * (math.ceil(self.tokens / TOKENS_PER_MINUTE) - 1)
        return least_s / self.last_admission_s


def measure(runs: int) -> list[dict[str, Any]]:
    """A row for each provider, order and stock of groups."""
    rows = []
    for burst_s in (60.0, 5.0):
        for name, order in ORDERS.items():
            for minutes_ahead in (1.0, 1.5, 2.0):
                done = [
                    Run(
                        random.Random(seed).randint(600, 700), order, minutes_ahead, burst_s, seed
                    ).run()
                    for seed in range(runs)
                ]
                used = sorted(one.utilisation for one in done)
                rows.append(
                    {
                        "may burst": f"{burst_s:.0f} s",
                        "goes first": name,
                        "minutes of calls ahead": minutes_ahead,
                        "utilisation, mean": round(statistics.mean(used), 4),
                        "10th percentile": round(used[runs // 10], 4),
                        "first result s": round(
                            statistics.mean(one.first_result_s for one in done)
                        ),
                    }
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=40, help="for each row")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    rows = measure(arguments.runs)
    if arguments.json:
        print(json.dumps(rows))
        return
    print_table("order of steps, a model on virtual time", rows)


if __name__ == "__main__":
    main()
