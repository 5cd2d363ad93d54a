"""Weights in two columns, the larger unit and the rest; and one weight written twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import WRITERS, read_file
from weighbridge.ingest.catalogue import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = {
    ("Weight (kg)", "Weight (g)"): (1.0, 0.001),
    ("weight_lb", "weight_oz"): (0.45359237, 0.028349523125),
    ("Wt (lbs)", "Wt (oz)"): (0.45359237, 0.028349523125),
    ("Gewicht [kg]", "Gewicht [g]"): (1.0, 0.001),
    ("Gross weight kg", "Gross weight g"): (1.0, 0.001),
}


@given(
    st.sampled_from([*PAIRS]),
    st.sampled_from([*WRITERS]),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 15)), min_size=1, max_size=5),
)
def test_the_parts_of_a_weight_in_two_columns_are_one_weight(
    tmp_path_factory: pytest.TempPathFactory,
    pair: tuple[str, str],
    kind: str,
    turned: bool,
    weights: list[tuple[int, int]],
) -> None:
    name, write = WRITERS[kind]
    path = tmp_path_factory.mktemp("w") / name
    headers = (pair[1], pair[0]) if turned else pair
    rows = []
    for i, (large, rest) in enumerate(weights):
        cells = {pair[0]: str(large), pair[1]: str(rest)}
        row = {"code": f"C{i}", "name": "Cup", "description": "Of glass"}
        rows.append(row | {header: cells[header] for header in headers})
    write(path, rows)
    one, other = PAIRS[pair]
    expected = [large * one + rest * other for large, rest in weights]
    found = [product.weight_kg for product in read_file(path).products]
    assert found == pytest.approx([mass or None for mass in expected])


@pytest.mark.parametrize(
    "witness", [("1.2", "1200"), ("0.35", "350"), ("2", "2000")], ids=["fraction", "less", "whole"]
)
def test_a_weight_written_twice_is_not_added_to_itself(
    tmp_path: Path, witness: tuple[str, str]
) -> None:
    name, write = WRITERS["csv"]
    rows = [
        {"code": f"C{i}", "name": "Cup", "description": "x", "Weight (kg)": kg, "Weight (g)": g}
        for i, (kg, g) in enumerate([("1", "800"), witness])
    ]
    write(tmp_path / name, rows)
    found = read_file(tmp_path / name).products
    assert [product.weight_kg for product in found] == [1.0, float(witness[0])]


def test_the_report_shows_both_columns(tmp_path: Path) -> None:
    name, write = WRITERS["csv"]
    row = {"code": "A", "name": "Cup", "description": "x", "Weight (lb)": "1", "Weight (oz)": "3"}
    write(tmp_path / name, [row])
    columns = Catalogue(tmp_path / name).head.columns
    assert {columns.headers[i] for i in columns.columns().values()} == {*row}
