"""How many calls a worker may begin under a cap that all workers share."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.engine.quota.concurrency_cap import LOOK_AGAIN_S, Room, room_of
from weighbridge.store.workers import Load


def load(number: int, in_flight: int, waiting: int) -> Load:
    return Load(UUID(int=number), in_flight, waiting)


def test_a_worker_alone_has_all_that_is_left_and_nobody_to_look_after() -> None:
    assert room_of(10, load(1, 4, 50), [], now_s=0.0) == Room(6)


def test_two_busy_workers_share_the_cap_and_look_again_soon() -> None:
    room = room_of(10, load(1, 0, 50), [load(2, 5, 50)], now_s=0.0)
    assert room == Room(5, LOOK_AGAIN_S)


def test_what_an_idle_worker_does_not_need_goes_to_the_others() -> None:
    assert room_of(10, load(1, 0, 50), [load(2, 1, 0)], now_s=0.0).calls == 9


def test_with_more_workers_than_calls_everybody_has_a_turn() -> None:
    workers = [load(number, 0, 1) for number in range(3)]
    turns = [
        sum(
            room_of(1, own, [w for w in workers if w is not own], now_s=60.0 * minute).calls
            for minute in range(3)
        )
        for own in workers
    ]
    assert turns == [1, 1, 1]


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=6),
)
def test_workers_that_look_one_after_the_other_never_exceed_the_cap(
    cap: int, workers: list[tuple[int, int]]
) -> None:
    loads = [load(number, 0, waiting) for number, (_, waiting) in enumerate(workers)]
    for index, own in enumerate(loads):
        others = [other for other in loads if other is not own]
        begun = max(0, min(own.waiting, int(room_of(cap, own, others, now_s=0.0).calls)))
        loads[index] = Load(own.worker_id, own.in_flight + begun, own.waiting - begun)
    assert sum(one.in_flight for one in loads) <= cap
