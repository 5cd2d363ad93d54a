"""What is known about a call that is refused again and again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.limits.refusals import PASSED_BEFORE, RefusalHistory, RefusalWatch

HUGE, SMALL, TINY = 9_000, 4_000, 500


def test_counts_consecutive_refusals_and_calls_between_them() -> None:
    watch = RefusalWatch()
    assert watch.refused(1, HUGE, None) == RefusalHistory(HUGE, 1, 0, 0)
    watch.passed(2, SMALL)
    watch.passed(3, TINY)
    assert watch.refused(1, HUGE, 8_000) == RefusalHistory(HUGE, 2, 2, SMALL, 8_000)


def test_any_other_outcome_resets_the_count() -> None:
    watch = RefusalWatch()
    watch.refused(1, HUGE, None)
    watch.passed(1, HUGE)
    assert watch.refused(1, HUGE, None).times == 1
    watch.forget(1)
    assert watch.refused(1, HUGE, None).times == 1


def test_refusals_are_counted_per_job() -> None:
    watch = RefusalWatch()
    watch.refused(1, HUGE, None)
    assert watch.refused(2, HUGE, None).times == 1


@given(st.lists(st.integers(1, 20_000), max_size=60), st.lists(st.integers(1, 20_000), max_size=60))
def test_evidence_covers_calls_since_the_first_refusal_and_ten_before(
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
