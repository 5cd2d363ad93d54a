"""Reads XLSX workbooks with calamine (fastexcel): the first sheet that has the columns.

The package is checked first (`xlsx_package.py`). The sheet is held in memory as a whole, as its format demands; very
large catalogues travel better as CSV or Parquet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import fastexcel
import polars as pl
from typing_extensions import override

from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.base import (
    CHUNK_ROWS,
    NO_CHOICES,
    CatalogueFormat,
    Choices,
    RawChunk,
    Reader,
    Source,
    make_chunk,
)
from weighbridge.ingest.columns.matching import HEADER_SEARCH_ROWS, ColumnMap, Wanted, find_header
from weighbridge.ingest.formats.native_errors import damaged_means_unreadable
from weighbridge.ingest.formats.xlsx_package import check_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class XlsxReader(Reader):
    """A workbook. Rows are numbered as Excel numbers them. Whole numbers lose their ".0", text keeps its zeros."""

    def __init__(self, path: Path, choices: Choices = NO_CHOICES) -> None:
        self._path = path
        check_package(path)

    @override
    def source(self, wanted: Wanted) -> Source:
        _, header, _ = self._choose_sheet(wanted)
        return Source(CatalogueFormat.XLSX, header_row=header + 1)

    @override
    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        sheet, header, columns = self._choose_sheet(wanted)
        for start in range(header + 1, sheet.height, CHUNK_ROWS):
            rows = sheet.slice(start, CHUNK_ROWS).with_row_index("row", start + 1)
            used = rows.filter(~pl.all_horizontal(pl.exclude("row").is_null()))
            values = {name: used.to_series(i + 1) for name, i in columns.columns().items()}
            yield make_chunk(columns, used.to_series(0), values)

    def _choose_sheet(self, wanted: Wanted) -> tuple[pl.DataFrame, int, ColumnMap]:
        """The first sheet with the required columns; failing that, what the first filled one lacks is reported."""
        missing: MissingColumn | None = None
        for sheet in self._sheets():
            if sheet.is_empty():
                continue
            top = [
                ["" if cell is None else str(cell) for cell in row]
                for row in sheet.head(HEADER_SEARCH_ROWS).iter_rows()
            ]
            try:
                header, columns = find_header(top, wanted)
            except MissingColumn as error:
                missing = missing or error
            else:
                return sheet, header, columns
        raise missing or UnreadableFile("The workbook has no filled sheet.")

    def _sheets(self) -> Iterator[pl.DataFrame]:
        with damaged_means_unreadable("XLSX file"):
            workbook = fastexcel.read_excel(self._path)
            names = workbook.sheet_names
        for name in names:
            with damaged_means_unreadable("XLSX file"):
                # skip_rows=0 (unlike None) keeps empty rows at the top, so that our row numbers are Excel's.
                loaded = workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
                sheet = pl.DataFrame() if loaded.visible != "visible" else loaded.to_polars()
            yield sheet
