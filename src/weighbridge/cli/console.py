"""Command-line output: data to stdout, everything else to stderr, JSON for scripts."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Coroutine, Iterable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text
from typing_extensions import override

from weighbridge import telemetry
from weighbridge.domain.calls import Lane
from weighbridge.errors import InputError
from weighbridge.export import PACT, PACT_2, WRITERS, checked_format
from weighbridge.plain_text import counted, visible

if TYPE_CHECKING:
    from weighbridge.domain.batches import BatchesInFlight
    from weighbridge.planning.cost import CatalogueEstimate, TierCost

# A pipe has no width; 80 columns would cut every table.
_WIDTH = None if sys.stdout.isatty() else 150


class PlainConsole(Console):
    """A console that prints texts as they are: without markup, emoji codes, highlighting or control
    characters.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render with control characters made visible."""
        if (
            isinstance(renderable, Text)
            and (shown := visible(renderable.plain)) != renderable.plain
        ):
            renderable = Text(shown, style=renderable.style)
        return super().render(renderable, options)


class MessageConsole(PlainConsole):
    """For messages to people, on stderr.

    With the log format JSON, each line is logged as an event instead.
    """

    @override
    def print(self, *objects: Any, **options: Any) -> None:
        """Print to stderr, or log each line if the log format is JSON."""
        if not telemetry.is_json():
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        for line in Text.from_ansi(captured.get()).plain.splitlines():
            if line.strip():
                telemetry.info("message", line.rstrip())


out = PlainConsole(width=_WIDTH)
err = MessageConsole(stderr=True)

T = TypeVar("T")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the embedded database. [env: WEIGHBRIDGE_DATA_DIR]",
        show_default="the user's data folder",
    ),
]
FactorsOption = Annotated[
    Path | None,
    typer.Option(
        "--factors",
        help="CSV file with your own emission factors, which override the bundled ones. [env: WEIGHBRIDGE_FACTORS]",
        show_default=False,
    ),
]
SimulateOption = Annotated[
    bool,
    typer.Option(
        "--simulate", help="Use the built-in simulator: no key, no cost, invented answers."
    ),
]
StepsOption = Annotated[
    Literal["together", "apart"] | None,
    typer.Option(
        "--steps",
        help="Ask all questions about a product together in one call, or each in a call of its own. Saved as the queue setting askTogether.",
        show_default="as stored",
    ),
]
LaneOption = Annotated[
    Lane | None,
    typer.Option(
        "--lane",
        help="How the model is asked about the products: online (at once), flex (at once, in the cheaper tier) or batch (within 24 hours, at half the price).",
        show_default="as stored, at first online",
    ),
]
StoreOption = Annotated[
    bool | None,
    typer.Option(
        "--store-at-provider/--no-store-at-provider",
        help="Ask the provider to store replies: replies lost in a crash are then fetched instead of "
        "paid for again. [env: WEIGHBRIDGE_STORE_AT_PROVIDER]",
        show_default="off",
    ),
]
FileArgument = Annotated[
    Path,
    typer.Argument(help="The catalogue: CSV, XLSX, JSON, JSONL or Parquet.", show_default=False),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the result files.")]
FormatOption = Annotated[
    str, typer.Option("--format", help=f"Comma-separated: {', '.join((*WRITERS, PACT))}.")
]
CsvBomOption = Annotated[
    bool,
    typer.Option(
        "--csv-bom",
        help="Begin CSV files with a byte order mark, so that Excel reads them as UTF-8.",
    ),
]
DEFAULT_FORMATS = "csv,xlsx,jsonl"
GARBAGE_PORTION = 200_000
SMALL_GARBAGE_PORTION = 2_000
"""How many objects are allocated between two collections of garbage where answers must come
quickly. A collection stops all threads: for about 2 ms after so many, for 100 ms after
`GARBAGE_PORTION`.
"""
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="Map a field to a column, as field=column; repeatable."),
]


PactVersionOption = Annotated[
    Literal["2", "3"], typer.Option("--pact-version", help="Version of the format pact.")
]


def check_formats(context: typer.Context, text: str, pact_version: str = "3") -> tuple[str, ...]:
    """The formats in a comma-separated list, each once; "pact" becomes the format of this version.

    Raises:
        UnsupportedFormat: a format is unknown; the message lists the known ones.
        InputError: an option was given for a format that is not in the list.
    """
    checked = [checked_format(name) for name in text.split(",")]
    for name, option in (("csv", "csv_bom"), (PACT, "pact_version")):
        if name not in checked:
            refuse_ignored(context, f"Without the format {name}", option)
    wanted = {PACT: PACT_2} if pact_version == "2" else {}
    return tuple(dict.fromkeys(wanted.get(name, name) for name in checked))


def refuse_ignored(context: typer.Context, condition: str, *parameters: str) -> None:
    """Refuse options that have no effect under a condition, such as "Without --answers".

    Raises:
        InputError: names those of `parameters` that were given on the command line.
    """
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name in parameters
        and (source := context.get_parameter_source(option.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if given:
        raise InputError(f"{condition}, {' and '.join(given)} would have no effect. Leave it out.")


def make_loop() -> asyncio.AbstractEventLoop:
    """A new event loop: uvloop's, or asyncio's own on Windows."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end on a new event loop; returns its result."""
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(work)


def collect_garbage_rarely(portion: int = GARBAGE_PORTION) -> None:
    """Tune the garbage collector for a long run: freeze what is loaded, and collect less often.

    `portion` is the number of allocations between two collections. Objects that live for seconds
    here (answers, rows) are never part of a cycle, so examining them is useless work: 0.15 ms for
    each call to the model with a portion of 2,000, 0.05 ms with 50,000, 0.025 ms with 200,000. Only
    calls without a reply leave cycles behind, of some hundred objects each.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(portion, 4, 500)


def print_json(value: object) -> None:
    """Print the value on stdout as one JSON document."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: object) -> object:
    """The value as JSON can hold it: a dict for a dataclass, else a text."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def price_range(cost: CatalogueEstimate | TierCost) -> str:
    """The cost with its range, such as "$0.12 ($0.10 to $0.21)"."""
    return f"{money(cost.cost_usd)} ({money(cost.low_usd)} to {money(cost.high_usd)})"


def duration(seconds: float | None) -> str:
    """The duration as a text: "45 s", "3 min 20 s", "2 h 05 min"; "–" if unknown."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def batch_words(flight: BatchesInFlight, now: datetime) -> str:
    """The batches at the provider as a text, empty if there are none: "2 batches, 9,400 requests,
    38 % done, oldest 3 h 05 min".
    """
    if not flight.batches or flight.oldest_at is None:
        return ""
    age_s = max(0.0, (now - flight.oldest_at).total_seconds())
    return (
        f"{counted(flight.batches, 'batch', 'batches')}, {counted(flight.requests, 'request')}, "
        f"{flight.share:.0%} done, oldest {duration(age_s)}"
    ).replace("%", " %")


def money(usd: float, unpriced_calls: int = 0) -> str:
    """The amount as a text: cents from $1 up, four decimals below.

    With calls whose price is unknown it ends in "+ unknown", or is only "unknown".
    """
    if unpriced_calls:
        return f"{money(usd)} + unknown" if usd else "unknown (no price for this model)"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
