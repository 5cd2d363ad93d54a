"""How workers share jobs and concurrent calls. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = TypeVar("Name")

SLACK: Final = 0.1
"""Fraction by which a worker may exceed its share of the jobs: not all workers look for jobs at the
same moment.
"""


def fair_share(unfinished: int, workers: int) -> int:
    """How many of `unfinished` jobs one of `workers` may hold; a single worker may hold all.

    The shares add up to at least all jobs, so that none is left over. The jobs that a dead or slow
    worker does not take go to the others as they finish theirs: while any job is left, a share is
    at least one.
    """
    return min(unfinished, ceil(unfinished / workers * (1 + SLACK)))


def deal(total: int, wanted: Mapping[Name, int], turn: int = 0) -> dict[Name, int]:
    """How many of `total` concurrent calls each name gets: dealt out one by one, and nobody gets
    more than `wanted`.

    Where not all can get the same, the first get one more; each next `turn` begins with the next
    name, so that everybody is first in time.
    """
    names = list(wanted)
    first = turn % len(names) if names else 0
    in_turn = names[first:] + names[:first]
    dealt = dict.fromkeys(names, 0)
    while total > 0 and (unsatisfied := [name for name in in_turn if dealt[name] < wanted[name]]):
        for name in unsatisfied[:total]:
            dealt[name] += 1
        total -= len(unsatisfied)
    return dealt
