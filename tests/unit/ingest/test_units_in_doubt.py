"""A column of weights without a unit whose numbers may be grams is asked about, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import read_text, write_text
from weighbridge.errors import AmbiguousColumn
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.decisions import Given, ReadOptions
from weighbridge.ingest.survey import Survey
from weighbridge.ingest.values.units import GRAM, KILOGRAM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.ingest.values.units import MassUnit


def text_of(cells: Sequence[str], header: str = "weight") -> str:
    rows = "".join(f'P{i};n;d;"{cell}"\n' for i, cell in enumerate(cells))
    return f"code;name;description;{header}\n{rows}"


@pytest.mark.parametrize(
    "cells",
    [
        ["150", "300", "1200"],
        ["150"],
        ["80", "40", "60", "90"],
        ["5.5", "150.0", "480.5", "165.5"],
        ["250,5", "310,25", "90,5"],
        ["1.200", "250", "1.450,5"],
        ["1 200", "250", "430"],
        ["5 g", "150", "480", "165"],
        ["0.2", "180", "230", "510"],
    ],
)
@pytest.mark.parametrize("header", ["weight", "Gewicht", "Gross weight", "Poids unitaire", "重量"])
def test_numbers_that_may_be_grams_are_a_question(
    tmp_path: Path, cells: list[str], header: str
) -> None:
    with pytest.raises(AmbiguousColumn, match=r"--unit g \(grams\) or --unit kg"):
        read_text(tmp_path, text_of(cells, header))


@pytest.mark.parametrize("unit", [GRAM, KILOGRAM])
def test_the_answer_decides(tmp_path: Path, unit: MassUnit) -> None:
    options = ReadOptions(given=Given(unit=unit))
    found = read_text(tmp_path, text_of(["150", "300", "1200"]), options)
    assert found.by_code["P0"].weight_kg == unit.to_kg(150)


@pytest.mark.parametrize(
    ("cells", "header", "kg"),
    [
        (["150", "300"], "weight [g]", 0.15),
        (["150", "300"], "weight kg", 150.0),
        (["150 g", "300 g", "200"], "weight", 0.15),
        (["0.15", "0.3", "180"], "weight", 0.15),
        (["5", "12", "30"], "weight", 5.0),
        (["-", "", "12"], "weight", None),
    ],
)
def test_what_is_said_or_light_is_no_question(
    tmp_path: Path, cells: list[str], header: str, kg: float | None
) -> None:
    assert read_text(tmp_path, text_of(cells, header)).by_code["P0"].weight_kg == kg


JARS = [("Honey 500 g", "500"), ("Honey 250g", "250"), ("Jam (340 g)", "340"), ("Tea", "20")]


def named(rows: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f'P{i};"{name}";d;{cell}\n' for i, (name, cell) in enumerate(rows))
    return f"code;name;description;weight\n{lines}"


@pytest.mark.parametrize(
    ("rows", "unit", "kg"),
    [
        (JARS, "g", 0.5),
        ([("Dumbbell 12 kg", "12"), ("Disc 20 kg", "20"), ("Bar, 60 kg", "60")], "kg", 12.0),
        ([("Plate 45 lb", "45"), ("Plate 25 lb", "25"), ("Plate 10 lbs", "10")], "lb", 20.4117),
        ([("Tee 1,5 oz", "1,5"), ("Tee 2,5 oz", "2,5"), ("Tee 3 oz", "3")], "oz", 0.042524),
    ],
)
def test_numbers_that_the_names_repeat_have_their_unit(
    tmp_path: Path, rows: list[tuple[str, str]], unit: str, kg: float
) -> None:
    text = named(rows)
    rule = Catalogue(write_text(tmp_path / "a.csv", text)).head.decisions.rule(Field.WEIGHT)
    assert rule.unit is not None
    assert rule.unit.name == unit
    assert "names or descriptions state the same" in rule.unit_why
    assert read_text(tmp_path, text).by_code["P0"].weight_kg == pytest.approx(kg, rel=1e-4)


@pytest.mark.parametrize(
    "rows",
    [
        [("Ring 5 g", "5"), ("Chain", "1")],
        [("Honey 30 g", "42"), ("Spoon", "4")],
        [("Saffron, 2 g", "4"), ("Saffron, 1 g", "2"), ("Rice 5 kg", "5.1")],
    ],
)
def test_one_name_that_speaks_for_grams_makes_a_question(
    tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    with pytest.raises(AmbiguousColumn, match="suggest grams"):
        read_text(tmp_path, named(rows))


@pytest.mark.parametrize(
    "rows",
    [
        [("Honey 500 g", "0.5"), ("Ring 5 g", "0.005"), ("Tea 20 g", "0.03")],
        [("Shirt 180 g/m²", "0.2"), ("Drive 16 GB", "1"), ("Camera 5G", "2")],
        [("Scale up to 5 kg", "1.4"), ("Lead 5-10 kg dog", "0.3")],
    ],
)
def test_names_of_other_things_are_no_evidence(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    assert read_text(tmp_path, named(rows)).by_code["P0"].weight_kg == float(rows[0][1])


def test_whole_numbers_alone_are_a_question_and_decimals_among_them_are_none(
    tmp_path: Path,
) -> None:
    with pytest.raises(AmbiguousColumn, match="none with decimals"):
        read_text(tmp_path, text_of(["5", "12", "8", "3", "45"]))
    read_text(tmp_path, text_of(["5", "12", "8", "3.5", "45"]))


def test_an_assumed_unit_is_said_with_its_remedy(tmp_path: Path) -> None:
    head = Catalogue(write_text(tmp_path / "a.csv", text_of(["0.5", "1.2"]))).head
    (assumed,) = head.decisions.assumptions
    assert assumed.message == 'Column "weight" names no unit; its numbers are taken as kilograms.'
    assert "--unit g for grams" in assumed.remedy
    told = Catalogue(write_text(tmp_path / "b.csv", text_of(["0.5"], "weight (kg)"))).head
    assert told.decisions.assumptions == ()


def test_an_answer_never_overrules_a_header(tmp_path: Path) -> None:
    text = "code,name,description,weight_kg,gross weight\nA,n,d,0.15,180\nB,n,d,0.2,230\n"
    with pytest.raises(AmbiguousColumn, match='Column "gross weight"'):
        read_text(tmp_path, text)
    found = read_text(tmp_path, text, ReadOptions(given=Given(unit=GRAM))).by_code["A"]
    assert (found.weight_kg, found.facts.gross_weight_kg) == (0.15, 0.18)


@given(
    st.lists(st.integers(1, 3_000), min_size=1, max_size=12),
    st.sampled_from([".", ","]),
    st.booleans(),
)
def test_a_column_is_read_as_kilograms_only_while_half_of_it_is_light(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], sign: str, decimals: bool
) -> None:
    cells = [f"{number}{sign}5" if decimals else str(number) for number in numbers]
    path = write_text(tmp_path_factory.mktemp("u") / "a.csv", text_of(cells))
    head = Catalogue(path).head
    middle = sorted(numbers)[len(numbers) // 2]
    if any(doubt.option == "unit" for doubt in head.decisions.doubts):
        assert middle >= (49 if decimals else 5)
    else:
        assert head.decisions.rule(Field.WEIGHT).unit == KILOGRAM
        assert sorted(numbers)[(len(numbers) - 1) // 2] < 51


def test_the_sample_is_taken_from_all_over_a_chunk(tmp_path: Path) -> None:
    light_first = ["0.5"] * 300 + ["180"] * 2_000
    with pytest.raises(AmbiguousColumn, match="--unit g"):
        read_text(tmp_path, text_of(light_first))
    assert Survey(None).decide(Given()).doubts == ()


@pytest.mark.parametrize("header", ["Unit", "UoM", "Einheit", "Unit of measure"])
def test_a_column_of_units_behind_the_weight_is_its_unit(tmp_path: Path, header: str) -> None:
    text = f"code;name;description;net weight;{header}\nA;n;d;5;g\nB;n;d;12,5;kg\nC;n;d;2;lb\n"
    found = read_text(tmp_path, text).by_code
    assert [found[code].weight_kg for code in "ABC"] == [0.005, 12.5, pytest.approx(0.90718474)]


@pytest.mark.parametrize("unit", ["pcs", "EA", "Stück", "szt", "个", "C62"])
def test_the_unit_of_sale_says_nothing_about_the_weight(tmp_path: Path, unit: str) -> None:
    text = f"code;name;description;weight;unit\nA;n;d;5;{unit}\nB;n;d;12,5;{unit}\n"
    found = read_text(tmp_path, text)
    assert ([one.weight_kg for one in found.products], found.notes) == ([5.0, 12.5], [])


def test_a_unit_behind_something_else_is_not_that_of_the_weight(tmp_path: Path) -> None:
    text = "code;name;description;weight;price;unit\nA;n;d;5;9,50;g\n"
    assert read_text(tmp_path, text).by_code["A"].weight_kg == 5.0
