"""Tells a call that has to wait from one that is too large for the provider ever to accept.

Both are answered with 429. The worker reports what became of each call; `retries.decide` judges by
what is collected here. Pure, and without a clock: what counts is which calls went through, and how
large they were.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

PASSED_BEFORE: Final = 10
"""This many calls that went through just before the first refusal count as evidence too: at the end
of a run nothing else is sent."""
MOST_REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class RefusalHistory:
    """A call that was refused `times` in a row, and the calls that went through since, or just
    before.
    """

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
    """Counts refusals in a row of each call in flight; calls are identified by their job."""

    def __init__(self) -> None:
        self._struggles: dict[int, _Struggle] = {}
        self._passed = 0
        # (number, tokens), each smaller than the one before: the first after a mark is the largest
        # since then.
        self._largest: deque[tuple[int, int]] = deque(maxlen=MOST_REMEMBERED)

    def refused(self, job_id: int, tokens: int, stated_limit_tokens: int | None) -> RefusalHistory:
        """The provider answered 429 to this job's call; returns what is known about it."""
        mark = max(self._passed - PASSED_BEFORE, 0)
        struggle = self._struggles.setdefault(job_id, _Struggle(0, mark))
        struggle.times += 1
        largest = next((size for number, size in self._largest if number > struggle.since), 0)
        return RefusalHistory(
            tokens, struggle.times, self._passed - struggle.since, largest, stated_limit_tokens
        )

    def passed(self, job_id: int, tokens: int) -> None:
        """The provider accepted this job's call."""
        self.forget(job_id)
        self._passed += 1
        while self._largest and self._largest[-1][1] <= tokens:
            self._largest.pop()
        self._largest.append((self._passed, tokens))

    def forget(self, job_id: int) -> None:
        """The series of refusals has ended, in whatever way."""
        self._struggles.pop(job_id, None)
