"""The queue in which permit requests wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.engine.quota.rank_queue import RankQueue


class Waiter:
    """Somebody in the queue; two are never equal."""

    def __init__(self, name: int, rank: int) -> None:
        self.name = name
        self.rank = rank


def test_ranks_are_served_from_either_end_and_each_in_order_of_arrival() -> None:
    queue: RankQueue[Waiter] = RankQueue()
    waiters = [Waiter(0, 1), Waiter(1, 3), Waiter(2, 1), Waiter(3, 3)]
    for waiter in waiters:
        queue.add(waiter, waiter.rank)
    assert [waiter.name for waiter in queue] == [1, 3, 0, 2]
    assert [waiter.name for waiter in queue.front(highest_first=False)] == [0, 2, 1, 3]


def test_removing_twice_or_a_stranger_changes_nothing() -> None:
    queue: RankQueue[Waiter] = RankQueue()
    there, stranger = Waiter(0, 1), Waiter(1, 1)
    queue.add(there, 1)
    queue.remove(stranger)
    assert list(queue) == [there]
    queue.remove(there)
    queue.remove(there)
    assert not queue


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans())))
def test_no_item_is_lost_or_doubled(steps: list[tuple[int, bool]]) -> None:
    queue: RankQueue[Waiter] = RankQueue()
    there: list[Waiter] = []
    for name, (rank, is_removed) in enumerate(steps):
        waiter = Waiter(name, rank)
        queue.add(waiter, rank)
        there.append(waiter)
        if is_removed:
            gone = there.pop(0)
            queue.remove(gone)
        assert len(queue) == len(there)
        assert list(queue) == sorted(there, key=lambda w: (-w.rank, w.name))
