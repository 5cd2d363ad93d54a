"""Collects, for calls answered with 429, what shows whether they have to wait or are too large for
the provider ever to accept.

The worker reports the outcome of each call; `retries.decide` judges by what is collected here.
Pure, and without a clock: what counts is which calls succeeded, and how large they were.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

PASSED_BEFORE: Final = 10
"""Number of calls that succeeded just before the first refusal and count as evidence too: at the
end of a run no later ones may be sent.
"""
MOST_REMEMBERED: Final = 1_000
"""Number of accepted calls whose sizes are remembered."""


@dataclass(frozen=True, slots=True)
class RefusalHistory:
    """A call of `tokens` that was refused `times` in a row, and how many other calls `passed` since
    the first refusal, or just before it.
    """

    tokens: int
    times: int
    passed: int = 0
    largest_passed_tokens: int = 0
    stated_limit_tokens: int | None = None  # a minute's, in the refusal's own headers


@dataclass(slots=True)
class _Struggle:
    """A series of refusals of one call."""

    times: int
    since: int  # accepted calls are numbered; those after this number are evidence


class RefusalWatch:
    """Counts refusals in a row of each call in flight; calls are identified by their job."""

    def __init__(self) -> None:
        self._struggles: dict[int, _Struggle] = {}
        self._passed = 0
        # (number, tokens) of accepted calls, each smaller than the one before: the first after a
        # number is the largest since then.
        self._largest: deque[tuple[int, int]] = deque(maxlen=MOST_REMEMBERED)

    def refused(self, job_id: int, tokens: int, stated_limit_tokens: int | None) -> RefusalHistory:
        """Count a 429 to this job's call; returns its history since its first 429 in a row."""
        mark = max(self._passed - PASSED_BEFORE, 0)
        struggle = self._struggles.setdefault(job_id, _Struggle(0, mark))
        struggle.times += 1
        largest = next((size for number, size in self._largest if number > struggle.since), 0)
        return RefusalHistory(
            tokens, struggle.times, self._passed - struggle.since, largest, stated_limit_tokens
        )

    def passed(self, job_id: int, tokens: int) -> None:
        """Note that the provider accepted this job's call, of `tokens`."""
        self.forget(job_id)
        self._passed += 1
        while self._largest and self._largest[-1][1] <= tokens:
            self._largest.pop()
        self._largest.append((self._passed, tokens))

    def forget(self, job_id: int) -> None:
        """Forget the refusals of this job's call."""
        self._struggles.pop(job_id, None)
