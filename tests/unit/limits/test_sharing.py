"""What each worker may take of what there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.sharing import SLACK, deal, fair_share

GROUPS = st.integers(0, 10_000)
WORKERS = st.integers(1, 200)


@given(GROUPS)
def test_a_worker_that_is_alone_may_take_everything(groups: int) -> None:
    assert fair_share(groups, 1) == groups


@given(GROUPS, WORKERS)
def test_no_group_is_left_lying_and_nobody_takes_much_more_than_others(
    groups: int, workers: int
) -> None:
    share = fair_share(groups, workers)
    assert share * workers >= groups
    assert share <= groups / workers * (1 + SLACK) + 1


@given(st.integers(1, 10_000), WORKERS)
def test_while_there_is_work_everybody_may_take_some(groups: int, workers: int) -> None:
    assert fair_share(groups, workers) >= 1


WANTED = st.dictionaries(st.integers(0, 1_000), st.integers(0, 50), max_size=30)


@given(st.integers(0, 20), WANTED, st.integers(0, 10**9))
def test_no_more_is_dealt_than_there_is_and_nobody_gets_more_than_wanted(
    most: int, wanted: dict[int, int], turn: int
) -> None:
    dealt = deal(most, wanted, turn)
    assert sum(dealt.values()) == min(most, sum(wanted.values()))
    assert all(dealt[name] <= wanted[name] for name in wanted)


@given(st.integers(0, 20), WANTED, st.integers(0, 10**9))
def test_who_gets_less_than_wanted_gets_as_much_as_anybody_but_for_one(
    most: int, wanted: dict[int, int], turn: int
) -> None:
    dealt = deal(most, wanted, turn)
    largest = max(dealt.values(), default=0)
    assert all(dealt[name] in {wanted[name], largest, largest - 1} for name in wanted)


@given(st.integers(1, 20), st.integers(1, 50))
def test_everybody_has_a_turn_where_there_are_more_workers_than_calls(
    most: int, workers: int
) -> None:
    wanted = dict.fromkeys(range(workers), 5)
    turns = [deal(most, wanted, turn) for turn in range(workers)]
    assert all(any(dealt[name] for dealt in turns) for name in wanted)
