"""How workers share jobs and concurrent calls. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = TypeVar("Name")

SLACK: Final = 0.1
"""Factor by which a worker may exceed its share: not all workers wake up at the same moment."""


def fair_share(unfinished: int, workers: int) -> int:
    """How many of `unfinished` jobs one of `workers` may hold; a single worker may hold all.

    The shares add up to at least all jobs, so that none is left. What a dead or slow worker does
    not take, the others take as their own jobs end: the share of what is left is never less than
    one.
    """
    return min(unfinished, ceil(unfinished / workers * (1 + SLACK)))


def deal(most: int, wanted: Mapping[Name, int], turn: int = 0) -> dict[Name, int]:
    """Deal `most` out one by one, to each who wants more, until there are none or nobody wants
    more.

    Where they do not come out even, `turn` says who is first: by the next one everybody has moved
    up.
    """
    names = list(wanted)
    first = turn % len(names) if names else 0
    in_turn = names[first:] + names[:first]
    dealt = dict.fromkeys(names, 0)
    while most > 0 and (hungry := [name for name in in_turn if dealt[name] < wanted[name]]):
        for name in hungry[:most]:
            dealt[name] += 1
        most -= len(hungry)
    return dealt
