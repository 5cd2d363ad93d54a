"""`weighbridge run FILE`: imports a catalogue, processes it and exports the results.

Commands are declared in modules with few imports, so that `--help` is instant; the modules that do
the work are imported when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from weighbridge.cli.console import (
    DEFAULT_FORMATS,
    CsvBomOption,
    DataDirOption,
    FactorsOption,
    FileArgument,
    FormatOption,
    JsonOption,
    LaneOption,
    OutOption,
    SimulateOption,
    StepsOption,
    StoreOption,
    check_formats,
    err,
    run_async,
)
from weighbridge.cli.reading import AS_FOUND, HowToRead, RunOptions, reads_a_catalogue
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.settings import Settings

PacingOption = Annotated[
    Literal["batch", "continuous"] | None,
    typer.Option(
        help="Pacing for this run: batches with a pause in between, or continuous.",
        show_default="as stored",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(min=1, help="Import only the first N products of the file.", show_default=False),
]
YesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask before storing products and spending money."),
]
AnswersOption = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        help="Replay the answers in this recording; the simulator answers about products that are not in it. No key, no cost.",
        show_default=False,
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget",
        min=0,
        help="Most USD to spend on this catalogue over all its runs; a run stops before it would exceed that.",
        show_default=False,
    ),
]
RedoOption = Annotated[
    bool,
    typer.Option("--redo", help="Ask (and pay) again about products whose answers are stored."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


@reads_a_catalogue
def run(
    context: typer.Context,
    file: FileArgument,
    out_dir: OutOption = Path("out"),
    simulate: SimulateOption = False,
    formats: FormatOption = DEFAULT_FORMATS,
    csv_bom: CsvBomOption = False,
    pacing: PacingOption = None,
    steps: StepsOption = None,
    lane: LaneOption = None,
    limit: LimitOption = None,
    reading: HowToRead = AS_FOUND,
    yes: YesOption = False,
    answers: AnswersOption = None,
    factors: FactorsOption = None,
    budget: BudgetOption = None,
    redo: RedoOption = False,
    store_at_provider: StoreOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a catalogue, process it and export the results. Run it again to resume.

    Ctrl-C finishes the calls in flight and leaves batches to the next run; a second one stops now.
    """
    from weighbridge.cli.running import execute

    settings = load_settings(
        data_dir=data_dir, store_at_provider=store_at_provider, factors=factors
    )
    chosen = check_formats(context, formats)
    options = RunOptions(
        file=file,
        out_dir=out_dir,
        simulate=simulate,
        formats=chosen,
        csv_bom=csv_bom,
        pacing=pacing,
        steps=steps,
        reading=reading.options(settings.field_limits, at_most=limit),
        yes=yes,
        redo=redo,
        as_json=as_json,
        answers=answers,
        budget_usd=budget,
        lane=lane,
    )
    _configure_logging(settings)
    raise typer.Exit(run_async(execute(settings, options)))


def _configure_logging(settings: Settings) -> None:
    """Show only errors of the log on a terminal, where the live display shows progress."""
    from weighbridge import telemetry

    is_quiet = err.is_terminal and settings.log_level == "INFO"
    telemetry.configure_logging(settings.log_format, "ERROR" if is_quiet else settings.log_level)
