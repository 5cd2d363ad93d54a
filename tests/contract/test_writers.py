"""What every writer of results promises, checked on each of them by reading the file back with
another program.
"""

from __future__ import annotations

import contextlib
import json
import resource
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.export.result_rows import FIELDS, batches, completed, failed
from weighbridge.errors import InputError, StoreError, UnsupportedFormat
from weighbridge.export import MEDIA_TYPES, PACT, PACT_2, WRITERS, checked_format, open_writer
from weighbridge.export.cells import neutral_text, writable_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATS = list(WRITERS)
every_format = pytest.mark.parametrize("format_name", FORMATS)


def read_codes_names_and_emissions(path: Path) -> list[tuple[str, str, float | None]]:
    """What polars (or json) finds in the file."""
    match path.suffix:
        case ".csv":
            table = pl.read_csv(path, infer_schema=False)
        case ".xlsx":
            table = pl.read_excel(path, sheet_name="Products", infer_schema_length=0)
        case ".parquet":
            table = pl.read_parquet(path)
        case _:
            lines = path.read_text(encoding="utf-8").splitlines()
            return [
                (one["code"], one["name"], (one["footprint"] or {}).get("emissionsKgCo2e"))
                for one in map(json.loads, lines)
            ]
    rows = table.select("code", "name", "emissions_kg_co2e").rows()
    return [(code, name, float(emissions) if emissions else None) for code, name, emissions in rows]


@contextlib.contextmanager
def disk_that_takes(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond `size_bytes`: to the writer this is a disk that refuses more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@every_format
def test_products_come_back_with_code_name_and_footprint(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"
    with open_writer(format_name, path, FIELDS) as writer:
        writer.write([completed("A"), failed("B")])
        writer.write([completed("C", 'Größe "L", 大')])
    read = read_codes_names_and_emissions(path)
    assert [(code, name) for code, name, _ in read] == [
        ("A", "Chair"),
        ("B", "Lamp"),
        ("C", 'Größe "L", 大'),
    ]
    assert read[0][2] == pytest.approx(12.345678, rel=5e-4)
    assert read[1][2] is None


@every_format
def test_a_file_without_products_is_valid_and_has_its_columns(
    format_name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"results.{format_name}"
    open_writer(format_name, path, FIELDS).close()
    assert read_codes_names_and_emissions(path) == []


@every_format
def test_many_batches_become_one_file_in_the_same_order(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"
    with open_writer(format_name, path, FIELDS) as writer:
        for batch in batches(2_500, 700):
            writer.write(batch)
    codes = [code for code, _, _ in read_codes_names_and_emissions(path)]
    assert codes == [f"P-{number:07}" for number in range(2_500)]


@every_format
def test_file_appears_only_when_complete(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"
    writer = open_writer(format_name, path, FIELDS)
    writer.write([completed()])
    assert not path.exists()
    writer.close()
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_an_exception_leaves_the_earlier_file_untouched(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"
    path.write_text("from yesterday")

    def interrupted() -> None:
        with open_writer(format_name, path, FIELDS) as writer:
            writer.write([completed()])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "from yesterday"
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_a_new_export_replaces_the_earlier_one(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"
    path.write_text("from yesterday")
    with open_writer(format_name, path, FIELDS) as writer:
        writer.write([completed("TODAY")])
    assert [code for code, _, _ in read_codes_names_and_emissions(path)] == ["TODAY"]


@every_format
def test_a_full_disk_is_reported_and_leaves_nothing(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"

    def export() -> None:
        with open_writer(format_name, path, FIELDS) as writer:
            for batch in batches(1_000, 100):
                writer.write(batch)

    with disk_that_takes(2_000), pytest.raises(StoreError, match=r"results\..* the disk is full"):
        export()
    assert list(tmp_path.iterdir()) == []


@every_format
def test_an_impossible_folder_is_reported_with_its_path(format_name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a file")
    with pytest.raises(InputError, match=r"notes\.txt is not a folder"):
        open_writer(format_name, tmp_path / "notes.txt" / f"results.{format_name}", FIELDS)


@every_format
def test_a_missing_folder_is_created(format_name: str, tmp_path: Path) -> None:
    path = tmp_path / "out" / "today" / f"results.{format_name}"
    open_writer(format_name, path, FIELDS).close()
    assert path.exists()


@every_format
def test_a_folder_is_not_overwritten_as_a_file(format_name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        open_writer(format_name, tmp_path, FIELDS)


@every_format
def test_closing_twice_is_harmless_but_writing_after_close_fails(
    format_name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"results.{format_name}"
    writer = open_writer(format_name, path, FIELDS)
    writer.close()
    writer.close()
    writer.discard()
    assert path.exists()
    with pytest.raises(ValueError, match="is closed"):
        writer.write([completed()])


# Any text that PostgreSQL can hold: no NUL, no half surrogate pairs.
stored_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
@given(texts=st.lists(stored_text, min_size=1, max_size=5))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_text_survives_a_round_trip(format_name: str, texts: list[str], tmp_path: Path) -> None:
    path = tmp_path / f"results.{format_name}"
    with open_writer(format_name, path, FIELDS) as writer:
        writer.write([completed(text, text) for text in texts])
    read = read_codes_names_and_emissions(path)
    assert [(code, name) for code, name, _ in read] == [(text, text) for text in texts]


@given(texts=st.lists(stored_text, min_size=1, max_size=5))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_text_is_neutralised_in_csv(texts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with open_writer("csv", path, FIELDS) as writer:
        writer.write([completed("code", text) for text in texts])
    names = [name or "" for _, name, _ in read_codes_names_and_emissions(path)]
    assert names == [neutral_text(text) for text in texts]


@given(texts=st.lists(stored_text, min_size=1, max_size=5))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_text_is_unchanged_in_xlsx_as_far_as_a_workbook_can_hold_it(
    texts: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "results.xlsx"
    with open_writer("xlsx", path, FIELDS) as writer:
        writer.write([completed("code", text) for text in texts])
    names = [name or "" for _, name, _ in read_codes_names_and_emissions(path)]
    assert names == [writable_text(text) for text in texts]


def test_unknown_format_error_lists_the_known_ones() -> None:
    with pytest.raises(UnsupportedFormat, match=r"'pdf'.*csv, xlsx, jsonl, parquet"):
        checked_format("pdf")


def test_format_names_ignore_case_and_spaces() -> None:
    assert [checked_format(name) for name in ("CSV", " xlsx ", ".jsonl")] == [
        "csv",
        "xlsx",
        "jsonl",
    ]


def test_every_format_has_a_media_type() -> None:
    assert set(MEDIA_TYPES) == {*WRITERS, PACT, PACT_2}
