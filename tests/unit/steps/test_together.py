"""One reply about everything: each step counts where those before it do, and nobody's fault harms a
neighbour.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.step_builders import STEP_NAMES, products_reply, reply, subject, whole_entry
from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
    StepName,
)
from weighbridge.domain.calls import FinishReason
from weighbridge.errors import (
    AnswerError,
    AnswerMalformed,
    AnswerTruncated,
    ImplausibleAnswer,
    WrongProducts,
)
from weighbridge.steps import build_questions
from weighbridge.steps.manufacturing import FORMED_BY_NAME

if TYPE_CHECKING:
    from weighbridge.steps.base import Accepted

VOCABULARY = small_vocabulary()
TOGETHER = build_questions(VOCABULARY).together
GROUP = [subject("SHIRT", weight_kg=0.2), subject("CHAIR", weight_kg=4.0), subject("PHONE")]
SHIRT = whole_entry("SHIRT", "T-shirts & tops", {"cotton_fibre": 0.2}, ("knitting", 1))
CHAIR = whole_entry(
    "CHAIR", "Seating & chairs", {"pp_resin": 3.0, "steel_sheet": 1.0}, ("injection_moulding", 1)
)  # fmt: skip
PHONE = whole_entry("PHONE", "Smartphones", {"circuit_board": 0.1, "battery_liion": 0.05})
THREE = [SHIRT, CHAIR, PHONE]
ALL_STEPS: Final = STEP_NAMES
CLASSIFIED: Final = ALL_STEPS[:1]
WITH_BILL: Final = ALL_STEPS[:2]

# Breaks the part of one step in an entry, and leaves the others as they are.
BREAKS: dict[StepName, dict[str, Any]] = {
    Classification.step: {"subcategory": "Spaceships"},
    BillOfMaterials.step: {"materials": []},
    ManufacturingProcesses.step: {"uses": [{"process": "knitting", "line": 9}]},
}


def kept(accepted: Accepted) -> dict[str, tuple[StepName, ...]]:
    return {code: tuple(answers) for code, answers in accepted.answers.items()}


def refused(accepted: Accepted) -> dict[str, type[AnswerError]]:
    assert len({refusal.code for refusal in accepted.refusals}) == len(accepted.refusals)
    return {refusal.code: type(refusal.error) for refusal in accepted.refusals}


def test_every_product_gets_the_answers_to_all_steps() -> None:
    accepted = TOGETHER.accept(products_reply(THREE), GROUP)
    assert kept(accepted) == dict.fromkeys(("SHIRT", "CHAIR", "PHONE"), ALL_STEPS)
    assert not accepted.refusals
    shirt = accepted.answers["SHIRT"]
    assert shirt[Classification.step] == Classification(
        "Apparel", "T-shirts & tops", Confidence.HIGH
    )
    bill = shirt[BillOfMaterials.step]
    assert isinstance(bill, BillOfMaterials)
    assert bill.mass_kg == pytest.approx(0.2)
    assert bill.confidence is Confidence.MEDIUM
    assert shirt[ManufacturingProcesses.step] == ManufacturingProcesses(
        (ProcessUse("knitting", "cotton_fibre", 1),), Confidence.LOW
    )


def test_prerequisites_come_first_in_the_schema() -> None:
    schema = TOGETHER.request(GROUP, 100).schema
    entry = schema["properties"]["products"]["items"]
    assert list(entry["properties"]) == [
        "code",
        "subcategory",
        "subcategory_confidence",
        "weight_plausible",
        "weight_basis",
        "materials",
        "attributes",
        "materials_confidence",
        "uses",
        "uses_confidence",
    ]


def test_the_combined_question_says_by_names_what_is_formed() -> None:
    request = TOGETHER.request(GROUP, 100)
    assert FORMED_BY_NAME in request.instructions
    assert '"formed": true' not in request.instructions
    assert "category" not in json.loads(request.content.splitlines()[1])["products"][0]
    assert '"confidence"' not in request.instructions


def test_a_process_on_a_formed_material_is_left_out_of_a_combined_answer() -> None:
    screws = {"material": "steel_fasteners", "mass_kg": 0.1, "component": "screws"}
    uses = [
        {"process": "injection_moulding", "line": 1},
        {"process": "steel_deep_drawing", "line": 2},
    ]
    entry = {**CHAIR, "materials": [CHAIR["materials"][0], screws], "uses": uses}
    accepted = TOGETHER.accept(products_reply([SHIRT, entry, PHONE]), GROUP)
    answer = accepted.answers["CHAIR"][ManufacturingProcesses.step]
    assert isinstance(answer, ManufacturingProcesses)
    assert [use.line for use in answer.uses] == [1]


def test_no_rule_stands_twice_in_the_combined_question() -> None:
    rules = [rule for rule in TOGETHER.request(GROUP, 100).instructions.splitlines() if rule]
    assert len(rules) == len(set(rules))
    assert sum("a known model" in rule for rule in rules) == 1


@pytest.mark.parametrize(
    ("broken", "remains"),
    [
        (Classification.step, None),
        (BillOfMaterials.step, CLASSIFIED),
        (ManufacturingProcesses.step, WITH_BILL),
    ],
)
def test_parts_before_a_bad_part_are_kept(
    broken: StepName, remains: tuple[StepName, ...] | None
) -> None:
    entries = [SHIRT, {**CHAIR, **BREAKS[broken]}, PHONE]
    accepted = TOGETHER.accept(products_reply(entries), GROUP)
    assert kept(accepted) == {
        "SHIRT": ALL_STEPS,
        "PHONE": ALL_STEPS,
        **({"CHAIR": remains} if remains else {}),
    }
    assert list(refused(accepted)) == ["CHAIR"]
    assert "CHAIR" in str(accepted.refusals[0].error)


def test_processes_for_a_line_outside_the_bill_are_refused() -> None:
    """The chair has two lines, the shirt one."""
    swapped = {**SHIRT, "uses": [{"process": "steel_deep_drawing", "line": 2}]}
    accepted = TOGETHER.accept(products_reply([swapped, CHAIR]), GROUP[:2])
    assert kept(accepted) == {"SHIRT": WITH_BILL, "CHAIR": ALL_STEPS}
    assert refused(accepted) == {"SHIRT": ImplausibleAnswer}


def test_swapped_masses_are_noticed_by_weight() -> None:
    swapped = [{**SHIRT, "code": "CHAIR"}, {**CHAIR, "code": "SHIRT"}]
    accepted = TOGETHER.accept(products_reply(swapped), GROUP[:2])
    assert refused(accepted) == {"SHIRT": ImplausibleAnswer, "CHAIR": ImplausibleAnswer}


def test_a_bill_copied_across_categories_is_refused() -> None:
    copy = {**CHAIR, "code": "PHONE", "subcategory": "Smartphones"}
    accepted = TOGETHER.accept(products_reply([CHAIR, copy]), GROUP[1:])
    assert kept(accepted) == {"CHAIR": ALL_STEPS, "PHONE": CLASSIFIED}
    assert refused(accepted) == {"PHONE": WrongProducts}


def test_a_product_answered_twice_keeps_what_agrees() -> None:
    other = {**CHAIR, "materials": PHONE["materials"], "uses": []}
    group = [subject("CHAIR")]
    accepted = TOGETHER.accept(products_reply([CHAIR, other]), group)
    assert kept(accepted) == {"CHAIR": CLASSIFIED}
    assert refused(accepted) == {"CHAIR": WrongProducts}


def test_foreign_products_are_ignored_and_missing_ones_refused() -> None:
    accepted = TOGETHER.accept(products_reply([SHIRT, {**CHAIR, "code": "NOT-ASKED"}]), GROUP[:2])
    assert kept(accepted) == {"SHIRT": ALL_STEPS}
    assert refused(accepted) == {"CHAIR": WrongProducts}


def test_each_part_has_its_own_confidence() -> None:
    entry = {**SHIRT}
    del entry["uses_confidence"]
    accepted = TOGETHER.accept(products_reply([{**entry, "confidence": "high"}]), GROUP[:1])
    assert kept(accepted) == {"SHIRT": WITH_BILL}
    assert refused(accepted) == {"SHIRT": AnswerMalformed}


def test_a_truncated_reply_keeps_complete_products() -> None:
    text = json.dumps({"products": THREE})
    cut = text[: text.index('"PHONE"') + 40]
    accepted = TOGETHER.accept(reply(cut, FinishReason.LENGTH), GROUP)
    assert kept(accepted) == {"SHIRT": ALL_STEPS, "CHAIR": ALL_STEPS}
    assert refused(accepted) == {"PHONE": AnswerTruncated}


@given(
    faults=st.lists(st.sampled_from([None, "missing", *ALL_STEPS]), min_size=3, max_size=3),
    order=st.permutations(range(3)),
    foreign=st.booleans(),
    doubled=st.booleans(),
)
def test_each_product_keeps_the_steps_before_its_fault(
    faults: list[str | None], order: list[int], foreign: bool, doubled: bool
) -> None:
    entries = []
    expected: dict[str, tuple[StepName, ...]] = {}
    for entry, fault in zip(THREE, faults, strict=True):
        if fault is not None and fault in BREAKS:
            entries.append({**entry, **BREAKS[fault]})
            steps = ALL_STEPS[: ALL_STEPS.index(fault)]
        else:
            entries += [] if fault else [entry]
            steps = () if fault else ALL_STEPS
        expected |= {entry["code"]: steps} if steps else {}
    entries = [entries[position] for position in order if position < len(entries)]
    entries += [{**SHIRT, "code": "NOT-ASKED"}] if foreign else []
    entries += entries[:1] if doubled else []
    accepted = TOGETHER.accept(products_reply(entries), GROUP)
    assert kept(accepted) == expected
    assert set(refused(accepted)) == {
        asked.product.code for asked in GROUP if expected.get(asked.product.code) != ALL_STEPS
    }


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(SHIRT)), ANY_JSON, max_size=4))
def test_no_reply_raises_or_harms_a_neighbour(changes: dict[str, Any]) -> None:
    accepted = TOGETHER.accept(products_reply([{**SHIRT, **changes}, CHAIR]), GROUP[:2])
    assert kept(accepted)["CHAIR"] == ALL_STEPS
    is_whole = kept(accepted).get("SHIRT") == ALL_STEPS
    assert is_whole is ("SHIRT" not in refused(accepted))
