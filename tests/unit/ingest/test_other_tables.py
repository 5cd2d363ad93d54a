"""Weights that are not of one piece, and tables that stand below another: never read as if they
were what they are not.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import WRITERS, read_file
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.leftovers import unused_columns
from weighbridge.ingest.columns.matching import Wanted, match_columns

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = ("Weight", "Net weight", "Gewicht", "Bruttogewicht", "Poids", "Peso", "Вес", "重量")
OF_MANY = (
    "{} per 100", "{} per {n}", "{} (per {n})", "{} / {n}", "{} pro {n} Stück", "{} je {n} Stk.", "{} {n} шт",
    "{} ({n} g)", "{} (0.1 kg)", "{} %", "{} ‰", "{} %o", "{}/C", "{}/M", "{} x{n}", "{} in 1/{n}",
)  # fmt: skip


@given(
    st.sampled_from(WEIGHTS),
    st.sampled_from(OF_MANY),
    st.integers(2, 1800),
    st.sampled_from(["", " (kg)", " [g]", " lb"]),
)
def test_a_weight_of_many_pieces_is_no_weight_of_one_and_is_named(
    weight: str, form: str, count: int, unit: str
) -> None:
    header = form.format(weight, n=count) + unit
    columns = match_columns(["sku", "name", "description", header], Wanted())
    assert not {Field.WEIGHT, Field.GROSS_WEIGHT} & set(columns.positions), header
    (unused,) = unused_columns(columns)
    assert unused.looks_like in (Field.WEIGHT, Field.GROSS_WEIGHT)


@pytest.mark.parametrize(
    "header", ["Weight 1", "Weight 2025 (kg)", "Gewicht (kg/1 Stk)", "Peso unitario (g)"]
)  # fmt: skip
def test_a_weight_of_one_piece_may_have_a_number_that_says_so(header: str) -> None:
    columns = match_columns(["sku", "name", "description", header], Wanted())
    assert columns.header(Field.WEIGHT) == header


def test_a_column_with_a_unit_of_mass_is_not_left_out_in_silence() -> None:
    columns = match_columns(
        ["sku", "name", "description", "N.W.(KGS)", "Grammage pz (g)"], Wanted()
    )
    assert {one.looks_like for one in unused_columns(columns)} == {Field.WEIGHT}


HEADERS = ("code", "name", "description", "weight (kg)", "gross weight (kg)")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "second",
    [
        {"weight (kg)": "weight (g)"},
        {"weight (kg)": "gross weight (kg)", "gross weight (kg)": "weight (kg)"},
        {"gross weight (kg)": "gross weight (lb)"},
        {"weight (kg)": "price"},
        {"name": "title", "weight (kg)": "weight (g)"},
    ],
    ids=["other unit", "swapped", "other unit of gross", "other field", "other words"],
)
def test_a_table_below_with_another_weight_column_is_not_read_by_the_first_ones_header(
    tmp_path: Path, kind: str, second: dict[str, str]
) -> None:
    file, write = next(found for name, found in WRITERS.items() if kind in name)
    row = {header: f"{header[:4]} x" for header in HEADERS[:3]} | dict.fromkeys(HEADERS[3:], "5")
    again = {header: second.get(header, header) for header in HEADERS}
    write(tmp_path / file, [row, again, row | {"code": "B"}, row | {"code": "C"}])
    found = read_file(tmp_path / file)
    assert [product.code for product in found.products] == ["code x"]
    assert [one.reason.partition(" (")[0] for one in found.rejected] == [
        "a second table begins in row 3"
    ] * 3


def test_a_header_of_two_rows_may_come_again_without_its_units(tmp_path: Path) -> None:
    rows = [
        ["Code", "Name", "Description", "Weight"],
        ["", "", "", "g"],
        ["A", "Cup", "Of glass", "300"],
        ["Code", "Name", "Description", "Weight"],
        ["B", "Mug", "Of stone", "400"],
    ]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = read_file(tmp_path / "a.csv")
    assert [product.weight_kg for product in found.products] == [0.3, 0.4]


def test_numbered_columns_of_own_bills_say_what_reads_them() -> None:
    headers = [
        "code", "name", "description", "weight", "material 1", "mass_kg 1", "process 1",
        "material_2", "Gewicht 2 (g)", "mass 3", "shelf 4",
    ]  # fmt: skip
    columns = match_columns(headers, Wanted())
    unused = {one.column: one for one in unused_columns(columns)}
    of_bills = {name for name, one in unused.items() if one.is_of_bill}
    assert of_bills >= {"mass_kg 1", "material_2", "Gewicht 2 (g)"}
    assert all("weighbridge bills" in (unused[name].remedy or "") for name in of_bills)
    assert not {"mass 3", "shelf 4"} & of_bills
    assert unused["mass 3"].looks_like is Field.WEIGHT
