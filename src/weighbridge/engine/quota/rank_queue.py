"""A waiting line with ranks: from either end of the ranks, and in order of arrival within a rank.

The governor's waiters stand in it. Joining, leaving and looking at the front take constant time, however
many thousands wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class RankQueue(Generic[T]):
    """Members are told apart by identity; each stands in the line at most once."""

    def __init__(self) -> None:
        self._ranks: dict[int, dict[int, T]] = {}
        self._rank_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rank_of)

    def __iter__(self) -> Iterator[T]:
        """Everybody, the highest rank first."""
        return self.front(highest_first=True)

    def front(self, *, highest_first: bool) -> Iterator[T]:
        """Everybody, from the highest rank or from the lowest."""
        for rank in sorted(self._ranks, reverse=highest_first):
            yield from self._ranks[rank].values()

    def join(self, member: T, rank: int) -> None:
        """Stand behind everybody of the same rank."""
        self._ranks.setdefault(rank, {})[id(member)] = member
        self._rank_of[id(member)] = rank

    def leave(self, member: T) -> None:
        """Step out; nothing happens when the member does not stand in the line."""
        rank = self._rank_of.pop(id(member), None)
        if rank is not None:
            del self._ranks[rank][id(member)]
