"""The report on a file, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from weighbridge.cli.console import duration, err, money
from weighbridge.service.report_document import report_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from weighbridge.ingest.report import CatalogueReport, ColumnUse, Reason
    from weighbridge.planning.cost import CatalogueEstimate

__all__ = ["print_report", "report_document", "say_questions"]

_SAMPLE_CHARACTERS = 24
_REASONS = 10


def print_report(
    console: Console, report: CatalogueReport, estimate: CatalogueEstimate | None, model: str = ""
) -> None:
    """What the file is taken for. Texts of the file are never taken for markup."""
    for line in _facts(report):
        console.print(Text(line), soft_wrap=True)
    console.print(_columns_table(report.columns))
    for line in _unused(report):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    console.print(Text(_counts(report), style="bold"), soft_wrap=True)
    for line in _reasons("rejected", report.rejections):
        console.print(Text(line, style="red"), soft_wrap=True)
    for line in _reasons("noted", report.notes):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    if estimate is not None:
        console.print(Text(_estimate(estimate, model)), soft_wrap=True)


def say_questions(report: CatalogueReport) -> None:
    """What is still open, with the option that settles it."""
    for doubt in report.questions:
        err.print(Text(f"Open question: {doubt.message}", style="yellow"), soft_wrap=True)


def _facts(report: CatalogueReport) -> Iterator[str]:
    parts = [report.format.upper()]
    if report.shop:
        parts.append(f"an export of {report.shop}")
    if report.encoding:
        parts.append(f"{report.encoding} ({report.encoding_certainty})")
    if report.delimiter:
        parts.append(f"columns separated by {report.delimiter}s")
    if report.header_row and not report.sheets:
        parts.append(f"header in row {report.header_row}")
    yield f"{report.file}: " + ", ".join(parts)
    for sheet in report.sheets:
        yield f"  sheet {sheet.name}: {'read' if sheet.used else 'not read'}, {sheet.why}"


def _columns_table(columns: Sequence[ColumnUse]) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("column", "taken as", "why", "samples"):
        table.add_column(title, overflow="fold")
    for column in columns:
        samples = " | ".join(_shortened(sample) for sample in column.samples)
        table.add_row(Text(column.column), Text(_taken_as(column)), Text(column.why), Text(samples))
    return table


def _taken_as(column: ColumnUse) -> str:
    parts = [column.field.value]
    if column.unit_why:
        parts.append(f"in {column.unit or '?'} ({column.unit_why})")
    if column.decimal_why and column.decimal_why != "no number has decimals":
        sign = {".": "decimal point", ",": "decimal comma", None: "decimal sign"}[
            column.decimal_sign
        ]
        parts.append(f"{sign} ({column.decimal_why})")
    return ", ".join(parts)


def _shortened(sample: str) -> str:
    line = " ".join(sample.split())
    return line if len(line) <= _SAMPLE_CHARACTERS else line[: _SAMPLE_CHARACTERS - 1] + "…"


def _unused(report: CatalogueReport) -> Iterator[str]:
    plain = [column.column for column in report.unused if not column.looks_like]
    for column in report.unused:
        if column.looks_like:
            yield f"Not used, though it looks like {column.looks_like}: {column.column} ({column.remedy})"
    if plain:
        more = f" and {len(plain) - 12:,} more" if len(plain) > 12 else ""
        yield f"Not used: {', '.join(plain[:12])}{more}"


def _counts(report: CatalogueReport) -> str:
    parts = [f"{report.products:,} products", f"{report.noted_products:,} of them with notes"]
    parts.append(f"{report.rejected_rows:,} rows rejected")
    parts += [f"{count:,} {what}" for what, count in report.passed_over.items()]
    return f"{report.rows:,} rows: " + ", ".join(parts)


def _reasons(what: str, reasons: Sequence[Reason]) -> Iterator[str]:
    for one in reasons[:_REASONS]:
        yield f"  {what} {one.count:,} × {one.field}: {one.reason} (first in row {one.first_row:,})"
    if len(reasons) > _REASONS:
        yield f"  … and {len(reasons) - _REASONS:,} other reasons"


def _estimate(estimate: CatalogueEstimate, model: str) -> str:
    price = money(estimate.cost_usd) if estimate.price_known else "no published price"
    return (
        f"To process them: {estimate.requests:,} calls, {estimate.input_tokens + estimate.output_tokens:,} tokens, "
        f"{price}, {duration(estimate.hours * 3600)}" + (f" with {model}" if model else "")
    )
