"""Tells a provider that is away from a call that it never answers.

Both look alike: 5xx, empty completions, broken connections. An outage hits all calls and is waited
out; a call that fails again and again while others pass has something in it that the server cannot
take. The worker reports what became of each call; `retries.decide` judges by what is collected
here. Pure, and without a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TIMES_OF_A_GROUP: Final = 5
"""Failures in a row before a group is halved, which does no product any harm."""
TIMES_OF_ONE: Final = 15
"""Failures in a row of a product alone, some five minutes, after which the product fails."""
LEAST_PASSED: Final = 4
"""Other calls that must have succeeded since the first failure of this one."""
CHANCE: Final = 1e-4
"""A call is stuck if, given how often others succeed, its failures are less likely than this."""


FEW: Final = 2
"""At the end of a run nothing else is sent. So many calls that fail are no outage, if calls passed
before them, they fail twice as often as above, and the server is up.
"""


@dataclass(frozen=True, slots=True)
class StuckHistory:
    """A call that failed `times` in a row, and what became of the others since it first failed."""

    times: int
    passed: int
    failed: int
    passed_ever: int = 0
    struggling: int = 1  # calls that failed and have not passed since, this one among them

    def is_stuck(self, *, in_company: bool) -> bool:
        """Whether the call itself is at fault, and not the provider."""
        least = TIMES_OF_A_GROUP if in_company else TIMES_OF_ONE
        if self.passed >= LEAST_PASSED:
            failing = self.failed / (self.passed + self.failed)
            return self.times >= least and bool(failing**self.times < CHANCE)
        is_last = self.struggling <= FEW and self.passed_ever >= LEAST_PASSED
        return is_last and self.times >= 2 * least


@dataclass(slots=True)
class _Series:
    times: int
    passed: int  # how many calls had passed before it
    failed: int


class StuckCalls:
    """Counts failures in a row of each call in flight; calls are identified by their job."""

    def __init__(self) -> None:
        self._struggles: dict[int, _Series] = {}
        self._passed = 0
        self._failed = 0

    def failed(self, job_id: int) -> StuckHistory:
        """This job's call got no reply; returns what is known about it."""
        struggle = self._struggles.setdefault(job_id, _Series(0, self._passed, self._failed))
        struggle.times += 1
        self._failed += 1
        return StuckHistory(
            struggle.times,
            self._passed - struggle.passed,
            self._failed - struggle.failed - struggle.times,
            self._passed,
            len(self._struggles),
        )

    def passed(self, job_id: int) -> None:
        """This job's call got a reply."""
        self.forget(job_id)
        self._passed += 1

    def forget(self, job_id: int) -> None:
        """The series has ended, in whatever way."""
        self._struggles.pop(job_id, None)
