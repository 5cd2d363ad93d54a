"""Decides whether a call that gets no reply is at fault itself, or the provider has an outage.

The errors are the same: 5xx, empty completions, broken connections. An outage affects all calls,
and is waited out. A call that fails again and again while others succeed contains something that
the server cannot process; it is called stuck. The worker reports the outcome of each call;
`retries.decide` judges by what is collected here. Pure, and without a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMES_OF_A_GROUP: Final = 5
"""Failures in a row after which a group is halved, which harms no product."""
TIMES_OF_ONE: Final = 15
"""Failures in a row of a call about one product after which that product fails; they take about
five minutes.
"""
LEAST_PASSED: Final = 4
"""Number of other calls that must have succeeded before a failing call can count as stuck; usually
only those since its first failure are counted.
"""
CHANCE: Final = 1e-4
"""A call counts as stuck if its failures in a row, given how often other calls fail, are less
probable than this.
"""


FEW: Final = 2
"""At the end of a run no other calls are sent that could succeed. So if at most this many calls are
failing, and others succeeded earlier, the failing ones count as stuck after twice as many failures
as are needed otherwise.
"""


BILLED_TIMES_OF_A_GROUP: Final = 3
"""As `TIMES_OF_A_GROUP`, for empty replies that are billed: each one costs money."""
BILLED_TIMES_OF_ONE: Final = 5
"""As `TIMES_OF_ONE`, for empty replies that are billed."""
BILLED_TIMES_AT_MOST: Final = 8
"""If this many billed empty replies in a row would show that a call is stuck, the call is suspect,
and it is worth paying for the replies that are still missing.
"""


@dataclass(frozen=True, slots=True)
class StuckHistory:
    """A call that failed `times` in a row; how many other calls `passed` and `failed` since its
    first failure, and `passed_ever`.

    `is_billed`: it got a reply, which was empty but has to be paid for.
    """

    times: int
    passed: int
    failed: int
    passed_ever: int = 0
    struggling: int = 1  # calls that failed and have not passed since, this one among them
    is_billed: bool = False
    passed_beside: int = 0  # calls passed since its products first failed, also in other groups

    def is_stuck(self, *, in_company: bool) -> bool:
        """Whether the call itself is at fault, and not the provider.

        `in_company`: it is about more than one product.
        """
        if self.is_billed:
            return self._is_stuck_and_billed(in_company=in_company)
        least = TIMES_OF_A_GROUP if in_company else TIMES_OF_ONE
        if self.passed >= LEAST_PASSED:
            failing = self.failed / (self.passed + self.failed)
            return self.times >= least and bool(failing**self.times < CHANCE)
        is_last = self.struggling <= FEW and self.passed_ever >= LEAST_PASSED
        return is_last and self.times >= 2 * least

    def _is_stuck_and_billed(self, *, in_company: bool) -> bool:
        """`is_stuck` for empty replies that are billed, which needs fewer failures.

        Each other call counts once, however often it failed: otherwise the failures of several such
        products would look like an outage, and be paid for without end.
        """
        if in_company:
            return self.times >= BILLED_TIMES_OF_A_GROUP and self.passed_ever >= LEAST_PASSED
        if self.times >= BILLED_TIMES_OF_ONE and self._is_shown_by(self.times):
            return True
        is_last = self.struggling <= FEW and self.passed_ever >= LEAST_PASSED
        return is_last and self.times >= 2 * BILLED_TIMES_OF_ONE

    @property
    def is_suspect(self) -> bool:
        """Whether `BILLED_TIMES_AT_MOST` empty replies will show that the products are at fault."""
        return self.is_billed and self._is_shown_by(BILLED_TIMES_AT_MOST)

    def _is_shown_by(self, failures: int) -> bool:
        """Whether so many failures in a row are too unlikely to be an outage."""
        others = self.struggling - 1
        if self.passed_beside < LEAST_PASSED:
            return False
        return bool((others / (self.passed_beside + others)) ** failures < CHANCE)


@dataclass(slots=True)
class _Series:
    """A series of failures of one call."""

    times: int
    passed: int  # how many calls had passed before it
    failed: int  # how many calls had failed before it


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
        """Count that this job's call got no usable reply; returns its history since its first
        failure in a row.
        """
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
        """Note that this job's call got a reply."""
        self.forget(job_id)
        self._passed += 1
        for product_id in product_ids if self._since else ():
            self._since.pop(product_id, None)

    def forget(self, job_id: int) -> None:
        """Forget the failures of this job's call."""
        self._struggles.pop(job_id, None)
