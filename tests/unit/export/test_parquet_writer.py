"""The Parquet file: typed nested columns, written in parts and joined by streaming."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tests.unit.export.result_rows import ANSWERED_AT, FIELDS, batches, completed, failed
from weighbridge.domain.facts import ProcessFacts
from weighbridge.export.parquet_writer import ROWS_PER_PART, ParquetWriter, schema_of

SCHEMA = schema_of(FIELDS)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_completed_product_comes_back_with_its_nested_records(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    with ParquetWriter(path, FIELDS) as writer:
        writer.write([completed(), failed()])
    table = pl.read_parquet(path)
    assert table.schema == SCHEMA
    chair, lamp = table.rows(named=True)
    assert chair["emissions_kg_co2e"] == 12.345678
    assert (chair["status"], chair["mass_origin"], chair["simulated"]) == (
        "completed",
        "given",
        True,
    )
    assert (chair["data_quality"], chair["data_quality_geographical"]) == (1.5, 2.0)
    assert chair["bill"][1] == {"material": "polypropylene", "mass_kg": 1.25, "component": "seat"}
    assert chair["processes"] == [
        {"process": "welding", "material": "stainless_steel", "line": 1}
        | dict.fromkeys(ProcessFacts._fields)
    ]
    assert [route["name"] for route in chair["routes"]] == ["bill of materials", "class figure"]
    assert (chair["decided_by"], chair["routes_apart"]) == ("both agree", 1.215)
    assert [one["share"] for one in chair["contributions"]] == [0.62, 0.2, 0.075, 0.075, 0.03]
    assert chair["contributions"][2]["kind"] == "process electricity"
    assert chair["contributions"][2]["is_proxy"] is False
    assert [one["emissions_kg_co2e"] for one in chair["contributions"]] == [
        7.65,
        2.47,
        0.9,
        0.9,
        0.42,
    ]
    assert chair["completed_at"] == completed().completed_at
    assert chair["step_versions"] == [
        {
            "step": "classification",
            "version": "1",
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "simulated": True,
            "recorded": False,
            "answered_at": ANSWERED_AT,
            "variant_of": None,
        }
    ]
    assert (chair["method_version"], chair["factors_version"]) == (
        "1",
        "weighbridge-factors 2026.11",
    )
    assert (lamp["error_kind"], lamp["contributions"], lamp["emissions_kg_co2e"]) == (
        "ImplausibleAnswer",
        [],
        None,
    )


def test_a_file_without_products_has_every_column_with_its_type(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    ParquetWriter(path, FIELDS).close()
    assert pl.read_parquet(path).schema == SCHEMA


def test_rows_are_flushed_to_part_files(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path / "results.parquet", FIELDS)
    held = []
    for batch in batches(5 * ROWS_PER_PART, 700):
        writer.write(batch)
        held.append(sum(frame.height for frame in writer._gathered))
    assert max(held) < ROWS_PER_PART
    assert len(writer._parts) >= 4
    writer.close()
    assert pl.read_parquet(writer.path, columns=["code"]).height == 5 * ROWS_PER_PART


def test_one_large_batch_is_written_in_parts_too(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path / "results.parquet", FIELDS)
    (everything,) = batches(2 * ROWS_PER_PART + 1, 2 * ROWS_PER_PART + 1)
    writer.write(everything)
    assert sum(frame.height for frame in writer._gathered) == 1
    writer.close()
    assert pl.read_parquet(writer.path)["code"].to_list() == [row.code for row in everything]
