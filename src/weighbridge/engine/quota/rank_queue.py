"""A queue with ranks, read from the highest or the lowest rank, and in order of arrival within a
rank.

The governor keeps its waiting permit requests in it. Adding, removing and reading the first items
take constant time, however many thousands wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class RankQueue(Generic[T]):
    """A queue of objects, which are compared by identity; each is in the queue at most once."""

    def __init__(self) -> None:
        self._ranks: dict[int, dict[int, T]] = {}
        self._rank_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rank_of)

    def __iter__(self) -> Iterator[T]:
        """All items, the highest rank first."""
        return self.front(highest_first=True)

    def front(self, *, highest_first: bool) -> Iterator[T]:
        """All items, from the highest rank or from the lowest."""
        for rank in sorted(self._ranks, reverse=highest_first):
            yield from self._ranks[rank].values()

    def add(self, item: T, rank: int) -> None:
        """Put the item behind all others of the same rank."""
        self._ranks.setdefault(rank, {})[id(item)] = item
        self._rank_of[id(item)] = rank

    def remove(self, item: T) -> None:
        """Take the item out; no effect if it is not in the queue."""
        rank = self._rank_of.pop(id(item), None)
        if rank is not None:
            del self._ranks[rank][id(item)]
