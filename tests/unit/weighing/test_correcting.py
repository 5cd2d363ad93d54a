from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.support.carbon_builders import material, table
from tests.support.vocabulary import small_vocabulary
from tests.toys.packaging import KINDS, Packaging, PackagingStep
from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
    StepName,
)
from weighbridge.domain.corrections import Correction, read_change
from weighbridge.domain.products import Product
from weighbridge.errors import InputError
from weighbridge.steps import STEPS, Steps
from weighbridge.weighing.correcting import corrected, make_change

FACTORS = table([material("stainless_304"), material("pp_resin")])
STEPS_MADE = Steps((*STEPS, PackagingStep), small_vocabulary())
BOTTLE = Product("P-1", "Bottle", "A bottle", weight_kg=0.5)
LINES = (BomLine("stainless_304", 0.4, "body"), BomLine("pp_resin", 0.1, "lid"))
GIVEN: dict[StepName, Answer] = {
    "classification": Classification(
        "Kitchen & household", "Reusable bottles & flasks", Confidence.HIGH
    ),
    "bill_of_materials": BillOfMaterials(LINES, 0.5, False, True, Confidence.HIGH),
    "manufacturing": ManufacturingProcesses(
        (
            ProcessUse("steel_deep_drawing", "stainless_304", 1),
            ProcessUse("injection_moulding", "pp_resin", 2),
        ),
        Confidence.HIGH,
    ),
    "packaging": Packaging(KINDS[0], 0.02, Confidence.HIGH),
}
NO_PROCESSES = ManufacturingProcesses((), Confidence.HIGH)
AT = datetime(2026, 11, 27, tzinfo=UTC)


def _make(target: str, value: Any, *earlier: Correction) -> Correction:
    change = read_change(target, value)
    made = make_change(BOTTLE, GIVEN, earlier, change, STEPS_MADE, FACTORS)
    number = len(earlier) + 1
    return Correction(number, change, made.anchor, made.before, made.after, "ana", "", AT)


def _bill(*corrections: Correction, given: dict[StepName, Answer] = GIVEN) -> BillOfMaterials:
    bill = corrected(BOTTLE, given, corrections, STEPS_MADE).answers["bill_of_materials"]
    assert isinstance(bill, BillOfMaterials)
    return bill


@pytest.mark.parametrize(
    ("target", "value", "before", "after"),
    [
        ("classification.subcategory", "Laptops", "Reusable bottles & flasks", "Laptops"),
        ("bill_of_materials.mass_kg", 0.6, 0.5, 0.6),
        ("bill_of_materials.lines.2.material", "abs_resin", "pp_resin", "abs_resin"),
        ("bill_of_materials.lines.2.mass_kg", 0.15, 0.1, 0.15),
        ("bill_of_materials.lines.2.component", " cap\n", "lid", "cap"),
        ("bill_of_materials.attributes.pieces_per_pack", 6, None, 6.0),
        ("manufacturing.lines.2", [], ["injection_moulding"], []),
        ("packaging.packaging", KINDS[1], KINDS[0], KINDS[1]),
    ],
)
def test_a_value_of_any_step_can_be_corrected(
    target: str, value: Any, before: Any, after: Any
) -> None:
    if target == "packaging.packaging":  # named as the step stores it
        target = f"packaging.{next(iter(PackagingStep(small_vocabulary()).encode(_packaging())))}"
    made = _make(target, value)
    assert (
        made.before == pytest.approx(before) if isinstance(before, float) else before == made.before
    )
    assert made.after == pytest.approx(after) if isinstance(after, float) else after == made.after
    result = corrected(BOTTLE, GIVEN, [made], STEPS_MADE)
    assert list(result.overridden(GIVEN)) == [target.partition(".")[0]] or "lines.2.m" in target
    assert len(result.notes) == 1
    assert "by ana on 2026-11-27" in result.notes[0]


def _packaging() -> Packaging:
    answer = GIVEN["packaging"]
    assert isinstance(answer, Packaging)
    return answer


