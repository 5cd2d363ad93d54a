"""What the files of a batch hold together: replies, strangers, and what is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.batches import BatchStatus, RemoteBatch, ResultFile, ResultLine
from weighbridge.engine.batches.results import Flaws, merged

REPLY, ERROR, NOTHING = 200, 400, None


def file(*lines: tuple[str, int | None], unreadable: int = 0) -> ResultFile:
    return ResultFile(tuple(ResultLine(key, status) for key, status in lines), unreadable)


def ended(completed: int, total: int = 3) -> RemoteBatch:
    return RemoteBatch("batch_1", BatchStatus.COMPLETED, total, completed, total - completed)


def test_results_that_are_all_there_have_no_flaws() -> None:
    results = merged([file(("a", REPLY), ("b", REPLY)), file(("c", ERROR))])
    assert results.flaws(ended(completed=2), 3, {"a", "b", "c"}) == Flaws()


def test_a_reply_beats_an_error_and_an_error_beats_nothing() -> None:
    results = merged([file(("a", NOTHING), ("b", ERROR)), file(("a", ERROR), ("b", REPLY))])
    assert results.lines == {"a": ResultLine("a", ERROR), "b": ResultLine("b", REPLY)}


def test_what_is_on_record_since_an_earlier_reading_is_no_stranger() -> None:
    results = merged([file(("a", REPLY), ("b", REPLY), ("c", REPLY))])
    assert results.flaws(ended(completed=3), 3, {"c"}) == Flaws()
    assert results.flaws(ended(completed=3), 2, {"c"}) == Flaws(strangers=1)


def test_a_claimed_reply_that_is_in_no_line_is_lost() -> None:
    results = merged([file(("a", REPLY), unreadable=1)])
    assert results.flaws(ended(completed=2), 3, {"a", "b", "c"}) == Flaws(unreadable=1, lost=1)


def test_requests_that_nobody_came_to_are_not_lost() -> None:
    results = merged([file(("a", REPLY)), file(("b", NOTHING), ("c", NOTHING))])
    assert results.flaws(ended(completed=1), 3, {"a", "b", "c"}) == Flaws()


def test_without_counts_everything_unanswered_may_be_billed() -> None:
    results = merged([ResultFile(is_missing=True)])
    flaws = results.flaws(ended(completed=0, total=0), 3, {"a", "b", "c"})
    assert flaws == Flaws(missing_files=1, lost=3)


def test_a_page_in_place_of_a_file_is_garbage_and_an_empty_file_is_not() -> None:
    assert merged([file(unreadable=3)]).are_garbage
    assert not merged([file()]).are_garbage
    assert not merged([file(("a", REPLY), unreadable=3)]).are_garbage


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([REPLY, ERROR, NOTHING]))),
    st.sets(st.sampled_from("abcd")),
    st.integers(0, 4),
)
def test_never_more_is_lost_than_is_unanswered(
    lines: list[tuple[str, int | None]], waiting: set[str], completed: int
) -> None:
    results = merged([file(*lines)])
    flaws = results.flaws(ended(completed, total=4), 4, waiting)
    assert 0 <= flaws.lost <= sum(not results.is_answered(key) for key in waiting)
    assert flaws.strangers >= 0
