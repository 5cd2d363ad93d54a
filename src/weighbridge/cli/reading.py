"""How the command line says how a file is to be read: `--map`, `--decimal`, `--unit`, `--encoding`,
`--sheet`, or an answer.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

import typer
from rich.table import Table
from rich.text import Text

from weighbridge.cli.console import MapOption, duration, err, money, price_range
from weighbridge.errors import InputError
from weighbridge.plain_text import counted, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from weighbridge.domain.calls import Lane
    from weighbridge.domain.products import FieldLimits
    from weighbridge.ingest.catalogue import ReadOptions
    from weighbridge.ingest.decisions import Doubt, Given
    from weighbridge.ingest.isolation.reading import OpenCatalogue
    from weighbridge.ingest.report import CatalogueReport, ColumnUse, Reason
    from weighbridge.planning.cost import CatalogueEstimate

DecimalOption = Annotated[
    Literal["point", "comma"] | None,
    typer.Option("--decimal", help="Decimal sign of the file's numbers.", show_default="detected"),
]
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--unit",
        help="Unit of weights given without one: kg, g, mg, t, lb or oz.",
        show_default="detected",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        help="Encoding of a text file, such as utf-8 or windows-1250.",
        show_default="detected",
    ),
]
SheetOption = Annotated[
    str | None,
    typer.Option("--sheet", help="The sheet of a workbook to read.", show_default="all that fit"),
]


@dataclass(frozen=True, slots=True)
class HowToRead:
    """What the command line says about reading a file; its fields are the options."""

    mapping: MapOption = None
    decimal: DecimalOption = None
    unit: UnitOption = None
    encoding: EncodingOption = None
    sheet: SheetOption = None

    def options(self, limits: FieldLimits, *, at_most: int | None = None) -> ReadOptions:
        """These options, checked.

        Raises:
            InputError: there is no such field or unit.
        """
        from weighbridge.ingest.base import Choices
        from weighbridge.ingest.catalogue import ReadOptions
        from weighbridge.ingest.columns.matching import parse_mapping

        return ReadOptions(
            mapping=parse_mapping(self.mapping or []),
            choices=Choices(self.encoding, self.sheet),
            given=_given(self.decimal, self.unit),
            limits=limits,
            at_most=at_most,
        )


AS_FOUND: Final = HowToRead()


def reads_a_catalogue(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes a `HowToRead` the options for it, in the place of that argument."""
    hints = get_type_hints(HowToRead, include_extras=True)
    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.annotation is not HowToRead:
            parameters.append(parameter)
            continue
        parameters += [
            parameter.replace(name=name, annotation=hint, default=None)
            for name, hint in hints.items()
        ]

    @wraps(command)
    def with_options(**given: Any) -> None:
        told = HowToRead(**{name: given.pop(name) for name in hints})
        command(**given, reading=told)

    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


_SIGNS: Final[dict[str, Literal[".", ","]]] = {"point": ".", "comma": ","}


def _given(decimal: str | None, unit: str | None) -> Given:
    from weighbridge.ingest.decisions import Given
    from weighbridge.ingest.values.units import UNIT_NAMES

    known = UNIT_NAMES.get(unit.strip().casefold()) if unit else None
    if unit and known is None:
        raise InputError(f"There is no unit {unit!r}; use kg, g, mg, t, lb or oz.")
    return Given(_SIGNS[decimal] if decimal else None, known)


def settle_doubts(catalogue: OpenCatalogue, given: Given) -> None:
    """Ask what only the file's owner knows, where somebody is there to answer; otherwise leave it
    open.
    """
    if not (sys.stdin.isatty() and err.is_terminal):
        return
    while doubts := catalogue.head.decisions.doubts:
        given = _answer(doubts[0], given)
        catalogue.decide(given)


def _answer(doubt: Doubt, given: Given) -> Given:
    """Ask on stderr until one of the options is typed; returns `given` with that answer added."""
    err.print(doubt.question, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for answer, meaning in doubt.options.items():
        err.print(f"  {answer}: {meaning}", markup=False, highlight=False)
    answer = ""
    while answer not in doubt.options:
        answer = typer.prompt(f"Which is it ({', '.join(doubt.options)})", err=True).strip()
    chosen = _given(
        answer if doubt.option == "decimal" else None, answer if doubt.option == "unit" else None
    )
    return replace(
        given, **({"decimal": chosen.decimal} if chosen.decimal else {"unit": chosen.unit})
    )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One run. `formats` and `reading` are checked; `pacing` and `steps` None mean as stored."""

    file: Path
    out_dir: Path
    simulate: bool
    formats: tuple[str, ...]
    pacing: str | None
    steps: str | None
    reading: ReadOptions
    yes: bool
    redo: bool
    as_json: bool
    answers: Path | None = None  # a recording
    budget_usd: float | None = None
    csv_bom: bool = False
    lane: Lane | None = None  # as stored


# The report ----------------------------------------------------------------------------------

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
    for assumed in report.assumptions:
        line = f"{assumed.message} {assumed.remedy}"
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
    """One line on the file (format, encoding, delimiter, header row), then one for each sheet."""
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
    """The field, then unit and decimal sign with the reason for each where one was decided."""
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
        yield f"Not used: {listed(plain, 12)}"


def _counts(report: CatalogueReport) -> str:
    parts = [counted(report.products, "product"), f"{report.noted_products:,} of them with notes"]
    parts.append(f"{counted(report.rejected_rows, 'row')} rejected")
    parts += [_passed_over(count, what) for what, count in report.passed_over.items()]
    return f"{counted(report.rows, 'row')}: " + ", ".join(parts)


def _passed_over(count: int, what: str) -> str:
    """`what` begins with "rows": rows of further pictures."""
    return counted(count, "row") + what.removeprefix("rows")


def _reasons(what: str, reasons: Sequence[Reason]) -> Iterator[str]:
    for one in reasons[:_REASONS]:
        yield f"  {what} {one.count:,} × {one.field}: {one.reason} (first in row {one.first_row:,})"
    if len(reasons) > _REASONS:
        yield f"  … and {len(reasons) - _REASONS:,} other reasons"


def _estimate(estimate: CatalogueEstimate, model: str) -> str:
    """One sentence: calls, tokens (input and output together), price range and duration."""
    price = price_range(estimate) if estimate.price_known else "no published price"
    tiers = ", ".join(f"{money(one.cost_usd)} in tier {one.tier}" for one in estimate.tiers)
    return (
        f"To process them: {estimate.requests:,} calls, "
        f"{estimate.input_tokens + estimate.output_tokens:,} tokens, {price}, "
        f"{duration(estimate.hours * 3600)}"
        + (f" with {model}" if model else "")
        + (f"; {tiers}" if tiers else "")
    )
