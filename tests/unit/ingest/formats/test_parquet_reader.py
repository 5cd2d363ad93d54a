"""Parquet with all sorts of column types, and damaged."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.support.catalogues import read_all, read_file
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.formats.parquet_reader import MAX_CELL_BYTES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.parquet"


def frame(**columns: object) -> pl.DataFrame:
    return pl.DataFrame(
        {"code": ["A", "B"], "name": ["x", "y"], "description": ["d", "e"], **columns}
    )


def test_numbers_become_text_without_losing_or_gaining_digits(path: Path) -> None:
    frame(code=[123.0, 4.5], name=[10**15, 7], weight=[0.1, None]).write_parquet(path)
    products, rejected = read_all(path)
    assert rejected == []
    assert [(p.code, p.name, p.weight_kg) for p in products] == [
        ("123", "1000000000000000", 0.1),
        ("4.5", "7", None),
    ]


def test_float32_weights_keep_their_value(path: Path) -> None:
    frame(weight=pl.Series([0.1, 2.5], dtype=pl.Float32)).write_parquet(path)
    assert [p.weight_kg for p in read_all(path)[0]] == [0.1, 2.5]


def test_categories_dates_and_truth_values_become_text(path: Path) -> None:
    frame(
        code=pl.Series(["A", "B"], dtype=pl.Categorical),
        name=[True, False],
        description=[datetime.date(2026, 1, 2), datetime.date(2026, 1, 3)],
    ).write_parquet(path)
    products, rejected = read_all(path)
    assert rejected == []
    assert products[0].name == "true"
    assert products[0].description == "2026-01-02"


@pytest.mark.parametrize("values", [[["a"], ["b"]], [{"x": 1}, {"x": 2}], [b"a", b"b"]])
def test_bytes_and_nested_values_of_a_required_field_are_refused_with_a_remedy(
    path: Path, values: list[object]
) -> None:
    frame(name=values).write_parquet(path)
    with pytest.raises(UnreadableFile, match=r"name must be text.*take it out of the file"):
        read_all(path)


@pytest.mark.parametrize("values", [[{"x": 1}, {"x": 2}], [b"a", b"b"]])
def test_bytes_and_nested_values_of_another_field_cost_only_their_cells(
    path: Path, values: list[object]
) -> None:
    frame(weight=values).write_parquet(path)
    found = read_file(path)
    assert [product.weight_kg for product in found.products] == [None, None]
    assert [note.field for note in found.notes] == ["weight", "weight"]


def test_the_first_of_a_list_of_pictures_is_taken(path: Path) -> None:
    frame(image=[["https://e.com/1.png", "https://e.com/2.png"], []]).write_parquet(path)
    assert [p.image_url for p in read_file(path).products] == ["https://e.com/1.png", None]


def test_unknown_columns_may_contain_anything(path: Path) -> None:
    frame(pictures=[b"a", b"b"], tags=[["x"], []]).write_parquet(path)
    assert len(read_all(path)[0]) == 2


def test_rows_are_counted_across_chunks(path: Path) -> None:
    n = 50_001
    pl.DataFrame(
        {
            "code": [f"P{i}" for i in range(n - 1)] + [None],
            "name": ["x"] * n,
            "description": ["y"] * n,
        }
    ).write_parquet(path, row_group_size=7_000)
    products, rejected = read_all(path)
    assert [p.code for p in products] == [f"P{i}" for i in range(n - 1)]
    assert [row.row for row in rejected] == [n]


def test_internal_damage_is_detected(path: Path) -> None:
    frame(description=["d" * 10_000, "e" * 10_000]).write_parquet(path)
    data = bytearray(path.read_bytes())
    for i in range(8, len(data) // 2):
        data[i] ^= 0xA5
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="Parquet file is damaged"):
        read_all(path)


@pytest.mark.parametrize(
    "content", [b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 100 + b"\x10\x00\x00\x00PAR1"]
)
def test_a_file_with_only_the_parquet_magic_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="Parquet file is damaged"):
        read_all(path)


def test_a_cell_of_many_megabytes_rejects_its_row_only(path: Path) -> None:
    huge = "y" * (MAX_CELL_BYTES + 1)
    frame(description=[huge, "e"]).write_parquet(path)
    products, rejected = read_all(path)
    assert [p.code for p in products] == ["B"]
    assert [(row.row, row.field) for row in rejected] == [(1, "row")]
    assert "1,048,576" in rejected[0].reason


def test_a_chunk_may_have_no_usable_row(path: Path) -> None:
    frame(description=["y" * (MAX_CELL_BYTES + 1)] * 2).write_parquet(path)
    products, rejected = read_all(path)
    assert (products, len(rejected)) == ([], 2)


def test_a_struct_of_a_value_and_its_unit_is_read_as_one_cell(tmp_path: Path) -> None:
    path = tmp_path / "structs.parquet"
    pl.DataFrame(
        {
            "code": ["A", "B", "C"],
            "name": ["a", "b", "c"],
            "description": ["x", "y", "z"],
            "weight": [
                {"value": 1.5, "unit": "kg"},
                {"value": 200.0, "unit": "g"},
                {"value": None, "unit": "g"},
            ],
            "price": [{"amount": 9.5, "currency": "EUR"}, None, {"amount": 3, "currency": "USD"}],
            "origin": [
                {"country": "CN", "region": "Hebei"},
                {"country": None, "region": "x"},
                None,
            ],
            "materials": [{"cotton": 0.8, "linen": 0.2}, None, None],
        },
        strict=False,
    ).write_parquet(path)
    found = read_file(path)
    assert [one.weight_kg for one in found.products] == [1.5, 0.2, None]
    assert [one.country_of_origin for one in found.products] == ["CN", None, None]
    assert [one.facts.price for one in found.products] == [9.5, None, 3.0]
    assert [one.facts.currency for one in found.products] == ["EUR", None, "USD"]
    assert found.by_code["A"].facts.materials == '{"cotton":0.8,"linen":0.2}'
    assert found.notes == []
