"""A code that several sheets have: the first row counts, also where both rows have one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import read_file

if TYPE_CHECKING:
    import pytest

HEADER = ["code", "name", "description"]


@given(st.lists(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=4), min_size=2, max_size=3))
def test_the_first_row_of_a_code_counts_over_all_sheets(
    tmp_path_factory: pytest.TempPathFactory, sheets: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("r") / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for number, codes in enumerate(sheets):
            sheet = book.add_worksheet(f"Sheet {number}")
            sheet.write_row(0, 0, HEADER)
            for i, code in enumerate(codes):
                sheet.write_row(i + 1, 0, [code, f"{number}/{i}", "x"])
    first: dict[str, str] = {}
    for number, codes in enumerate(sheets):
        for i, code in enumerate(codes):
            first.setdefault(code, f"{number}/{i}")
    found = read_file(path)
    assert {product.code: product.name for product in found.products} == first
    assert len(found.products) == len(first)
    assert len(found.rejected) == sum(map(len, sheets)) - len(first)
