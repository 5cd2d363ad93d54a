"""The options for reading a catalogue file (`--map`, `--decimal`, `--unit`, `--encoding`,
`--sheet`), questions about it, and the report on it.
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
    from weighbridge.ingest.decisions import Doubt, Given, ReadOptions
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
    """The command-line options for reading a file, one field for each; None: detected."""

    mapping: MapOption = None
    decimal: DecimalOption = None
    unit: UnitOption = None
    encoding: EncodingOption = None
    sheet: SheetOption = None

    def options(self, limits: FieldLimits, *, at_most: int | None = None) -> ReadOptions:
        """These options, checked, in the form that the reader takes; `at_most` limits the products.

        Raises:
            InputError: there is no such field or unit.
        """
        from weighbridge.ingest.base import Choices
        from weighbridge.ingest.columns.matching import parse_mapping
        from weighbridge.ingest.decisions import ReadOptions

        return ReadOptions(
            mapping=parse_mapping(self.mapping or []),
            choices=Choices(self.encoding, self.sheet),
            given=_stated(self.decimal, self.unit),
            limits=limits,
            at_most=at_most,
        )


AS_FOUND: Final = HowToRead()
"""No options: everything about the file is detected."""


def reads_a_catalogue(command: Callable[..., None]) -> Callable[..., None]:
    """A decorator: replaces a command's parameter of type `HowToRead` by one option for each field.

    The command gets a `HowToRead` with the values of these options as `reading`.
    """
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
    def with_options(**arguments: Any) -> None:
        reading = HowToRead(**{name: arguments.pop(name) for name in hints})
        command(**arguments, reading=reading)

    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


_SIGNS: Final[dict[str, Literal[".", ","]]] = {"point": ".", "comma": ","}


def _stated(decimal: str | None, unit: str | None) -> Given:
    """What the user has stated of the file's numbers. Raises InputError for an unknown unit."""
    from weighbridge.ingest.decisions import Given
    from weighbridge.ingest.values.units import UNIT_NAMES

    known = UNIT_NAMES.get(unit.strip().casefold()) if unit else None
    if unit and known is None:
        raise InputError(f"There is no unit {unit!r}; use kg, g, mg, t, lb or oz.")
    return Given(_SIGNS[decimal] if decimal else None, known)


def settle_doubts(catalogue: OpenCatalogue, given: Given) -> None:
    """Ask the questions that the file leaves open, if stdin and stderr are a terminal.

    The answers, added to `given`, are set in the catalogue; without a terminal nothing is changed.
    """
    if not (sys.stdin.isatty() and err.is_terminal):
        return
    while doubts := catalogue.head.decisions.doubts:
        given = _ask_doubt(doubts[0], given)
        catalogue.decide(given)


