"""What is known about a call that is refused again and again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.refusals import PASSED_BEFORE, RefusalHistory, RefusalWatch

HUGE, SMALL, TINY = 9_000, 4_000, 500


def test_refusals_in_a_row_are_counted_and_what_went_through_meanwhile() -> None:
    watch = RefusalWatch()
    assert watch.refused(1, HUGE, None) == RefusalHistory(HUGE, 1, 0, 0)
    watch.passed(2, SMALL)
    watch.passed(3, TINY)
    assert watch.refused(1, HUGE, 8_000) == RefusalHistory(HUGE, 2, 2, SMALL, 8_000)


def test_a_call_that_goes_through_or_fails_otherwise_begins_anew() -> None:
    watch = RefusalWatch()
    watch.refused(1, HUGE, None)
    watch.passed(1, HUGE)
    assert watch.refused(1, HUGE, None).times == 1
    watch.forget(1)
    assert watch.refused(1, HUGE, None).times == 1


def test_another_job_is_another_call() -> None:
    watch = RefusalWatch()
    watch.refused(1, HUGE, None)
    assert watch.refused(2, HUGE, None).times == 1


@given(st.lists(st.integers(1, 20_000), max_size=60), st.lists(st.integers(1, 20_000), max_size=60))
def test_evidence_is_what_passed_since_the_first_refusal_and_the_ten_before(
    before: list[int], since: list[int]
) -> None:
    watch = RefusalWatch()
    for tokens in before:
        watch.passed(2, tokens)
    watch.refused(1, HUGE, None)
    for tokens in since:
        watch.passed(3, tokens)
    evidence = before[-PASSED_BEFORE:] + since
    assert watch.refused(1, HUGE, None) == RefusalHistory(
        HUGE, 2, len(evidence), max(evidence, default=0)
    )
