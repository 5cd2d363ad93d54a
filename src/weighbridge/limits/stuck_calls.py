"""Tells a provider that is away from a call that it never answers.

Both look alike: 5xx, empty completions, broken connections. An outage hits all calls and is waited
out; a call that fails again and again while others pass has something in it that the server cannot
take. The worker reports what became of each call; `retries.decide` judges by what is collected
here. Pure, and without a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

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


BILLED_TIMES_OF_A_GROUP: Final = 3
BILLED_TIMES_OF_ONE: Final = 5
"""The same for replies that are empty: each of them is paid for."""
BILLED_TIMES_AT_MOST: Final = 8
"""A product that so many empty replies would convict is suspect: they are worth their price."""


@dataclass(frozen=True, slots=True)
class StuckHistory:
    """A call that failed `times` in a row, and what became of the others since it first failed.

    `is_billed`: it was answered, with nothing.
    """

    times: int
    passed: int
    failed: int
    passed_ever: int = 0
    struggling: int = 1  # calls that failed and have not passed since, this one among them
    is_billed: bool = False
    passed_beside: int = 0  # since its products first failed, if in another group

    def is_stuck(self, *, in_company: bool) -> bool:
        """Whether the call itself is at fault, and not the provider."""
        if self.is_billed:
            return self._is_paid_in_vain(in_company=in_company)
        least = TIMES_OF_A_GROUP if in_company else TIMES_OF_ONE
        if self.passed >= LEAST_PASSED:
            failing = self.failed / (self.passed + self.failed)
            return self.times >= least and bool(failing**self.times < CHANCE)
        is_last = self.struggling <= FEW and self.passed_ever >= LEAST_PASSED
        return is_last and self.times >= 2 * least

    def _is_paid_in_vain(self, *, in_company: bool) -> bool:
        """With fewer tries. Each other call counts once, however often it failed: several products
        that are answered with nothing would else vouch for each other, and be paid for without end.
        """
        if in_company:
            return self.times >= BILLED_TIMES_OF_A_GROUP and self.passed_ever >= LEAST_PASSED
        if self.times >= BILLED_TIMES_OF_ONE and self._is_convicted_by(self.times):
            return True
        is_last = self.struggling <= FEW and self.passed_ever >= LEAST_PASSED
        return is_last and self.times >= 2 * BILLED_TIMES_OF_ONE

    @property
    def is_suspect(self) -> bool:
        """Whether a few more empty replies will show that the products are at fault."""
        return self.is_billed and self._is_convicted_by(BILLED_TIMES_AT_MOST)

    def _is_convicted_by(self, times: int) -> bool:
        others = self.struggling - 1
        if self.passed_beside < LEAST_PASSED:
            return False
        return bool((others / (self.passed_beside + others)) ** times < CHANCE)


@dataclass(slots=True)
class _Series:
    times: int
    passed: int  # how many calls had passed before it
    failed: int


class StuckCalls:
    """Counts failures in a row of each call in flight; calls are identified by their job."""

    def __init__(self) -> None:
        self._struggles: dict[int, _Series] = {}
        self._since: dict[int, int] = {}  # how many calls had passed when a product first failed
        self._passed = 0
        self._failed = 0

    def failed(
        self, job_id: int, product_ids: Sequence[int] = (), *, is_billed: bool = False
    ) -> StuckHistory:
        """This job's call got no reply; returns what is known about it."""
        struggle = self._struggles.setdefault(job_id, _Series(0, self._passed, self._failed))
        struggle.times += 1
        self._failed += 1
        since = [self._since.setdefault(product, self._passed) for product in product_ids]
        return StuckHistory(
            struggle.times,
            self._passed - struggle.passed,
            self._failed - struggle.failed - struggle.times,
            self._passed,
            len(self._struggles),
            is_billed,
            self._passed - max(since, default=struggle.passed),
        )

    def passed(self, job_id: int, product_ids: Sequence[int] = ()) -> None:
        """This job's call got a reply."""
        self.forget(job_id)
        self._passed += 1
        for product_id in product_ids if self._since else ():
            self._since.pop(product_id, None)

    def forget(self, job_id: int) -> None:
        """The series has ended, in whatever way."""
        self._struggles.pop(job_id, None)
