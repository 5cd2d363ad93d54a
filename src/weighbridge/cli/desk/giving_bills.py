"""`weighbridge bills`: replaces the model's bills of materials by the user's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json, run_async
from weighbridge.cli.desk.correcting import MOST_NOTES, say_figures
from weighbridge.domain.corrections import OWN_BILL
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.desk.own_bills import BillsGiven


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bills")(bills)


def bills(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or XLSX with the columns code, material and mass_kg, and optionally process "
            "and component.",
            show_default=False,
            dir_okay=False,
        ),
    ],
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
    """Replace the model's bills of materials by your own: the whole file, or nothing."""
    from weighbridge.application import open_application
    from weighbridge.service.access.audit import command_line_user
    from weighbridge.service.desk.bill_files import read_own_bills
    from weighbridge.service.desk.correcting import Request
    from weighbridge.service.desk.own_bills import give_bills

    settings = load_settings(data_dir=data_dir)
    why = reason or f"{OWN_BILL}, {file.name}"
    request = Request((), by or command_line_user(), why, replace)

    async def act() -> BillsGiven:
        async with open_application(settings) as app:
            given = await asyncio.to_thread(read_own_bills, file, app.factors)
            return await give_bills(app.database, app.factors, app.questions.steps, given, request)

    done = run_async(act())
    if as_json:
        print_json(done)
        return
    for note in done.notes[:MOST_NOTES]:
        out.print(note, soft_wrap=True)
    if (more := len(done.notes) - MOST_NOTES) > 0:
        out.print(f"and {counted(more, 'more name')} read as a key: --json lists them all")
    if done.figures or not done.waiting:
        say_figures(done.figures)
    if done.waiting:
        out.print(
            f"Not processed yet: {counted(len(done.waiting), 'product')}. Their bills are used "
            "once they are processed."
        )
    if done.unchanged and (done.figures or done.waiting):
        out.print(f"Unchanged, with this bill already: {counted(len(done.unchanged), 'product')}.")
