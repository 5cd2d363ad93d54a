"""What becomes of the products of a call: judged replies, failed calls, and what still applies when
it is written.
"""

from __future__ import annotations

import pytest

from tests.support.engine_builders import job_product
from weighbridge.domain.results import AnswerProvenance
from weighbridge.engine.jobs.failures import break_up
from weighbridge.engine.jobs.judging import sort_refusals
from weighbridge.engine.jobs.recorder import Outcome
from weighbridge.errors import (
    AnswerError,
    AnswerMalformed,
    AnswerTruncated,
    ImplausibleAnswer,
    RequestRefused,
    RequestTooLarge,
)
from weighbridge.limits.retries import MAX_ATTEMPTS, POLICIES, AskAlone, GiveUp, Split
from weighbridge.limits.time_spent import TimeSpent
from weighbridge.steps.base import Refusal
from weighbridge.store.answers import StoredAnswer
from weighbridge.store.membership import Membership


@pytest.mark.parametrize("kind", [AnswerMalformed, AnswerTruncated, ImplausibleAnswer])
def test_a_product_without_a_usable_answer_is_asked_alone_until_its_attempts_are_used_up(
    kind: type[AnswerError],
) -> None:
    group = [job_product(1, "A"), job_product(2, "B", MAX_ATTEMPTS), job_product(3, "C")]
    refusals = [Refusal("A", kind("odd")), Refusal("B", kind("odd"))]
    asked_alone, given_up = sort_refusals(group, refusals, TimeSpent(60.0))
    assert asked_alone == {1: (kind.__name__, "odd")}
    assert given_up == {
        2: (kind.__name__, "No usable answer in 4 attempts. The last error: odd"),
    }


def test_a_product_that_took_too_long_is_given_up_before_its_attempts_are_used_up() -> None:
    spent = TimeSpent(3600.0)
    spent.add([1, 2], 3500.0)
    spent.add([1], 200.0)
    group = [job_product(1, "A"), job_product(2, "B")]
    refusals = [Refusal(product.code, AnswerMalformed("odd")) for product in group]
    asked_alone, given_up = sort_refusals(group, refusals, spent)
    assert set(asked_alone) == {2}
    assert "in 62 minutes of calls" in given_up[1][1]
    assert given_up[1][1].endswith("The last error: odd")
    spent.forget([1])
    assert spent.reason_to_give_up(1) is None


def test_judging_reads_the_retry_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(POLICIES, AnswerMalformed)
    asked_alone, given_up = sort_refusals(
        [job_product(1, "A")], [Refusal("A", AnswerMalformed("odd"))], TimeSpent(60.0)
    )
    assert asked_alone == {}
    assert given_up == {1: ("AnswerMalformed", "odd")}


def test_a_group_that_is_too_large_is_halved() -> None:
    outcome = break_up(1, [1, 2, 3, 4, 5], RequestTooLarge("big"), Split())
    assert outcome == Outcome(1, split=[[1, 2], [3, 4, 5]])


def test_a_group_is_never_given_up_as_a_whole() -> None:
    why = ("RequestRefused", "no")
    for action in (AskAlone(), GiveUp("no")):
        outcome = break_up(1, [1, 2], RequestRefused("no"), action)
        assert outcome == Outcome(1, asked_alone={1: why, 2: why})


def test_a_single_product_is_given_up_with_the_reason() -> None:
    outcome = break_up(1, [7], RequestRefused("no"), GiveUp("no, and why"))
    assert outcome == Outcome(1, given_up={7: ("RequestRefused", "no, and why")})


def answer(product_id: int) -> StoredAnswer:
    return StoredAnswer(
        product_id=product_id,
        step="classification",
        question_fingerprint="f",
        provenance=AnswerProvenance("1", "p", "m", simulated=True, answered_at=None),
        answer={},
        cost_usd=0.0,
    )


def test_answers_of_products_that_left_the_job_are_kept_and_nothing_else_of_them_is() -> None:
    why = ("Kind", "reason")
    outcome = Outcome(
        1,
        answers=[answer(1), answer(2), answer(3)],
        asked_alone={1: why, 2: why},
        given_up={3: why},
        forgiven=[1, 2],
        split=[[1, 2], [2, 3]],
    )
    left = outcome.only(
        Membership(held=True, existing=frozenset({1, 2}), revision_of={1: 1})  # 3 was deleted
    )
    assert [kept.product_id for kept in left.answers] == [1, 2]
    assert left.asked_alone == {1: why}
    assert left.given_up == {}
    assert left.forgiven == [1]
    assert left.split == [[1]]


def test_nothing_is_copied_where_every_product_is_still_in_the_job() -> None:
    outcome = Outcome(1, answers=[answer(1)], given_up={2: ("Kind", "reason")})
    everybody = Membership(held=True, existing=frozenset({1, 2}), revision_of={1: 1, 2: 1})
    assert outcome.only(everybody) is outcome
    assert outcome.leaving_ids() == {2}
