"""Answers hold when they rest on each other, whichever way they were asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.step_builders import STEP_NAMES
from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessTerm,
    ProcessUse,
    StepName,
    Vocabulary,
)
from weighbridge.steps import Questions, build_questions

QUESTIONS = build_questions(small_vocabulary())
KIND, BILL, USES = STEP_NAMES
WHOLE = QUESTIONS.together.version({})


def asked_after(step: StepName, answered: dict[StepName, str]) -> str:
    """The version of a step that is asked alone of a product with these answers."""
    return QUESTIONS.alone[STEP_NAMES.index(step)].version(answered)


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


BOTTLE = Classification("Kitchen & household", "Reusable bottles & flasks", Confidence.HIGH)
STEEL = BillOfMaterials((BomLine("steel_sheet", 0.4, "body"),), 0.4, True, None, Confidence.HIGH)
DRAWN = ManufacturingProcesses((ProcessUse("steel_deep_drawing", "steel_sheet"),), Confidence.HIGH)
ANSWERS: dict[StepName, Answer] = {KIND: BOTTLE, BILL: STEEL, USES: DRAWN}


def held(
    *stored: tuple[StepName, str],
    questions: Questions = QUESTIONS,
    answers: dict[StepName, Answer] = ANSWERS,
) -> dict[StepName, str]:
    return questions.held({(step, version): answers[step] for step, version in stored})


def test_each_way_of_asking_has_its_own_version() -> None:
    assert len(set(POSSIBLE)) == len(POSSIBLE)


def test_answers_given_step_by_step_hold_for_both_ways() -> None:
    stored = ((KIND, KIND_ALONE), (BILL, BILL_ALONE), (USES, USES_ALONE))
    assert held(*stored) == dict(stored)


def test_answers_given_together_hold_for_both_ways() -> None:
    stored = ((KIND, WHOLE), (BILL, WHOLE), (USES, WHOLE))
    assert held(*stored) == dict(stored)


def test_a_missing_part_asked_alone_completes_a_combined_answer() -> None:
    stored = ((KIND, WHOLE), (BILL, BILL_AFTER_WHOLE), (USES, USES_AFTER_BOTH))
    assert held(*stored) == dict(stored)
    stored = ((KIND, WHOLE), (BILL, WHOLE), (USES, USES_AFTER_WHOLE))
    assert held(*stored) == dict(stored)


def test_no_answer_holds_without_its_prerequisites() -> None:
    assert held((BILL, BILL_ALONE), (USES, USES_ALONE)) == {}
    assert held((KIND, KIND_ALONE), (USES, USES_ALONE)) == {KIND: KIND_ALONE}
    assert held((KIND, KIND_ALONE), (BILL, WHOLE), (USES, WHOLE)) == {KIND: KIND_ALONE}


def test_processes_are_never_combined_with_another_bill() -> None:
    assert held((KIND, WHOLE), (BILL, WHOLE), (USES, USES_AFTER_BOTH)) == {KIND: WHOLE, BILL: WHOLE}


def test_the_way_with_more_answers_wins() -> None:
    whole = ((KIND, WHOLE), (BILL, WHOLE), (USES, WHOLE))
    assert held((KIND, KIND_ALONE), *whole) == dict(whole)
    alone = ((KIND, KIND_ALONE), (BILL, BILL_ALONE))
    assert held((KIND, WHOLE), *alone) == dict(alone)


def with_another_prompt(lists: Vocabulary) -> Questions:
    """A newer program's: every step is asked in another way."""
    dolls = {**lists.categories, "Toys": ("Dolls",)}
    welded = {**lists.processes, "welding": ProcessTerm("welding", "Welding", frozenset({"steel"}))}
    return build_questions(replace(lists, categories=dolls, processes=welded))


NEWER = with_another_prompt(small_vocabulary())
ALL_ALONE = ((KIND, KIND_ALONE), (BILL, BILL_ALONE), (USES, USES_ALONE))
ALL_AT_ONCE = ((KIND, WHOLE), (BILL, WHOLE), (USES, WHOLE))


def test_a_changed_prompt_changes_every_version() -> None:
    assert not QUESTIONS.own_versions & NEWER.own_versions
    assert {version for _, version in POSSIBLE} == QUESTIONS.own_versions


@pytest.mark.parametrize("stored", [ALL_ALONE, ALL_AT_ONCE, ALL_ALONE[:1], ALL_AT_ONCE[:2]])
def test_answers_of_another_version_fill_gaps(
    stored: tuple[tuple[StepName, str], ...],
) -> None:
    assert held(*stored, questions=NEWER) == dict(stored)


def test_two_versions_keep_each_others_answers() -> None:
    """Older, newer, older: what each asks rests on what the one before was told."""
    bill = NEWER.alone[1].version({KIND: KIND_ALONE})
    uses = QUESTIONS.alone[2].version({KIND: KIND_ALONE, BILL: bill})
    stored = ((KIND, KIND_ALONE), (BILL, bill), (USES, uses))
    for questions in (QUESTIONS, NEWER):
        assert held(*stored, questions=questions) == dict(stored)


def test_answers_of_our_own_version_win() -> None:
    newer = NEWER.alone[0].version({})
    assert held((KIND, KIND_ALONE), (KIND, newer), questions=NEWER) == {KIND: newer}
    assert held((KIND, KIND_ALONE), (KIND, newer)) == {KIND: KIND_ALONE}


def test_ambiguous_answers_of_another_version_do_not_hold() -> None:
    newer = NEWER.alone[0].version({})
    stored = ((KIND, KIND_ALONE), (KIND, newer), (BILL, "1-of-one-of-them"))
    assert held(*stored) == {KIND: KIND_ALONE}


def test_answers_outside_todays_lists_do_not_hold() -> None:
    lists = small_vocabulary()
    toys = build_questions(replace(lists, categories={"Toys": ["Dolls"]}))
    assert held(*POSSIBLE, questions=toys) == {}
    kept = {key: term for key, term in lists.materials.items() if key != "steel_sheet"}
    no_sheet = build_questions(replace(lists, materials=kept))
    assert held(*ALL_ALONE, questions=no_sheet) == {KIND: KIND_ALONE}
    kept_processes = {k: term for k, term in lists.processes.items() if k != "steel_deep_drawing"}
    no_drawing = build_questions(replace(lists, processes=kept_processes))
    assert held(*ALL_ALONE, questions=no_drawing) == dict(ALL_ALONE[:2])


def test_processes_of_another_version_need_their_materials() -> None:
    other_bill = replace(STEEL, lines=(BomLine("glass_container", 0.4, "body"),))
    answers: dict[StepName, Answer] = {**ANSWERS, BILL: other_bill}
    assert held(*ALL_ALONE, questions=NEWER, answers=answers) == dict(ALL_ALONE[:2])


@given(stored=st.sets(st.sampled_from(POSSIBLE)))
def test_held_answers_form_a_consistent_chain(
    stored: set[tuple[StepName, str]],
) -> None:
    versions = held(*stored)
    assert set(versions.items()) <= stored
    for step, version in versions.items():
        needs = QUESTIONS.alone[STEP_NAMES.index(step)].needs
        at_once = version == WHOLE and all(versions[name] == WHOLE for name in needs)
        assert at_once or version == asked_after(step, versions)
