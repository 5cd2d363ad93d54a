"""Step 3: processes for materials of the product's own bill, never shaping what is already shaped."""

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


def accepted_uses(*uses: tuple[str, str], of: Subject = CHAIR) -> list[tuple[str, str]]:
    accepted = STEP.accept(products_reply([uses_entry("A", *uses)]), [of])
    answer = accepted.answers["A"]
    assert isinstance(answer, ManufacturingProcesses)
    return [(use.process, use.material) for use in answer.uses]


def refusal(entry: dict[str, Any]) -> AnswerError:
    accepted = STEP.accept(products_reply([entry]), [CHAIR])
    assert not accepted.answers
    return accepted.refusals[0].error


def test_fitting_processes_keep_their_order() -> None:
    uses = (("steel_deep_drawing", "steel_sheet"), ("injection_moulding", "pp_resin"))
    assert accepted_uses(*uses) == list(uses)


def test_duplicate_uses_are_merged() -> None:
    use = ("injection_moulding", "pp_resin")
    assert accepted_uses(use, use) == [use]


def test_an_empty_list_is_an_answer() -> None:
    assert accepted_uses() == []


def test_shaping_of_a_formed_material_is_dropped_and_the_rest_kept() -> None:
    moulding = ("injection_moulding", "pp_resin")
    assert accepted_uses(("injection_moulding", "pp_formed"), moulding) == [moulding]


def test_a_product_of_formed_materials_alone_has_no_processes() -> None:
    assert accepted_uses(("steel_deep_drawing", "steel_fasteners")) == []


def test_a_process_of_another_family_is_dropped_alone() -> None:
    moulding = ("injection_moulding", "pp_resin")
    assert accepted_uses(("dyeing", "pp_resin"), moulding) == [moulding]


def test_an_answer_with_nothing_fitting_becomes_empty_with_low_confidence() -> None:
    entry = uses_entry("A", ("dyeing", "water"), ("wood_planing", "steel_sheet"))
    accepted = STEP.accept(products_reply([{**entry, "confidence": "high"}]), [CHAIR])
    assert accepted.answers == {"A": ManufacturingProcesses((), Confidence.LOW)}


def test_an_empty_list_and_dropped_shaping_leave_the_confidence_as_it_is() -> None:
    for uses in ((), (("injection_moulding", "pp_formed"),)):
        entry = {**uses_entry("A", *uses), "confidence": "high"}
        accepted = STEP.accept(products_reply([entry]), [CHAIR])
        assert accepted.answers == {"A": ManufacturingProcesses((), Confidence.HIGH)}


@pytest.mark.parametrize("material", ["cotton_fibre", "unobtainium", None, 7, ["pp_resin"]])
def test_a_material_outside_the_products_own_bill_is_implausible(material: object) -> None:
    entry = {
        "code": "A",
        "uses": [{"process": "injection_moulding", "material": material}],
        "confidence": "high",
    }
    assert isinstance(refusal(entry), ImplausibleAnswer)


@pytest.mark.parametrize(
    "change", [{"uses": None}, {"uses": [1]}, {"uses": [{"process": "magic"}]}, {"confidence": 1}]
)
def test_a_wrong_shape_is_malformed(change: dict[str, Any]) -> None:
    assert isinstance(refusal({**uses_entry("A"), **change}), AnswerMalformed)


def test_more_than_twenty_processes_are_implausible() -> None:
    vocabulary = generated_vocabulary(subcategories=1, materials=31, processes=21 * 15)
    step = AskedAlone(ManufacturingStep(vocabulary))
    material = "material_of_a_kind_000001"  # of family_1, not formed
    fitting = [key for key, term in vocabulary.processes.items() if "family_1" in term.families]
    assert len(fitting) == 21
    for count, answers in ((20, 1), (21, 0)):
        entry = uses_entry("A", *((process, material) for process in fitting[:count]))
        accepted = step.accept(products_reply([entry]), [with_bill("A", material)])
        assert len(accepted.answers) == answers


def test_a_material_removed_from_the_vocabulary_takes_no_process() -> None:
    """A bill from an older vocabulary: its step version would differ, but nothing may break."""
    old = with_bill("A", "pp_resin", "a_material_of_old")
    moulding = ("injection_moulding", "pp_resin")
    assert accepted_uses(moulding, ("injection_moulding", "a_material_of_old"), of=old) == [
        moulding
    ]


def test_products_include_families_and_the_formed_mark() -> None:
    content = STEP.request([CHAIR], 100).content
    product = json.loads(content.splitlines()[1])["products"][0]
    rows = {row["material"]: row for row in product["materials"]}
    assert rows["pp_formed"] == {
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
            st.sampled_from(["pp_resin", "pp_formed", "steel_sheet", "water", "copper_wire"]),
        ),
        max_size=8,
    )
)
def test_what_is_accepted_always_fits_the_bill(uses: list[tuple[str, str]]) -> None:
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
