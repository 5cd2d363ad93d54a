"""The CSV as a file: its lines, its quoting, its safety."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.export.result_rows import COLUMNS, FIELDS, completed, failed
from weighbridge.domain.products import ProcessingStatus
from weighbridge.domain.results import AnswerProvenance, Provenance
from weighbridge.export.base import ResultRow
from weighbridge.export.csv_writer import CsvWriter

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = {column.name for column in COLUMNS if column.number_format}


def written(path: Path, rows: list[ResultRow]) -> list[dict[str, str]]:
    """Write these rows and read them with Python's own csv."""
    with CsvWriter(path, FIELDS) as writer:
        writer.write(rows)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_completed_product_is_one_plain_line(tmp_path: Path) -> None:
    written(tmp_path / "results.csv", [completed()])
    header, line = (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == [column.name for column in COLUMNS]
    assert line == (
        "CHAIR-1,Chair,completed,Furniture,Chairs,12.35,8,17,12.35,both "
        "agree,12.35,15,,,1.5,4.25,given,PL,Stainless steel 62 %; Polypropylene 20 %; electricity "
        "15 %,one proxy factor,,gpt-4.1-mini,yes,,0.000213,2026-11-23T20:15:30Z,,,,,net,,,,,,,,,,,"
        "https://shop.example/chair.jpg,"
    )


def test_a_byte_order_mark_is_written_only_where_it_is_asked_for(tmp_path: Path) -> None:
    for wanted in (True, False):
        path = tmp_path / f"{wanted}.csv"
        with CsvWriter(path, FIELDS, byte_order_mark=wanted) as writer:
            writer.write([completed()])
        assert path.read_bytes().startswith(b"\xef\xbb\xbfcode,") == wanted
        assert path.read_bytes().count(b"\xef\xbb\xbf") == wanted


def test_line_ends_and_quotes_inside_a_name_stay_inside_their_cell(tmp_path: Path) -> None:
    rows = written(tmp_path / "results.csv", [completed("A", 'a "b",\r\nc'), failed("B")])
    assert [(row["code"], row["name"]) for row in rows] == [("A", 'a "b",\nc'), ("B", "Lamp")]


any_text = st.text(
    st.one_of(st.sampled_from("=+-@＝\t\r\n;, '\"\ufeff"), st.characters(exclude_categories=["Cs"]))
)


@given(any_text, any_text, any_text, st.floats(allow_nan=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(
    tmp_path: Path, code: str, name: str, error: str, cost_usd: float
) -> None:
    row = ResultRow(
        code=code,
        name=name,
        description="",
        status=ProcessingStatus.FAILED,
        error=error,
        provenance=Provenance(
            "1", "factors", {"a step": AnswerProvenance("1", code, name, False, None)}
        ),
        answered={"category": code},
        cost_usd=cost_usd,
    )
    (line,) = written(tmp_path / "results.csv", [row])
    for column, cell in line.items():
        if column in NUMBERS:
            assert cell == "" or float(cell) is not None
        else:
            assert not cell.startswith(("\t", "\r", "\n"))
            assert not cell.lstrip().startswith(tuple("=+-@＝＋－＠"))


def test_further_pictures_stand_behind_the_first(tmp_path: Path) -> None:
    more = ("https://shop.example/back.jpg", "0b6a.png")
    pictured = replace(completed(), more_pictures=more)
    (row,) = written(tmp_path / "results.csv", [pictured])
    assert row["pictures"].split() == ["https://shop.example/chair.jpg", *more]
