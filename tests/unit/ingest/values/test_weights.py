"""Weights as people write them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.ingest.checking.optional import read_masses
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.decisions import NumberRule
from weighbridge.ingest.values.weights import KILOGRAM, UNIT_NAMES, read_weight

if TYPE_CHECKING:
    from weighbridge.ingest.values.numbers import DecimalSign


@pytest.mark.parametrize(
    ("cell", "mass_kg"),
    [
        ("1.5", 1.5),
        ("1,5", 1.5),
        (" 0,250 ", 0.25),
        ("12,3456", 12.3456),
        (".5", 0.5),
        (",5", 0.5),
        ("+2", 2.0),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1.234.567 g", 1234.567),
        ("12,345,678 g", 12345.678),
        ("1 234,5", 1234.5),
        ("1\u202f234,5", 1234.5),
        ("1'234.5", 1234.5),
        ("1’234,567", 1234.567),
        ("1e3", 1000.0),
        ("2.5E-3", 0.0025),
        ("250 g", 0.25),
        ("250g", 0.25),
        ("333 g", 0.333),
        ("500 mg", 0.0005),
        ("2 lbs.", 0.90718474),
        ("16 oz", 0.45359237),
        ("0.5 t", 500.0),
        ("3 Kilograms", 3.0),
        ("1000000", 1e6),
    ],
)
def test_a_weight_is_read(cell: str, mass_kg: float) -> None:
    reading = read_weight(cell)
    assert reading.problem is None
    assert reading.mass_kg == pytest.approx(mass_kg, rel=1e-12)


@pytest.mark.parametrize(
    ("cell", "mass_kg"),
    [
        ("1 lb 3 oz", 1.1875 * 0.45359237),
        ("1 lb. 8 oz.", 1.5 * 0.45359237),
        ("5lb3oz", 5.1875 * 0.45359237),
        ("1 kg 200 g", 1.2),
        ("2kg 50g", 2.05),
        ("6 x 330 g", 1.98),
        ("6×330g", 1.98),
        ("330 g x 6", 1.98),
        ("2 * 1,5 kg", 3.0),
        ("0,5 кг", 0.5),
        ("500 грамм", 0.5),
        ("500克", 0.5),
        ("2公斤", 2.0),
        ("３００g", 0.3),
        ("250 gramos", 0.25),
        ("1,2 Kilogramm", 1.2),
        ("kg 1.5", 1.5),
        ("Net: 500 g", 0.5),
        ("ca. 2 kg", 2.0),
        ("~2 kg", 2.0),
        ("approx. 250 g", 0.25),
        ("½ kg", 0.5),
        ("1½ lb", 1.5 * 0.45359237),
        ("1 1/2 lb", 1.5 * 0.45359237),
        ("2.5 kg/pc", 2.5),
        ("1.2 kg (2.6 lb)", 1.2),
        ("500 g / 17.6 oz", 0.5),
    ],
)
def test_weights_are_read_as_people_write_them(cell: str, mass_kg: float) -> None:
    reading = read_weight(cell)
    assert reading.problem is None
    assert reading.mass_kg == pytest.approx(mass_kg, rel=1e-9)


@pytest.mark.parametrize(
    "cell",
    ["330 ml", "180 g/m2", "150 gsm", "1 ton", "<1 kg", "max. 2 kg", "1-2 kg", "2 Pfund", "12 fl oz", "3 g 4 g", "5 kg 3", "1 kg (5 lb)"],
)  # fmt: skip
def test_what_is_no_single_mass_is_refused(cell: str) -> None:
    assert read_weight(cell).mass_kg is None
    assert read_weight(cell).problem


@pytest.mark.parametrize("cell", ["#N/A", "#WERT!", "\\N", "(null)", "<NA>", "TBD", "NaN", "null"])
def test_what_a_program_left_behind_is_no_weight_and_is_noted(cell: str) -> None:
    reading = read_weight(cell)
    assert reading.mass_kg is None
    assert reading.problem is not None
    assert "leave the cell empty" in reading.problem


@pytest.mark.parametrize("cell", ["", "  ", "-", "n/a", "NA", "unknown", "?", "k.A."])
def test_a_word_for_not_known_is_no_weight_and_no_fault(cell: str) -> None:
    assert read_weight(cell) == read_weight("")
    assert read_weight(cell).problem is None


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("0", "not above 0"),
        ("-3", "not above 0"),
        ("-3 kg", "not above 0"),
        ("1e-999", "not above 0"),
        ("1e999", "more than 1,000,000 kg"),
        ("1000001", "more than 1,000,000 kg"),
        ("inf", "not a weight"),
        ("heavy", "not a weight"),
        ("1.5 spoons", "unknown unit"),
        ("3 ton", "unknown unit"),
        ("1,234", "two ways"),
        ("1.234", "two ways"),
        ("1,23,456", "two ways"),
        ("1.2.3", "two ways"),
        ("1 2", "two ways"),
        ("1.5/2", "names no unit"),
        ("١٢", "not a weight"),
        ("=1+1", "not a weight"),
        ("1\x00", "not a weight"),
    ],
)
def test_an_invalid_weight_is_refused_with_advice(cell: str, advice: str) -> None:
    problem = read_weight(cell).problem
    assert problem is not None
    assert advice in problem
    assert "\x00" not in problem


def test_one_sign_before_three_digits_means_what_its_column_says() -> None:
    assert read_weight("1,250", decimal=",").mass_kg == 1.25
    assert read_weight("1.250", decimal=",").mass_kg == 1250.0
    assert read_weight("1.250", decimal=".").mass_kg == 1.25
    assert read_weight("1,250 g", decimal=".").mass_kg == 1.25


def test_a_bare_number_is_refused_where_the_column_has_several_units() -> None:
    assert read_weight("500 g", None).mass_kg == 0.5
    assert "--unit" in (read_weight("500", None).problem or "")


def test_the_cells_unit_overrides_the_columns() -> None:
    assert read_weight("250", UNIT_NAMES["g"]).mass_kg == 0.25
    assert read_weight("250 kg", UNIT_NAMES["g"]).mass_kg == 250.0


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_what_python_writes_is_read_exactly(mass_kg: float) -> None:
    assert read_weight(repr(mass_kg), decimal=".").mass_kg == mass_kg


@given(
    st.integers(1, 999_999_999),
    st.integers(0, 99),
    st.sampled_from([(",", "."), (".", ","), ("'", "."), (" ", ","), ("\u00a0", ",")]),
)
def test_reads_thousands_and_decimals_of_any_country(
    whole: int, cents: int, signs: tuple[str, str]
) -> None:
    thousands, decimal = signs
    cell = f"{whole:,}".replace(",", thousands) + f"{decimal}{cents:02d} g"
    assert read_weight(cell).mass_kg == float(f"{whole}.{cents:02d}") / 1000


numbers = st.one_of(
    st.decimals(0, 2_000_000, places=3).map(str),
    st.integers(0, 10**13).map(str),
    st.floats(allow_nan=True).map(repr),
    st.text("0123456789.,-+ e", max_size=8),
)


@given(
    st.lists(numbers, min_size=1, max_size=30),
    st.sampled_from(sorted(UNIT_NAMES)),
    st.sampled_from([".", ",", None]),
)
def test_the_fast_way_through_polars_says_the_same_as_the_slow_one(
    cells: list[str], unit_name: str, decimal: DecimalSign | None
) -> None:
    unit = UNIT_NAMES[unit_name]
    rule = NumberRule(decimal, unit=unit)
    frame = pl.DataFrame({Field.WEIGHT: pl.Series(cells, dtype=pl.String)})
    column = read_masses(frame, Field.WEIGHT, rule)
    readings = [read_weight(cell, unit, decimal) for cell in cells]
    assert column.values.to_list() == [reading.mass_kg for reading in readings]
    assert column.problems.to_list() == [reading.problem for reading in readings]


def test_every_unit_is_a_finite_factor() -> None:
    assert all(math.isfinite(u.to_kg(1.0)) and u.to_kg(1.0) > 0 for u in UNIT_NAMES.values())
    assert KILOGRAM.to_kg(2.5) == 2.5
