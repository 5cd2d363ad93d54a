"""Writes results as XLSX, a workbook for people.

    Summary        totals, hotspots, what to check first, charts
    Products       one row a product, in the order in which they come: largest totals first
    Materials      what the products are made of
    Contributions  what adds up to each figure
    Notes          what to know before using a figure
    About          versions, sources, what the columns mean

All tables grow side by side as products come, one row of each in memory (`sheets`). Summary and
Materials need totals; without them they are left out.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import xlsxwriter
from typing_extensions import override
from xlsxwriter.exceptions import FileCreateError

from weighbridge.export.files import FileWriter
from weighbridge.export.workbook.about import Seen, write_about
from weighbridge.export.workbook.contributions import (
    CONTRIBUTIONS,
    NOTES,
    PRINTED,
    contribution_rows,
    note_rows,
)
from weighbridge.export.workbook.products import (
    count_printed,
    product_cells,
    product_columns,
    sheet_column,
)
from weighbridge.export.workbook.sheets import ROWS_PER_SHEET, Styles, TableSheet
from weighbridge.export.workbook.summary import MATERIALS, write_materials, write_summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.domain.totals import CatalogueTotals
    from weighbridge.export.base import ResultRow
    from weighbridge.steps.shown import ShownField


class WorkbookWriter(FileWriter):
    """Writes the sheets that the docstring of the module lists."""

    _book: Any
    _about: Any
    _summary: Any
    _products: TableSheet
    _materials: TableSheet | None
    _contributions: TableSheet
    _notes: TableSheet

    def __init__(
        self,
        path: Path,
        fields: Sequence[ShownField],
        totals: CatalogueTotals | None = None,
        rows_per_sheet: int = ROWS_PER_SHEET,
    ) -> None:
        self._totals = totals
        self._rows_per_sheet = rows_per_sheet
        self._seen = Seen()
        self._columns = product_columns(fields)
        super().__init__(path, fields)

    @override
    def _start(self, path: Path) -> None:
        """Add all sheets in their order; Summary and Materials only if there are totals."""
        self._book = xlsxwriter.Workbook(
            path, {"constant_memory": True, "tmpdir": str(path.parent), "use_zip64": True}
        )
        self._styles = Styles(self._book)
        if self._totals is not None:
            self._summary = self._book.add_worksheet("Summary")
        self._products = self._table(
            "Products",
            [sheet_column(column) for column in self._columns],
            frozen=2,
            printed=count_printed(self._columns),
        )
        self._materials = None
        if self._totals is not None:
            self._materials = self._table("Materials", MATERIALS)
        self._contributions = self._table(
            "Contributions", [one for one, _, _ in CONTRIBUTIONS], printed=PRINTED
        )
        self._notes = self._table("Notes", NOTES)
        self._about = self._book.add_worksheet("About")

    def _table(self, name: str, columns: Sequence[Any], **options: Any) -> TableSheet:
        return TableSheet(
            self._book,
            self._styles,
            name,
            columns,
            rows_per_sheet=self._rows_per_sheet,
            **options,
        )

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        for row in rows:
            self._seen.add(row)
            self._products.append([product_cells(self._columns, row)])
            self._contributions.append(list(contribution_rows(row)))
            self._notes.append(list(note_rows(row)))

    @override
    def _finish(self) -> None:
        """Write what is known only now (totals, versions, sources), and save.

        Raises:
            OSError: as the system reported it, without xlsxwriter's wrapping.
        """
        if self._totals is not None and self._materials is not None:
            write_summary(self._book, self._summary, self._styles, self._totals)
            write_materials(self._materials, self._totals)
            self._materials.finish()
        for table in (self._products, self._contributions, self._notes):
            table.finish()
        write_about(self._about, self._styles, self._seen, self._columns)
        try:
            self._book.close()
        except FileCreateError as error:
            # xlsxwriter wraps what the operating system said; the caller explains it better.
            raise error.args[0] from error

    @override
    def _abandon(self) -> None:
        # xlsxwriter cannot abort. Until assembly both names refer to the same open file.
        for sheet in self._book.worksheets():
            for file in (sheet.row_data_fh, sheet.fh):
                with contextlib.suppress(OSError):
                    file.close()
