"""What a person knows of the processes of a line: recorded with them, kept with them, checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.carbon_builders import material, table
from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import (
    BillOfMaterials,
    BomLine,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
)
from weighbridge.domain.corrections import Correction, read_change
from weighbridge.domain.facts import ProcessFacts
from weighbridge.domain.products import Product
from weighbridge.errors import InputError
from weighbridge.steps import STEPS, Steps
from weighbridge.weighing.correcting import corrected, make_change

if TYPE_CHECKING:
    from weighbridge.domain.answers import Answer, StepName

FACTORS = table([material("cotton_fibre"), material("pp_formed")])
MADE = Steps(STEPS, small_vocabulary())
SHIRT = Product("P-1", "Shirt", "A shirt", weight_kg=0.3)
LINES = (
    BomLine("cotton_fibre", 0.2, "shirt"),
    BomLine("pp_formed", 0.05, "buttons"),
    BomLine("pp_resin", 0.05, "hanger"),
)
GIVEN: dict[StepName, Answer] = {
    "bill_of_materials": BillOfMaterials(LINES, 0.3, False, True, Confidence.HIGH),
    "manufacturing": ManufacturingProcesses(
        (
            ProcessUse("spinning", "cotton_fibre", 1),
            ProcessUse("knitting", "cotton_fibre", 1),
            ProcessUse("injection_moulding", "pp_resin", 3),
        ),
        Confidence.HIGH,
    ),
}
AT = datetime(2026, 11, 27, tzinfo=UTC)


def _make(target: str, value: Any, *earlier: Correction) -> Correction:
    change = read_change(f"manufacturing.lines.{target}", value)
    made = make_change(SHIRT, GIVEN, earlier, change, MADE, FACTORS)
    number = len(earlier) + 1
    return Correction(number, made.change, made.anchor, made.before, made.after, "ana", "", AT)


def _known(
    *corrections: Correction, given: dict[StepName, Answer] = GIVEN
) -> dict[str, ProcessFacts]:
    answer = corrected(SHIRT, given, corrections, MADE).answers["manufacturing"]
    assert isinstance(answer, ManufacturingProcesses)
    return {use.process: use.known for use in answer.uses if use.line == 1}


def test_one_value_is_of_all_processes_of_the_line_and_a_list_of_each() -> None:
    assert _known(_make("1.country", "TR")) == {
        "spinning": ProcessFacts(country="TR"),
        "knitting": ProcessFacts(country="TR"),
    }
    assert _known(_make("1.country", ["TR", None])) == {
        "spinning": ProcessFacts(country="TR"),
        "knitting": ProcessFacts(),
    }
    assert _known(_make("1.heat_kwh_per_kg", [None, 2]))["knitting"].heat_kwh_per_kg == 2.0


def test_a_fact_is_recorded_with_its_processes_and_says_nothing_of_others() -> None:
    made = _make("1.country", ["TR", "PT"])
    assert made.change.target == "manufacturing.lines.1"
    assert made.before == ["spinning", "knitting"]
    assert made.after == [
        {"process": "spinning", "country": "TR"},
        {"process": "knitting", "country": "PT"},
    ]
    assert "from spinning + knitting to spinning (country TR) + knitting (country PT)" in made.says
    dyed = (*GIVEN["manufacturing"].uses, ProcessUse("dyeing", "cotton_fibre", 1))  # type: ignore[attr-defined]
    again = {**GIVEN, "manufacturing": ManufacturingProcesses(dyed, Confidence.HIGH)}
    assert list(_known(made, given=again)) == ["spinning", "knitting"]


def test_facts_add_up_and_each_can_be_taken_away() -> None:
    first = _make("1.country", "TR")
    second = _make("1.electricity_kwh_per_kg", [3.1, 1], first)
    assert _known(first, second)["spinning"] == ProcessFacts("TR", 3.1)
    third = _make("1.country", None, first, second)
    assert _known(first, second, third)["spinning"] == ProcessFacts(None, 3.1)
    assert _known(first)["spinning"] == ProcessFacts("TR")


def test_a_process_keeps_what_is_known_of_it_when_the_others_are_replaced() -> None:
    first = _make("1", [{"process": "spinning", "country": "TR", "electricity_kwh_per_kg": 3.1}])
    second = _make("1", ["spinning", "dyeing"], first)
    assert _known(first, second) == {
        "spinning": ProcessFacts("TR", 3.1),
        "dyeing": ProcessFacts("TR"),  # where the others are, with energy that nobody stated
    }


def test_a_line_of_another_material_keeps_where_it_is_made() -> None:
    made = _make("3.country", "TR")
    material = read_change("bill_of_materials.lines.3.material", "abs_resin")
    done = make_change(SHIRT, GIVEN, [made], material, MADE, FACTORS)
    other = Correction(2, done.change, done.anchor, done.before, done.after, "ana", "", AT)
    answer = corrected(SHIRT, GIVEN, [made, other], MADE).answers["manufacturing"]
    assert isinstance(answer, ManufacturingProcesses)
    moulded = ProcessUse("injection_moulding", "abs_resin", 3, ProcessFacts("TR"))
    assert moulded in answer.uses


def test_stored_answers_name_only_what_is_known_and_read_back() -> None:
    step = next(step for step in MADE if step.name == "manufacturing")
    plain = step.encode(GIVEN["manufacturing"])
    assert plain["uses"][0] == {"process": "spinning", "material": "cotton_fibre", "line": 1}
    made = _make("1.country", ["TR", None])
    answer = corrected(SHIRT, GIVEN, [made], MADE).answers["manufacturing"]
    stored = step.encode(answer)
    spinning, knitting = (use for use in stored["uses"] if use["line"] == 1)
    assert spinning == plain["uses"][0] | {"country": "TR"}
    assert knitting == plain["uses"][1]
    newer = {**stored, "uses": [{**use, "tides": 4} for use in stored["uses"]]}
    assert step.decode(stored) == step.decode(newer) == answer


@pytest.mark.parametrize(
    ("target", "value", "reason"),
    [
        ("1.country", "Atlantis", "no electricity factor for 'Atlantis'"),
        ("1.country", "Portugal", "Did you mean PT"),
        ("1.country", 7, "must be text"),
        (
            "1.country",
            ["TR", "PT", "DE"],
            "line 1 has 2 processes (spinning, knitting), and 3 values",
        ),
        ("1.electricity_kwh_per_kg", 3, "line 1 has 2 processes (spinning, knitting), and 1 value"),
        ("1.electricity_kwh_per_kg", [-1, 2], "-1 kWh per kg is not possible"),
        ("1.electricity_kwh_per_kg", ["3", 2], "must be a number, in kWh per kg"),
        ("1.electricity_kwh_per_kg", [True, 2], "must be a number"),
        ("1.heat_kwh_per_kg", [float("nan"), 2], "not possible"),
        ("1.heat_kwh_per_kg", [10**400, 2], "is not possible; give a number from 0 to 10,000"),
        ("1.electricity_kg_co2e_per_kwh", 400, "give a number from 0 to 3"),
        ("1.colour", "red", "where FACT is one of: country"),
        ("1.country.code", "TR", "there is no such value"),
        ("2.country", "TR", "no process is listed for line 2"),
        ("4.country", "TR", "there is no line 4"),
        ("1", [{"process": "spinning", "colour": "red"}], "there is no such value"),
        ("1", [{"country": "TR"}], "has to be one of the allowed values"),
        ("1", [{"process": "spinning", "country": "Mars"}], "no electricity factor"),
        ("1", [["spinning"]], "has to be one of the allowed values"),
    ],
)
def test_what_cannot_be_known_is_refused_by_name(target: str, value: Any, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        _make(target, value)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("P-1: manufacturing.lines.")
