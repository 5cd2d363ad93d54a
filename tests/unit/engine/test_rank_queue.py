"""The line in which the governor's waiters stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.engine.quota.rank_queue import RankQueue


class Waiter:
    """Somebody in the line; two are never equal."""

    def __init__(self, name: int, rank: int) -> None:
        self.name = name
        self.rank = rank


def test_ranks_are_served_from_either_end_and_within_a_rank_who_came_first() -> None:
    line: RankQueue[Waiter] = RankQueue()
    waiters = [Waiter(0, 1), Waiter(1, 3), Waiter(2, 1), Waiter(3, 3)]
    for waiter in waiters:
        line.join(waiter, waiter.rank)
    assert [waiter.name for waiter in line] == [1, 3, 0, 2]
    assert [waiter.name for waiter in line.front(highest_first=False)] == [0, 2, 1, 3]


def test_who_leaves_twice_or_never_came_changes_nothing() -> None:
    line: RankQueue[Waiter] = RankQueue()
    there, stranger = Waiter(0, 1), Waiter(1, 1)
    line.join(there, 1)
    line.leave(stranger)
    assert list(line) == [there]
    line.leave(there)
    line.leave(there)
    assert not line


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans())))
def test_nobody_is_lost_and_nobody_stands_twice(steps: list[tuple[int, bool]]) -> None:
    line: RankQueue[Waiter] = RankQueue()
    there: list[Waiter] = []
    for name, (rank, leaves) in enumerate(steps):
        waiter = Waiter(name, rank)
        line.join(waiter, rank)
        there.append(waiter)
        if leaves:
            gone = there.pop(0)
            line.leave(gone)
        assert len(line) == len(there)
        assert list(line) == sorted(there, key=lambda w: (-w.rank, w.name))
