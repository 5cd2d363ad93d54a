"""The report on a file as JSON: the same document on the command line (`--json`) and in the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.products import RejectedRow, RowNote
    from weighbridge.ingest.report import CatalogueReport, ColumnUse, Reason
    from weighbridge.planning.cost import CatalogueEstimate


def report_document(
    report: CatalogueReport, estimate: CatalogueEstimate | None = None
) -> dict[str, Any]:
    """The report under the names of the HTTP contract."""
    return {
        "file": report.file,
        "format": report.format,
        "encoding": report.encoding,
        "encodingCertainty": report.encoding_certainty,
        "delimiter": report.delimiter,
        "headerRow": report.header_row,
        "shop": report.shop,
        "sheets": [
            {"name": one.name, "used": one.used, "why": one.why, "headerRow": one.header_row}
            for one in report.sheets
        ],
        "columns": [_column(one) for one in report.columns],
        "unusedColumns": [
            {"column": one.column, "looksLike": one.looks_like, "remedy": one.remedy}
            for one in report.unused
        ],
        "questions": [
            {
                "field": one.field,
                "column": one.column,
                "question": one.question,
                "option": one.option,
                "answers": dict(one.options),
            }
            for one in report.questions
        ],
        "assumptions": [
            {
                "field": one.field,
                "column": one.column,
                "assumption": one.message,
                "option": one.option,
                "answers": dict(one.options),
            }
            for one in report.assumptions
        ],
        "rows": report.rows,
        "products": report.products,
        "notedProducts": report.noted_products,
        "rejectedRows": report.rejected_rows,
        "passedOver": dict(report.passed_over),
        "rejections": [_reason(one) for one in report.rejections],
        "notes": [_reason(one) for one in report.notes],
        "firstRejected": [row_document(one) for one in report.first_rejected],
        "firstNotes": [note_document(one) for one in report.first_notes],
        "estimate": _estimate(estimate),
    }


def row_document(row: RejectedRow) -> dict[str, Any]:
    """A rejected row as it appears in the JSON report."""
    return {
        "row": row.row,
        "field": row.field,
        "reason": row.reason,
        "code": row.code,
        "sheet": row.sheet,
        "column": row.column,
    }


def note_document(note: RowNote) -> dict[str, Any]:
    """A note as it appears in the JSON report."""
    return {
        "row": note.row,
        "field": note.field,
        "reason": note.reason,
        "code": note.code,
        "sheet": note.sheet,
        "column": note.column,
        "found": note.found,
    }


def _column(column: ColumnUse) -> dict[str, Any]:
    """What a column was taken for, under the contract's names."""
    return {
        "column": column.column,
        "field": column.field,
        "why": column.why,
        "filled": column.filled,
        "samples": list(column.samples),
        "unit": column.unit,
        "unitWhy": column.unit_why,
        "decimalSign": column.decimal_sign,
        "decimalWhy": column.decimal_why,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    """A reason and how often it occurs, under the contract's names."""
    return {
        "field": reason.field,
        "reason": reason.reason,
        "count": reason.count,
        "firstRow": reason.first_row,
    }


def _estimate(estimate: CatalogueEstimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return _with_camel_keys(asdict(estimate))


def _with_camel_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under names such as `costUsd` for `cost_usd`, in tuples of records too."""
    return {
        _camel(name): [_with_camel_keys(one) for one in value]
        if isinstance(value, tuple)
        else value
        for name, value in values.items()
    }


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
