"""Tells a call that has to wait from one that the provider will never let through, because it is too large.

Both are answered with 429. The worker tells what became of each call; `retries.decide` judges by what is
gathered here. Pure, and without a clock: what counts is what went through, and how large it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

PASSED_BEFORE: Final = 10
"""So many calls that went through just before the first refusal are evidence too: at the end of a run
nothing else is sent any more."""
MOST_REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class RefusalHistory:
    """One call that was refused `times` in a row, and the others that went through meanwhile or just before."""

    tokens: int
    times: int
    passed: int = 0
    largest_passed_tokens: int = 0
    stated_limit_tokens: int | None = None  # a minute's, in the refusal's own headers


@dataclass(slots=True)
class _Struggle:
    times: int
    since: int  # how many calls had gone through, less those that count as evidence


class RefusalWatch:
    """Counts refusals in a row of each call under way; calls are known by their job."""

    def __init__(self) -> None:
        self._struggles: dict[int, _Struggle] = {}
        self._passed = 0
        # (number, tokens), each smaller than the one before: the first after a mark is the largest since then.
        self._largest: deque[tuple[int, int]] = deque(maxlen=MOST_REMEMBERED)

    def refused(self, job_id: int, tokens: int, stated_limit_tokens: int | None) -> RefusalHistory:
        """The provider answered 429 to this job's call; returns all that is known about it."""
        mark = max(self._passed - PASSED_BEFORE, 0)
        struggle = self._struggles.setdefault(job_id, _Struggle(0, mark))
        struggle.times += 1
        largest = next((size for number, size in self._largest if number > struggle.since), 0)
        return RefusalHistory(
            tokens, struggle.times, self._passed - struggle.since, largest, stated_limit_tokens
        )

    def passed(self, job_id: int, tokens: int) -> None:
        """The provider let this job's call through."""
        self.forget(job_id)
        self._passed += 1
        while self._largest and self._largest[-1][1] <= tokens:
            self._largest.pop()
        self._largest.append((self._passed, tokens))

    def forget(self, job_id: int) -> None:
        """The row of refusals has ended, in whatever way."""
        self._struggles.pop(job_id, None)
