"""What each worker may take of what there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.sharing import SLACK, fair_share

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