@pytest.mark.parametrize(
    ("target", "value", "reason"),
    [
        ("weather.rain", 1, "no such step"),
        ("classification.subcategory", "Nonsense", "one of the allowed values"),
        ("classification.colour", "red", "no such value"),
        ("bill_of_materials.mass_kg", -1, "no single product weighs"),
        ("bill_of_materials.mass_kg", 1e9, "no single product weighs"),
        ("bill_of_materials.mass_kg", "heavy", "has to be a number"),
        ("bill_of_materials.mass_kg", float("nan"), "not a finite number"),
        ("bill_of_materials.lines.2.material", "unobtainium", "one of the allowed values"),
        ("bill_of_materials.lines.2.mass_kg", 0, "above 0"),
        ("bill_of_materials.lines.2.mass_kg", 50, "the catalogue says 0.5 kg"),
        ("bill_of_materials.lines.3.mass_kg", 0.1, "there is no line 3"),
        ("bill_of_materials.lines.0.mass_kg", 0.1, "there is no line 0"),
        ("bill_of_materials.lines.x.mass_kg", 0.1, "there is no line x"),
        ("bill_of_materials.lines", [], "0 lines"),
        ("bill_of_materials.lines", "steel", "list of entries"),
        ("bill_of_materials.attributes.colour", 1, "one of the allowed values"),
        ("bill_of_materials.attributes.pieces_per_pack", -2, "above 0"),
        ("manufacturing.lines.2", ["steel_deep_drawing"], "cannot be applied to pp_resin"),
        ("manufacturing.lines.2", "injection_moulding", "a list of processes"),
        ("manufacturing.lines.9", [], "there is no line 9"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_product_and_target(
    target: str, value: Any, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        _make(target, value)
    assert target in str(refused.value)


@pytest.mark.parametrize("target", ["", "mass", ".mass_kg", "bill_of_materials."])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(InputError, match="is not a value that can be corrected"):
        read_change(target, 1)


def test_text_that_cannot_be_stored_is_refused() -> None:
    for text in ("a\0b", "a\ud800b"):
        with pytest.raises(InputError, match="cannot be stored"):
            read_change("bill_of_materials.lines.1.component", text)


def test_without_corrections_nothing_is_touched() -> None:
    result = corrected(BOTTLE, GIVEN, [], STEPS_MADE)
    assert result.answers == GIVEN
    assert result.notes == ()


@drawn(st.floats(min_value=1e-3, max_value=1e3))
def test_a_corrected_mass_keeps_the_shares_of_the_lines(mass_kg: float) -> None:
    bill = _bill(_make("bill_of_materials.mass_kg", mass_kg))
    assert bill.mass_kg == pytest.approx(mass_kg)
    assert [line.mass_kg / bill.mass_kg for line in bill.lines] == pytest.approx([0.8, 0.2])
    assert not bill.mass_inferred


def test_the_latest_correction_of_a_value_holds() -> None:
    first = _make("bill_of_materials.mass_kg", 0.6)
    second = _make("bill_of_materials.mass_kg", 0.7, first)
    assert second.before == pytest.approx(0.6)
    assert _bill(first, second).mass_kg == pytest.approx(0.7)
    assert _bill(first).mass_kg == pytest.approx(0.6)


def test_a_process_follows_its_line_to_another_material() -> None:
    made = _make("bill_of_materials.lines.2.material", "abs_resin")
    answer = corrected(BOTTLE, GIVEN, [made], STEPS_MADE).answers["manufacturing"]
    assert isinstance(answer, ManufacturingProcesses)
    assert answer.uses[1] == ProcessUse("injection_moulding", "abs_resin", 2)


def test_a_corrected_line_is_found_in_a_new_bill_that_has_another_order() -> None:
    made = _make("bill_of_materials.lines.2.mass_kg", 0.15)
    asked_again = {
        **GIVEN,
        "bill_of_materials": BillOfMaterials(LINES[::-1], 0.5, False, True, Confidence.HIGH),
    }
    bill = _bill(made, given=asked_again)
    assert {line.material: line.mass_kg for line in bill.lines}["pp_resin"] == 0.15


def test_a_correction_whose_line_is_gone_is_said_and_not_guessed() -> None:
    made = _make("bill_of_materials.lines.2.mass_kg", 0.15)
    other = (BomLine("wood_sawn", 0.5, "all of it"),)
    asked_again = {
        **GIVEN,
        "bill_of_materials": BillOfMaterials(other, 0.5, False, True, Confidence.HIGH),
    }
    result = corrected(BOTTLE, asked_again, [made], STEPS_MADE)
    assert result.answers["bill_of_materials"] == asked_again["bill_of_materials"]
    assert result.notes[0].startswith("not applied: bill_of_materials.lines.2.mass_kg")


def test_a_mass_that_was_corrected_is_believed_over_the_catalogue() -> None:
    mass = _make("bill_of_materials.mass_kg", 5.0)
    line = _make("bill_of_materials.lines.1.mass_kg", 4.5, mass)
    assert _bill(mass, line).mass_kg == pytest.approx(5.5)


def test_corrections_apply_whatever_the_product_is_called() -> None:
    renamed = replace(BOTTLE, name="Flask")
    made = _make("bill_of_materials.mass_kg", 0.6)
    assert corrected(renamed, GIVEN, [made], STEPS_MADE).notes


def test_what_was_corrected_before_a_replaced_mass_stands_as_it_was_seen() -> None:
    mass = _make("bill_of_materials.mass_kg", 5.0)
    stated = [{"material": "pp_resin", "mass_kg": 5.2, "component": "all of it"}]
    whole = _make("bill_of_materials.lines", stated, mass)  # fits the corrected mass alone
    again = _make("bill_of_materials.mass_kg", 4.0, mass, whole)
    assert _bill(mass, whole, again).lines == (BomLine("pp_resin", 4.0, "all of it"),)
    notes = corrected(BOTTLE, GIVEN, [mass, whole, again], STEPS_MADE).notes
    assert [note.split(" from ")[0] for note in notes] == [
        "corrected: bill of materials",
        "corrected: mass of one unit in kg",
    ]


def test_a_process_stays_with_its_line_though_another_has_its_material_now() -> None:
    lines = (*LINES, BomLine("pp_resin", 0.1, "strap"))
    processes = ManufacturingProcesses(
        (ProcessUse("injection_moulding", "pp_resin", 2),), Confidence.HIGH
    )
    answered = {
        **GIVEN,
        "bill_of_materials": BillOfMaterials(lines, 0.6, False, True, Confidence.HIGH),
        "manufacturing": processes,
    }
    made = _make("bill_of_materials.lines.2.material", "abs_resin")
    answer = corrected(BOTTLE, answered, [made], STEPS_MADE).answers["manufacturing"]
    assert isinstance(answer, ManufacturingProcesses)
    assert answer.uses == (ProcessUse("injection_moulding", "abs_resin", 2),)


def test_a_line_in_another_place_is_the_same_line_for_the_next_correction() -> None:
    made = _make("bill_of_materials.lines.2.material", "abs_resin")
    asked_again = {
        **GIVEN,
        "bill_of_materials": BillOfMaterials(LINES[::-1], 0.5, False, True, Confidence.HIGH),
    }
    other = make_change(
        BOTTLE,
        asked_again,
        [made],
        read_change("bill_of_materials.lines.2.material", "wood_sawn"),
        STEPS_MADE,
        FACTORS,
    )
    second = Correction(2, other.change, other.anchor, other.before, other.after, "ana", "", AT)
    assert other.before == "stainless_304"
    assert [line.material for line in _bill(made, second, given=asked_again).lines] == [
        *("abs_resin", "wood_sawn")
    ]


@pytest.mark.parametrize(
    ("target", "value", "said"),
    [
        ("bill_of_materials.lines.1.material", "unobtainium", "has the whole list"),
        ("classification.subcategory", "Zzzz", "has the whole list"),
        ("manufacturing.lines.1", ["qqqq"], "has the whole list"),
        ("bill_of_materials.attributes.qqqq", 3, "Choose one of: "),
        (
            "bill_of_materials.lines.1.mass_kg",
            "0,5",
            "Write it with a decimal point and without a unit",
        ),
        (
            "bill_of_materials.lines.1.mass_kg",
            "250 g",
            "Write it with a decimal point and without a unit",
        ),
        ("bill_of_materials.mass_kg", "0,5 kg", "with a decimal point and without a unit"),
        ("manufacturing.lines.1", "injection_moulding", 'such as ["injection_moulding"]'),
        ("bill_of_materials.lines.9.material", "steel", "the bill of materials has 2 lines."),
    ],
)
def test_a_refusal_says_what_to_do(target: str, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        _make(target, value)
    assert said in str(refused.value)
    assert "lines.9" not in target or "Did you mean" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("classification.subcategory", "Laptops"),
        ("bill_of_materials.mass_kg", 0.6),
        ("bill_of_materials.lines.2.material", "abs_resin"),
        ("bill_of_materials.lines.2.mass_kg", 0.15),
        ("bill_of_materials.lines.2.component", "cap"),
        ("bill_of_materials.lines", [{"material": "abs_resin", "mass_kg": 0.5, "component": ""}]),
        ("bill_of_materials.attributes.pieces_per_pack", 3),
        ("manufacturing.lines.1", []),
        ("manufacturing.lines.2", ["injection_moulding"]),
    ],
)
def test_a_note_on_a_correction_has_words_and_names_for_targets_and_keys(
    target: str, value: Any
) -> None:
    made = _make(target, value)
    (note,) = corrected(BOTTLE, GIVEN, [made], STEPS_MADE).notes
    assert note.startswith("corrected: ")
    assert "by ana on 2026-11-27" in note
    assert "_" not in note, note
    assert ".lines." not in note


TWO_OF_A_KIND = (
    BomLine("pp_resin", 0.3, "shell"),
    BomLine("stainless_304", 0.1, "clip"),
    BomLine("pp_resin", 0.1, "lid"),
)


@drawn(order=st.permutations(range(3)), at=st.sampled_from((1, 2, 3)))
def test_a_correction_stays_with_its_line_in_any_order_of_the_bill(
    order: list[int], at: int
) -> None:
    bill = BillOfMaterials(TWO_OF_A_KIND, 0.5, False, True, Confidence.HIGH)
    given = {**GIVEN, "bill_of_materials": bill, "manufacturing": NO_PROCESSES}
    change = read_change(f"bill_of_materials.lines.{at}.material", "abs_resin")
    made = make_change(BOTTLE, given, (), change, STEPS_MADE, FACTORS)
    stored = Correction(1, change, made.anchor, made.before, made.after, "ana", "", AT)
    turned = replace(bill, lines=tuple(TWO_OF_A_KIND[place] for place in order))
    lines = _bill(stored, given={**given, "bill_of_materials": turned}).lines
    (moved,) = [line for line in lines if line.material == "abs_resin"]
    assert moved.component == TWO_OF_A_KIND[at - 1].component


def test_a_correction_of_a_part_that_is_gone_is_not_put_on_another() -> None:
    bill = BillOfMaterials(TWO_OF_A_KIND, 0.5, False, True, Confidence.HIGH)
    given = {**GIVEN, "bill_of_materials": bill, "manufacturing": NO_PROCESSES}
    change = read_change("bill_of_materials.lines.1.material", "abs_resin")
    made = make_change(BOTTLE, given, (), change, STEPS_MADE, FACTORS)
    stored = Correction(1, change, made.anchor, made.before, made.after, "ana", "", AT)
    others = tuple(line._replace(component=f"other {line.component}") for line in bill.lines)
    renamed = {**given, "bill_of_materials": replace(bill, lines=others)}
    result = corrected(BOTTLE, renamed, [stored], STEPS_MADE)
    assert _bill(stored, given=renamed).lines == others
    assert "was pp_resin (shell)" in result.notes[0]
