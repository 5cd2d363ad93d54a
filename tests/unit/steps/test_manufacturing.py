"""Step 3: processes for materials of the product's own bill, never shaping what is already
shaped.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.step_builders import (
    AskedAlone,
    products_reply,
    reply,
    subject,
    uses_entry,
    with_bill,
)
from tests.support.vocabulary import generated_vocabulary, small_vocabulary
from weighbridge.domain.answers import Confidence, ManufacturingProcesses, ProcessUse, Subject
from weighbridge.errors import AnswerError, AnswerMalformed, ImplausibleAnswer
from weighbridge.steps.manufacturing import ManufacturingStep, process_table

STEP = AskedAlone(ManufacturingStep(small_vocabulary()))
CHAIR = with_bill("A", "pp_resin", "pp_formed", "steel_sheet", "steel_fasteners", "water")
RESIN, FORMED, SHEET, FASTENERS, WATER = range(1, 6)
"""The lines of the chair's bill."""


def accepted_uses(*uses: tuple[str, int], of: Subject = CHAIR) -> list[tuple[str, int | None]]:
    accepted = STEP.accept(products_reply([uses_entry("A", *uses)]), [of])
    answer = accepted.answers["A"]
    assert isinstance(answer, ManufacturingProcesses)
    return [(use.process, use.line) for use in answer.uses]


def refusal(entry: dict[str, Any]) -> AnswerError:
    accepted = STEP.accept(products_reply([entry]), [CHAIR])
    assert not accepted.answers
    return accepted.refusals[0].error


def test_fitting_processes_keep_their_order() -> None:
    uses = (("steel_deep_drawing", SHEET), ("injection_moulding", RESIN))
    assert accepted_uses(*uses) == list(uses)


def test_duplicate_uses_are_merged() -> None:
    use = ("injection_moulding", RESIN)
    assert accepted_uses(use, use) == [use]


def test_an_empty_list_is_an_answer() -> None:
    assert accepted_uses() == []


def test_shaping_of_a_formed_material_is_dropped_and_the_rest_kept() -> None:
    moulding = ("injection_moulding", RESIN)
    assert accepted_uses(("injection_moulding", FORMED), moulding) == [moulding]


def test_a_product_of_formed_materials_alone_has_no_processes() -> None:
    assert accepted_uses(("steel_deep_drawing", FASTENERS)) == []


def test_a_process_of_another_family_is_dropped_alone() -> None:
    moulding = ("injection_moulding", RESIN)
    assert accepted_uses(("dyeing", RESIN), moulding) == [moulding]


def test_an_answer_with_nothing_fitting_becomes_empty_with_low_confidence() -> None:
    entry = uses_entry("A", ("dyeing", WATER), ("wood_planing", SHEET))
    accepted = STEP.accept(products_reply([{**entry, "confidence": "high"}]), [CHAIR])
    assert accepted.answers == {"A": ManufacturingProcesses((), Confidence.LOW)}


def test_an_empty_list_and_dropped_shaping_leave_the_confidence_as_it_is() -> None:
    for uses in ((), (("injection_moulding", FORMED),)):
        entry = {**uses_entry("A", *uses), "confidence": "high"}
        accepted = STEP.accept(products_reply([entry]), [CHAIR])
        assert accepted.answers == {"A": ManufacturingProcesses((), Confidence.HIGH)}


def entry_with_line(line: object) -> dict[str, Any]:
    return {
        "code": "A",
        "uses": [{"process": "injection_moulding", "line": line}],
        "confidence": "high",
    }


@pytest.mark.parametrize("line", [0, -1, 6, 10**20])
def test_a_line_outside_the_products_own_bill_is_implausible(line: int) -> None:
    error = refusal(entry_with_line(line))
    assert isinstance(error, ImplausibleAnswer)
    assert "the bill of materials has 5 lines" in str(error)


@pytest.mark.parametrize("line", ["1", "pp_resin", None, 1.5, True, [1]])
def test_a_line_that_is_not_a_number_is_malformed(line: object) -> None:
    assert isinstance(refusal(entry_with_line(line)), AnswerMalformed)


