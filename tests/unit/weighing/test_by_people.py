"""What a person gave is told from what the model inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.carbon_builders import bill, footprint, material, process, table, worked
from weighbridge.carbon.explanation import Explanation, explain
from weighbridge.weighing.by_people import by_people

if TYPE_CHECKING:
    from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses

FACTORS = table(
    [material("oak", 0.4), material("resin", 2.0), material("screws", 3.0)],
    [process("mould", 1.8, 0.04, yield_fraction=0.9), process("plane", 0.2, 0.0)],
)
MODELS = bill(("oak", 8.0), ("resin", 1.5), ("screws", 0.5))
MODELS_USES = worked(("mould", "resin"))


def _explained(
    used: BillOfMaterials, uses: ManufacturingProcesses = MODELS_USES
) -> tuple[dict[str, tuple[str, ...]], Explanation]:
    """(label of each term → its marks, the explanation) where a person changed the answers so."""
    models_bill = None if used == MODELS else MODELS
    models_uses = None if uses == MODELS_USES else MODELS_USES
    said = by_people(used, uses, models_bill, models_uses)
    tree = explain(footprint(FACTORS, used, uses), used, uses, said)
    terms = [term for route in tree.routes for line in route.lines for term in line.terms]
    return {term.label.lower(): term.marks for term in terms}, tree


def _corrected(marks: dict[str, tuple[str, ...]], word: str) -> set[bool]:
    return {"corrected" in found for label, found in marks.items() if word in label}


def test_without_corrections_nothing_is_marked() -> None:
    marks, tree = _explained(MODELS)
    assert not any("corrected" in found for found in marks.values())
    assert tree.mass == "10 kg, as stated"
    assert any("from the drawing" in each.what for each in tree.narrowing)


def test_another_mass_is_said_and_leaves_the_lines_to_the_model() -> None:
    lighter = bill(("oak", 6.4), ("resin", 1.2), ("screws", 0.4))
    marks, tree = _explained(lighter)
    assert tree.mass == "8 kg, as corrected"
    assert not any("corrected" in found for found in marks.values())


@pytest.mark.parametrize(
    "used",
    [
        bill(("oak", 8.0), ("resin", 1.0), ("screws", 0.5)),
        bill(("oak", 8.0), ("resin", 1.0), ("screws", 0.5), ("resin", 0.5)),
    ],
    ids=["mass", "two lines"],
)
def test_a_corrected_line_is_marked_and_the_others_are_not(used: BillOfMaterials) -> None:
    marks, _ = _explained(used)
    assert _corrected(marks, "oak") == {False}
    assert True in _corrected(marks, "resin")


def test_a_corrected_process_is_marked() -> None:
    marks, _ = _explained(MODELS, worked(("mould", "resin"), ("plane", "oak")))
    assert _corrected(marks, "plane") == {True}
    assert _corrected(marks, "mould") == {False}


def test_who_has_given_the_whole_bill_is_not_sent_to_look_for_one() -> None:
    marks, tree = _explained(bill(("oak", 9.0), ("screws", 1.2)), worked())
    assert all("corrected" in found for found in marks.values())
    assert not any("drawing" in each.what for each in tree.narrowing)
