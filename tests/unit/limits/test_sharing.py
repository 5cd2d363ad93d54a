"""What each worker may take of what there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.sharing import SLACK, deal, fair_share

GROUPS = st.integers(0, 10_000)
WORKERS = st.integers(1, 200)


@given(GROUPS)
def test_a_single_worker_may_take_everything(groups: int) -> None:
    assert fair_share(groups, 1) == groups


@given(GROUPS, WORKERS)
def test_all_groups_are_shared_evenly(groups: int, workers: int) -> None:
    share = fair_share(groups, workers)
    assert share * workers >= groups
    assert share <= groups / workers * (1 + SLACK) + 1


@given(st.integers(1, 10_000), WORKERS)
def test_every_worker_gets_some_work(groups: int, workers: int) -> None:
    assert fair_share(groups, workers) >= 1


WANTED = st.dictionaries(st.integers(0, 1_000), st.integers(0, 50), max_size=30)


@given(st.integers(0, 20), WANTED, st.integers(0, 10**9))
def test_shares_exceed_neither_supply_nor_demand(
    most: int, wanted: dict[int, int], turn: int
) -> None:
    dealt = deal(most, wanted, turn)
    assert sum(dealt.values()) == min(most, sum(wanted.values()))
    assert all(dealt[name] <= wanted[name] for name in wanted)


@given(st.integers(0, 20), WANTED, st.integers(0, 10**9))
def test_shares_below_demand_differ_by_at_most_one(
    most: int, wanted: dict[int, int], turn: int
) -> None:
    dealt = deal(most, wanted, turn)
    largest = max(dealt.values(), default=0)
    assert all(dealt[name] in {wanted[name], largest, largest - 1} for name in wanted)


@given(st.integers(1, 20), st.integers(1, 50))
def test_workers_take_turns_if_there_are_fewer_calls(most: int, workers: int) -> None:
    wanted = dict.fromkeys(range(workers), 5)
    turns = [deal(most, wanted, turn) for turn in range(workers)]
    assert all(any(dealt[name] for dealt in turns) for name in wanted)