def test_lines_of_one_material_are_worked_each_in_its_own_way() -> None:
    bench = with_bill("A", "aluminium_primary", "aluminium_primary")
    answer = STEP.accept(
        products_reply([uses_entry("A", ("aluminium_extrusion", 1), ("aluminium_anodising", 2))]),
        [bench],
    ).answers["A"]
    assert isinstance(answer, ManufacturingProcesses)
    assert answer.uses == (
        ProcessUse("aluminium_extrusion", "aluminium_primary", 1),
        ProcessUse("aluminium_anodising", "aluminium_primary", 2),
    )


@pytest.mark.parametrize(
    "change", [{"uses": None}, {"uses": [1]}, {"uses": [{"process": "magic"}]}, {"confidence": 1}]
)
def test_a_wrong_shape_is_malformed(change: dict[str, Any]) -> None:
    assert isinstance(refusal({**uses_entry("A"), **change}), AnswerMalformed)


def test_more_than_thirty_processes_are_implausible() -> None:
    vocabulary = generated_vocabulary(subcategories=1, materials=31, processes=31 * 15)
    step = AskedAlone(ManufacturingStep(vocabulary))
    material = "material_of_a_kind_000001"  # of family_1, not formed
    fitting = [key for key, term in vocabulary.processes.items() if "family_1" in term.families]
    assert len(fitting) == 31
    for count, answers in ((30, 1), (31, 0)):
        entry = uses_entry("A", *((process, 1) for process in fitting[:count]))
        accepted = step.accept(products_reply([entry]), [with_bill("A", material)])
        assert len(accepted.answers) == answers


def test_a_material_removed_from_the_vocabulary_takes_no_process() -> None:
    """A bill from an older vocabulary: its step version would differ, but nothing may break."""
    old = with_bill("A", "pp_resin", "a_material_of_old")
    moulding = ("injection_moulding", 1)
    assert accepted_uses(moulding, ("injection_moulding", 2), of=old) == [moulding]


def test_products_include_families_and_the_formed_mark() -> None:
    content = STEP.request([CHAIR], 100).content
    product = json.loads(content.splitlines()[1])["products"][0]
    rows = {row["material"]: row for row in product["materials"]}
    assert rows["pp_formed"] == {
        "line": FORMED,
        "material": "pp_formed",
        "component": "part",
        "mass_kg": 1.0,
        "family": "plastic",
        "formed": True,
    }
    assert "formed" not in rows["pp_resin"]
    assert product["category"] == "Furniture > Seating & chairs"


def test_asking_without_a_bill_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="no bill of materials"):
        STEP.request([subject("A")], 100)


def test_the_table_has_one_line_for_each_set_of_families() -> None:
    table = process_table(small_vocabulary().processes.values()).splitlines()
    assert "- stainless, steel: steel_deep_drawing" in table
    assert "- textile_fabric, textile_fibre: knitting, dyeing" in table
    assert len(table) == 8


@given(
    uses=st.lists(
        st.tuples(
            st.sampled_from([*small_vocabulary().processes, "magic"]),
            st.integers(0, 6),
        ),
        max_size=8,
    )
)
def test_what_is_accepted_always_fits_the_bill(uses: list[tuple[str, int]]) -> None:
    vocabulary = small_vocabulary()
    accepted = STEP.accept(reply(json.dumps({"products": [uses_entry("A", *uses)]})), [CHAIR])
    assert len(accepted.answers) + len(accepted.refusals) == 1
    for answer in accepted.answers.values():
        assert isinstance(answer, ManufacturingProcesses)
        assert answer.confidence is Confidence.LOW
        for use in answer.uses:
            assert isinstance(use, ProcessUse)
            term = vocabulary.materials[use.material]
            assert not term.includes_forming
            assert term.family in vocabulary.processes[use.process].families


def test_processes_of_one_line_are_replaced_and_those_of_a_like_line_kept() -> None:
    two_sheets = with_bill("A", "steel_sheet", "steel_sheet")
    by_material = ProcessUse("steel_deep_drawing", "steel_sheet")  # answers of earlier versions
    given = ManufacturingProcesses((by_material,), Confidence.HIGH)
    step = ManufacturingStep(small_vocabulary())
    corrected = step.correct(two_sheets, given, ("lines", "2"), [])
    assert corrected.uses == (ProcessUse("steel_deep_drawing", "steel_sheet", 1),)
