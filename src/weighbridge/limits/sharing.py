"""How workers share what there is for all of them: groups to work on, and calls at a time. Pure."""

from __future__ import annotations

from math import ceil
from typing import Final

SLACK: Final = 0.1
"""A worker may take so much more than its share: not all wake up at the same moment."""


def fair_share(unfinished: int, workers: int) -> int:
    """How many of `unfinished` groups one of `workers` may hold; alone it may hold all.

    The shares add up to all groups at least, so that none is left lying. What a dead or slow worker does not
    take is taken by the others as their own groups end: the share of what is left is never less than one.
    """
    return min(unfinished, ceil(unfinished / workers * (1 + SLACK)))
