"""The list of rejected rows as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weighbridge.domain.products import RejectedRow
from weighbridge.errors import InputError
from weighbridge.export.rejected_writer import write_rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_rejected_rows_are_listed_with_row_field_reason_and_code(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    rows = [
        RejectedRow(row=3, field="weight", reason="must be above 0, is -2", code="LAMP"),
        RejectedRow(row=12_345, field="code", reason="is missing"),
    ]
    assert write_rejected(path, iter(rows)) == 2
    assert path.read_text(encoding="utf-8") == (
        'row,field,reason,code,sheet,column\n3,weight,"must be above 0, is -2",LAMP,,\n'
        "12345,code,is missing,,,\n"
    )


def test_a_hostile_code_is_neutralised(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    write_rejected(path, [RejectedRow(row=2, field="name", reason="is missing", code="=1+1")])
    assert path.read_text(encoding="utf-8").endswith("is missing,'=1+1,,\n")


def test_no_rejected_rows_still_make_a_file_with_a_header(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    assert write_rejected(path, []) == 0
    assert path.read_text(encoding="utf-8") == "row,field,reason,code,sheet,column\n"


def test_an_interrupted_export_leaves_no_file(tmp_path: Path) -> None:
    def rows() -> Iterator[RejectedRow]:
        yield RejectedRow(row=2, field="name", reason="is missing")
        raise InputError("the rest could not be read")

    with pytest.raises(InputError):
        write_rejected(tmp_path / "rejected.csv", rows())
    assert list(tmp_path.iterdir()) == []
