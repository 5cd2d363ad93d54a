"""Weights as people write them."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.products import FieldLimits
from weighbridge.ingest.base import make_chunk
from weighbridge.ingest.columns import REQUIRED, ColumnMap, Field
from weighbridge.ingest.rows import check_rows
from weighbridge.ingest.weights import KILOGRAM, UNIT_NAMES, read_weight


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
        ("1.234", 1.234),
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


@pytest.mark.parametrize("cell", ["", "  ", "-", "n/a", "NA", "unknown", "?", "NaN", "null"])
def test_words_for_unknown_mean_no_weight(cell: str) -> None:
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
        ("1.5 stone", "unknown unit"),
        ("3 ton", "unknown unit"),
        ("1,234", "two ways"),
        ("1,23,456", "two ways"),
        ("1.2.3", "two ways"),
        ("1 2", "two ways"),
        ("1.5/2", "not a weight"),
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


def test_semicolon_files_read_commas_as_decimal() -> None:
    assert read_weight("1,250", comma_is_decimal=True).mass_kg == 1.25
    assert read_weight("1.250", comma_is_decimal=True).mass_kg == 1.25


def test_the_cells_unit_overrides_the_columns() -> None:
    assert read_weight("250", UNIT_NAMES["g"]).mass_kg == 0.25
    assert read_weight("250 kg", UNIT_NAMES["g"]).mass_kg == 250.0


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_python_floats_round_trip(mass_kg: float) -> None:
    assert read_weight(repr(mass_kg)).mass_kg == mass_kg


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


@given(st.lists(numbers, min_size=1, max_size=30), st.sampled_from(sorted(UNIT_NAMES)))
def test_the_polars_path_matches_the_slow_path(cells: list[str], unit_name: str) -> None:
    unit = UNIT_NAMES[unit_name]
    filler: dict[Field, list[str | None]] = {name: ["x"] * len(cells) for name in REQUIRED}
    columns = ColumnMap(dict.fromkeys((*REQUIRED, Field.WEIGHT), 0), unit)
    raw = make_chunk(columns, range(len(cells)), {**filler, Field.WEIGHT: list(cells)})
    chunk = check_rows(raw, FieldLimits(), None)
    found: dict[int, float | str | None] = dict(
        chunk.products.select("row_number", pl.col("weight_kg")).iter_rows()
    )
    found |= {row.row: row.reason for row in chunk.rejected}
    readings = [read_weight(cell, unit) for cell in cells]
    assert [found[i] for i in range(len(cells))] == [r.problem or r.mass_kg for r in readings]


def test_every_unit_is_a_finite_factor() -> None:
    assert all(math.isfinite(u.to_kg(1.0)) and u.to_kg(1.0) > 0 for u in UNIT_NAMES.values())
    assert KILOGRAM.to_kg(2.5) == 2.5