def _ask_doubt(doubt: Doubt, given: Given) -> Given:
    """Ask a question on stderr until one of its options is typed; `given` with that answer
    added.
    """
    err.print(doubt.question, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for answer, meaning in doubt.options.items():
        err.print(f"  {answer}: {meaning}", markup=False, highlight=False)
    answer = ""
    while answer not in doubt.options:
        answer = typer.prompt(f"Which is it ({', '.join(doubt.options)})", err=True).strip()
    chosen = _stated(
        answer if doubt.option == "decimal" else None, answer if doubt.option == "unit" else None
    )
    return replace(
        given, **({"decimal": chosen.decimal} if chosen.decimal else {"unit": chosen.unit})
    )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `weighbridge run`, checked. `pacing`, `steps` and `lane` None: as stored."""

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
    lane: Lane | None = None


# The report ----------------------------------------------------------------------------------

_SAMPLE_CHARACTERS = 24
"""How many characters of a sample value from a column are shown, at most."""
_REASONS = 10
"""How many reasons for rejected rows, and how many for notes, are printed, at most."""


def print_report(
    console: Console, report: CatalogueReport, estimate: CatalogueEstimate | None, model: str = ""
) -> None:
    """Print how the file is read and, with an estimate, what processing it would cost.

    Texts of the file are printed as they are, not as markup.
    """
    for line in _file_lines(report):
        console.print(Text(line), soft_wrap=True)
    console.print(_columns_table(report.columns))
    for line in _unused_lines(report):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    for assumed in report.assumptions:
        line = f"{assumed.message} {assumed.remedy}"
        console.print(Text(line, style="yellow"), soft_wrap=True)
    console.print(Text(_counts_line(report), style="bold"), soft_wrap=True)
    for line in _reason_lines("rejected", report.rejections):
        console.print(Text(line, style="red"), soft_wrap=True)
    for line in _reason_lines("noted", report.notes):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    if estimate is not None:
        console.print(Text(_estimate_sentence(estimate, model)), soft_wrap=True)


def say_questions(report: CatalogueReport) -> None:
    """Print the questions that are still open, with the option that answers each."""
    for doubt in report.questions:
        err.print(Text(f"Open question: {doubt.message}", style="yellow"), soft_wrap=True)


def _file_lines(report: CatalogueReport) -> Iterator[str]:
    """A line on the file (format, encoding, delimiter, header row), then one on each sheet."""
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
    """A table with a row for each used column: what it is read as, why, and samples."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("column", "taken as", "why", "samples"):
        table.add_column(title, overflow="fold")
    for column in columns:
        samples = " | ".join(_shortened(sample) for sample in column.samples)
        table.add_row(Text(column.column), Text(_taken_as(column)), Text(column.why), Text(samples))
    return table


def _taken_as(column: ColumnUse) -> str:
    """What a column is read as: its field, then unit and decimal sign, each with the reason."""
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


def _unused_lines(report: CatalogueReport) -> Iterator[str]:
    """A line for each unused column that looks like a field, one with those of own bills, then one
    with all others.
    """
    of_bills = [column for column in report.unused if column.is_of_bill]
    rest = [column for column in report.unused if not column.is_of_bill]
    plain = [column.column for column in rest if not column.looks_like]
    if of_bills:
        names = listed([column.column for column in of_bills], 12)
        yield f"Not used: {names} ({of_bills[0].remedy})"
    for column in report.unused:
        if column.looks_like:
            yield f"Not used, though it looks like {column.looks_like}: {column.column} ({column.remedy})"
    if plain:
        yield f"Not used: {listed(plain, 12)}"


def _counts_line(report: CatalogueReport) -> str:
    """How many rows became products, were rejected or passed over, in one line."""
    parts = [counted(report.products, "product"), f"{report.noted_products:,} of them with notes"]
    parts.append(f"{counted(report.rejected_rows, 'row')} rejected")
    parts += [_passed_over(count, what) for what, count in report.passed_over.items()]
    return f"{counted(report.rows, 'row')}: " + ", ".join(parts)


def _passed_over(count: int, what: str) -> str:
    """Such as "1 row of further pictures", for `what` "rows of further pictures"."""
    return counted(count, "row") + what.removeprefix("rows")


def _reason_lines(outcome: str, reasons: Sequence[Reason]) -> Iterator[str]:
    """A line for each of the first reasons; `outcome` is "rejected" or "noted"."""
    for one in reasons[:_REASONS]:
        yield f"  {outcome} {one.count:,} × {one.field}: {one.reason} (first in row {one.first_row:,})"
    if len(reasons) > _REASONS:
        yield f"  … and {len(reasons) - _REASONS:,} other reasons why values or rows were {outcome}"


def _estimate_sentence(estimate: CatalogueEstimate, model: str) -> str:
    """Calls, tokens (input and output together), price range and duration in one sentence."""
    price = price_range(estimate) if estimate.price_known else "no published price"
    tiers = ", ".join(f"{money(one.cost_usd)} in tier {one.tier}" for one in estimate.tiers)
    return (
        f"To process them: {estimate.requests:,} calls, "
        f"{estimate.input_tokens + estimate.output_tokens:,} tokens, {price}, "
        f"{duration(estimate.hours * 3600)}"
        + (f" with {model}" if model else "")
        + (f"; {tiers}" if tiers else "")
    )
