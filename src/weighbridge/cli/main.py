"""`weighbridge`: registers all commands, and turns errors into messages and exit codes.

Exit codes: 0 done; 1 finished with failed products; 2 wrong usage, input or configuration;
130 interrupted, with the calls in flight finished; 70 a bug of Weighbridge.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import Annotated, Final

import typer

from weighbridge import __version__, telemetry
from weighbridge.cli import (
    budget,
    catalogue,
    doctor,
    queue,
    run,
    servers,
    tokens,
)
from weighbridge.cli.console import err
from weighbridge.cli.desk import (
    comparing,
    correcting,
    explaining,
    giving_bills,
    recomputing,
    reviewing,
    supposing,
    totalling,
)
from weighbridge.cli.evaluation import evaluating, questionnaires
from weighbridge.cli.terminal.streams import background_streams
from weighbridge.cli.terminal.usage import PlainUsage
from weighbridge.cli.upkeep import backing_up, notifying, sharing_factors
from weighbridge.errors import MissingColumn, WeighbridgeError
from weighbridge.settings import load_settings, unknown_names
from weighbridge.signals import unwinding

EXIT_BUG: Final = 70
"""Exit code after an error in the program itself: EX_SOFTWARE of sysexits.h."""

app = typer.Typer(
    name="weighbridge",
    help="An AI processing queue for product catalogues: category, bill of materials, processes and "
    "a traceable kg CO2e for every product.",
    cls=PlainUsage,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"weighbridge {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options that go before the command."""
    with contextlib.suppress(
        WeighbridgeError
    ):  # the command itself will say what is wrong with the settings
        settings = load_settings()
        telemetry.configure_logging(settings.log_format, settings.log_level)
    for name in unknown_names():
        message = f"{name} is not a setting of Weighbridge and is ignored. Check the spelling."
        if telemetry.is_json():
            telemetry.warning("unknown_setting", message, name=name)
        else:
            err.print(f"Warning: {message}", style="yellow")


run.register(app)
servers.register(app)
catalogue.register(app)
queue.register(app)
budget.register(app)
doctor.register(app)
tokens.register(app)
evaluating.register(app)
questionnaires.register(app)
explaining.register(app)
correcting.register(app)
recomputing.register(app)
comparing.register(app)
supposing.register(app)
giving_bills.register(app)
reviewing.register(app)
totalling.register(app)
sharing_factors.register(app)
notifying.register(app)
backing_up.register(app)


def main() -> None:
    """Run a command, also if the terminal stops reading or is closed."""
    with background_streams(), unwinding():
        _run_command()


def _run_command() -> None:
    """Run the command. An error of ours is one line on stderr and exit code 2; a bug is exit
    code 70, never 1.
    """
    try:
        app()
    except MissingColumn as error:
        _refuse(f"{error} To choose a column yourself, add --map field=column.")
    except WeighbridgeError as error:
        _refuse(str(error))
    except Exception as error:  # noqa: BLE001 - shown with its traceback; exit code 1 means something else
        from weighbridge.store.database import DATABASE_ERRORS

        if not isinstance(error, DATABASE_ERRORS):
            if telemetry.is_json():
                telemetry.crashed("bug", f"❌ Weighbridge itself failed: {error!r}")
            else:
                traceback.print_exc()
            sys.exit(EXIT_BUG)
        where = getattr(error, "filename", None)
        _refuse(
            f"{type(error).__name__}: {error}{f' ({where})' if where else ''}. "
            "Check free disk space, permissions and the database. What was being written was not stored."
        )


def _refuse(message: str) -> None:
    """Print or log the error and end the program with exit code 2."""
    if telemetry.is_json():
        telemetry.error("refused", message)
        sys.exit(2)
    err.print(f"Error: {message}", style="red", soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
