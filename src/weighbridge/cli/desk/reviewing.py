"""`weighbridge review`: writes answers to a workbook, and reads an edited one as corrections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.cli.console import (
    DataDirOption,
    JsonOption,
    err,
    out,
    print_json,
    refuse_ignored,
    run_async,
)
from weighbridge.cli.desk.correcting import MOST_NOTES, say_figures
from weighbridge.errors import InputError
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.desk.reviewing import Reviewed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("review")(review)


def review(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="The edited workbook to read.", show_default=False, dir_okay=False),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="Write a workbook to edit to this file.", dir_okay=False),
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Only products that nobody has checked.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; stored with the corrections.")] = "",
    by: Annotated[
        str | None, typer.Option(help="Who.", show_default="the user of the command line")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Also replace values that somebody else has corrected."),
    ] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model's answers to a workbook (--out), or read the edited workbook back.

    The values that you change in it become corrections: all of them, or none.
    """
    from weighbridge.application import open_application
    from weighbridge.service.access.audit import command_line_user
    from weighbridge.service.desk import reviewing

    _check_options(context, reads=file is not None, writes=to is not None)
    settings = load_settings(data_dir=data_dir)
    who = by or command_line_user()

    async def write_workbook(path: Path) -> int:
        async with open_application(settings) as app:
            wanted = reviewing.Filter(unchecked=unchecked)
            return await reviewing.write_for_review(app.database, app.questions.steps, path, wanted)

    async def import_workbook(path: Path) -> Reviewed:
        async with open_application(settings) as app:
            tools = (app.database, app.factors, app.questions.steps)
            return await reviewing.import_review(*tools, path, who, reason, replace=replace)

    if to is not None:
        count = run_async(write_workbook(to))
        if as_json:
            print_json({"products": count, "file": str(to)})
        else:
            out.print(f"Wrote {counted(count, 'product')} to review to {to}", soft_wrap=True)
    elif file is not None:
        _print_done(run_async(import_workbook(file)), as_json)


def _print_done(done: Reviewed, as_json: bool) -> None:
    """Print the new figures; on stderr, the cells that were changed in vain."""
    for sentence in done.left_out[:MOST_NOTES]:
        err.print(sentence, style="yellow", markup=False, soft_wrap=True)
    if (more := len(done.left_out) - MOST_NOTES) > 0:
        err.print(f"and {counted(more, 'more cell')} changed in vain: their columns are read-only")
    if as_json:
        print_json(done.figures)
    else:
        say_figures(done.figures)


def _check_options(context: typer.Context, *, reads: bool, writes: bool) -> None:
    """Raises InputError unless a workbook is either read or written, with options for that only."""
    if reads == writes:
        raise InputError(
            "Give either --out FILE to write a workbook, or the edited workbook to read."
        )
    if reads:
        refuse_ignored(context, "While a workbook is read", "unchecked")
    else:
        refuse_ignored(context, "While a workbook is written", "reason", "by", "replace")
