"""Answers hold when they rest on each other, whichever way they were asked for."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import StepName
from weighbridge.steps import Questions, build_questions, held_answers

QUESTIONS = build_questions(small_vocabulary())
KIND, BILL, USES = StepName
WHOLE = QUESTIONS.together.version({})


def asked_after(step: StepName, answered: dict[StepName, str]) -> str:
    """The version of a step that is asked alone of a product with these answers."""
    return QUESTIONS.alone[list(StepName).index(step)].version(answered)


KIND_ALONE = asked_after(KIND, {})
BILL_ALONE = asked_after(BILL, {KIND: KIND_ALONE})
USES_ALONE = asked_after(USES, {KIND: KIND_ALONE, BILL: BILL_ALONE})
BILL_AFTER_WHOLE = asked_after(BILL, {KIND: WHOLE})
USES_AFTER_WHOLE = asked_after(USES, {KIND: WHOLE, BILL: WHOLE})
USES_AFTER_BOTH = asked_after(USES, {KIND: WHOLE, BILL: BILL_AFTER_WHOLE})
POSSIBLE = [
    (KIND, KIND_ALONE),
    (KIND, WHOLE),
    (BILL, BILL_ALONE),
    (BILL, WHOLE),
    (BILL, BILL_AFTER_WHOLE),
    (USES, USES_ALONE),
    (USES, WHOLE),
    (USES, USES_AFTER_WHOLE),
    (USES, USES_AFTER_BOTH),
]


def held(*stored: tuple[StepName, str], questions: Questions = QUESTIONS) -> dict[StepName, str]:
    found = held_answers(dict.fromkeys(stored, "an answer"), questions.alone, questions.together)
    return {step: version for step, (version, _) in found.items()}


def test_the_ways_to_ask_have_versions_of_their_own() -> None:
    assert len(set(POSSIBLE)) == len(POSSIBLE)


def test_answers_given_step_by_step_hold_whichever_way_is_asked_now() -> None:
    stored = ((KIND, KIND_ALONE), (BILL, BILL_ALONE), (USES, USES_ALONE))
    assert held(*stored) == dict(stored)


def test_answers_given_at_once_hold_too() -> None:
    stored = ((KIND, WHOLE), (BILL, WHOLE), (USES, WHOLE))
    assert held(*stored) == dict(stored)


def test_what_was_missing_from_an_answer_at_once_and_asked_alone_holds_with_it() -> None:
    stored = ((KIND, WHOLE), (BILL, BILL_AFTER_WHOLE), (USES, USES_AFTER_BOTH))
    assert held(*stored) == dict(stored)
    stored = ((KIND, WHOLE), (BILL, WHOLE), (USES, USES_AFTER_WHOLE))
    assert held(*stored) == dict(stored)


def test_nothing_holds_without_what_it_rests_on() -> None:
    assert held((BILL, BILL_ALONE), (USES, USES_ALONE)) == {}
    assert held((KIND, KIND_ALONE), (USES, USES_ALONE)) == {KIND: KIND_ALONE}
    assert held((KIND, KIND_ALONE), (BILL, WHOLE), (USES, WHOLE)) == {KIND: KIND_ALONE}


def test_processes_are_never_taken_with_a_bill_that_they_were_not_chosen_for() -> None:
    assert held((KIND, WHOLE), (BILL, WHOLE), (USES, USES_AFTER_BOTH)) == {KIND: WHOLE, BILL: WHOLE}


def test_of_two_ways_the_one_with_more_answers_is_taken() -> None:
    whole = ((KIND, WHOLE), (BILL, WHOLE), (USES, WHOLE))
    assert held((KIND, KIND_ALONE), *whole) == dict(whole)
    alone = ((KIND, KIND_ALONE), (BILL, BILL_ALONE))
    assert held((KIND, WHOLE), *alone) == dict(alone)


def test_nothing_of_a_question_that_is_no_longer_asked_holds() -> None:
    other = build_questions(replace(small_vocabulary(), categories={"Toys": ["Dolls"]}))
    assert held(*POSSIBLE, questions=other) == {}


@given(stored=st.sets(st.sampled_from(POSSIBLE)))
def test_every_answer_that_holds_rests_on_the_others_that_hold(
    stored: set[tuple[StepName, str]],
) -> None:
    versions = held(*stored)
    assert set(versions.items()) <= stored
    for step, version in versions.items():
        needs = QUESTIONS.alone[list(StepName).index(step)].needs
        at_once = version == WHOLE and all(versions[name] == WHOLE for name in needs)
        assert at_once or version == asked_after(step, versions)
