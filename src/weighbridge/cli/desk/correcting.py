"""`weighbridge correct` and `approve`: corrections of the model's answers, and marks of checked
products.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from weighbridge.cli.console import (
    DataDirOption,
    JsonOption,
    out,
    print_json,
    refuse_ignored,
    run_async,
)
from weighbridge.cli.desk import selecting
from weighbridge.errors import InputError, NotFound
from weighbridge.plain_text import counted, listed, significant
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.application import Application
    from weighbridge.domain.corrections import Change
    from weighbridge.service.desk.correcting import CorrectedFigure, RecordedCorrection, Request
    from weighbridge.service.views.listing import Approved

MOST_NOTES = 20
"""How many notes, or codes of products in one message, are printed, at most."""

CodesArgument = Annotated[
    list[str],
    typer.Argument(
        help="The codes of the products; one that begins with a hyphen goes behind --.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("correct")(correct)
    app.command("approve")(approve)


def correct(
    context: typer.Context,
    codes: selecting.CodesArgument = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="The value to correct and its new value, such as bill_of_materials.lines.2.material=steel; repeatable.",
            metavar="TARGET=VALUE",
        ),
    ] = None,
    mass: Annotated[float | None, typer.Option(help="Mass of one unit in kg.")] = None,
    subcategory: Annotated[
        str | None, typer.Option(help="The subcategory that the product belongs to.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; stored with the correction.")] = "",
    by: Annotated[
        str | None, typer.Option(help="Who.", show_default="the user of the command line")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Also replace values that somebody else has corrected."),
    ] = False,
    take_back: Annotated[
        int | None, typer.Option("--take-back", help="Number of the correction to undo; 0: all.")
    ] = None,
    codes_from: selecting.CodesFromOption = None,
    category: selecting.CategoryOption = None,
    search: selecting.SearchOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace values in the model's answers and recompute the figures, without a call.

    Without a change, list the products' corrections.
    """
    from weighbridge.application import open_application
    from weighbridge.service.access.audit import command_line_user
    from weighbridge.service.desk.correcting import Request

    settings = load_settings(data_dir=data_dir)
    wanted = _changes(changes or [], mass, subcategory)
    _refuse_ignored(context, makes_any=bool(wanted), takes_back=take_back is not None)
    request = Request(wanted, by or command_line_user(), reason, replace)

    async def act() -> list[CorrectedFigure] | list[RecordedCorrection]:
        async with open_application(settings) as app:
            named = await selecting.selected(
                app.database, app.taxonomy, codes, codes_from, category, search
            )
            return await _take_back_make_or_list(app, named, request, take_back)

    found = run_async(act())
    if as_json:
        print_json(found)
    elif wanted or take_back is not None:
        say_figures(found)
    else:
        _print_corrections(found)


def _refuse_ignored(context: typer.Context, *, makes_any: bool, takes_back: bool) -> None:
    """Raises InputError for an option that has no effect with the others."""
    if takes_back:
        making = ("changes", "mass", "subcategory", "reason", "replace")
        refuse_ignored(context, "With --take-back", *making)
    elif not makes_any:
        refuse_ignored(context, "Without a correction", "reason", "by", "replace")


async def _take_back_make_or_list(
    app: Application, codes: Sequence[str], request: Request, take_back: int | None
) -> list[CorrectedFigure] | list[RecordedCorrection]:
    """Take corrections back or make them, and return the new figures; or else the corrections."""
    from weighbridge.service.desk import correcting

    tools = (app.database, app.factors, app.questions.steps)
    if take_back is not None:  # --take-back 0 takes back all corrections of each product
        return [
            figure
            for code in codes
            for figure in await correcting.take_back(*tools, code, request.by, take_back or None)
        ]
    if request.changes:
        return await correcting.correct(*tools, codes, request)
    return [each for code in codes for each in await correcting.corrections_of(app.database, code)]


def _changes(
    texts: Sequence[str], mass: float | None, subcategory: str | None
) -> tuple[Change, ...]:
    """The changes to make: `texts` (TARGET=VALUE) first, then a mass in kg, then a subcategory."""
    from weighbridge.domain.corrections import Change

    found = [_change(text) for text in texts]
    if mass is not None:
        found.append(Change("bill_of_materials", ("mass_kg",), mass))
    if subcategory is not None:
        found.append(Change("classification", ("subcategory",), subcategory))
    return tuple(found)


def _change(text: str) -> Change:
    """The change that TARGET=VALUE names. Raises InputError for another text."""
    from weighbridge.domain.corrections import read_change

    target, equals, value = text.partition("=")
    if not equals:
        raise InputError(
            f"--set {text}: write it as TARGET=VALUE, such as bill_of_materials.mass_kg=0.4."
        )
    return read_change(target, _value(value.strip()))


def _value(text: str) -> Any:
    """The text as JSON if it is JSON, otherwise the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def say_figures(figures: Sequence[Any]) -> None:
    """Print the figure of each product before and after, the notes, and the variants that use the
    same answers.
    """
    if not figures:
        out.print("Nothing was changed: the products have these values already.")
        return
    table = Table("product", "before, kg CO2e", "now, kg CO2e")
    for figure in figures[:20]:
        table.add_row(
            figure.code, significant(figure.before_kg_co2e, 3), significant(figure.after_kg_co2e, 3)
        )
    out.print(table)
    if len(figures) > 20:
        out.print(f"and {counted(len(figures) - 20, 'more product')}: --json lists them all")
    out.print(f"Recomputed {counted(len(figures), 'product')}; no call was made.")
    _print_notes(figures)
    corrected = {figure.code for figure in figures}
    for figure in figures:
        if others := [code for code in figure.variants if code not in corrected]:
            out.print(
                f"Variants that use the answers of {figure.code} were not corrected with it: "
                f"{listed(others, 10)}. Name them too to correct them."
            )


def _print_notes(figures: Sequence[Any]) -> None:
    """Print each note on the corrections once, with the products that it is about."""
    codes_of: dict[str, list[str]] = {}
    for figure in figures:
        for note in figure.notes:
            codes_of.setdefault(note, []).append(figure.code)
    for note, codes in list(codes_of.items())[:MOST_NOTES]:
        out.print(f"{listed(codes, 5)}: {note}", soft_wrap=True)
    if (more := len(codes_of) - MOST_NOTES) > 0:
        out.print(f"and {counted(more, 'more note')}: --json lists them all")


def _print_corrections(found: Sequence[Any]) -> None:
    """Print a table of corrections, with who took each back."""
    if not found:
        out.print("No corrections.")
        return
    table = Table("number", "correction", "taken back")
    for each in found:
        back = f"{each.withdrawn_at:%Y-%m-%d} by {each.withdrawn_by}" if each.withdrawn_at else ""
        table.add_row(str(each.correction.id), each.correction.says, back)
    out.print(table)


def approve(
    codes: CodesArgument,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Remove the mark from these products.")
    ] = False,
    by: Annotated[
        str | None, typer.Option(help="Who.", show_default="the user of the command line")
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark products as checked, until their figures change."""
    from weighbridge.application import open_application
    from weighbridge.service.access.audit import command_line_user, record_action
    from weighbridge.service.views import listing

    settings = load_settings(data_dir=data_dir)
    who = by or command_line_user()

    async def mark_and_record() -> Approved:
        async with open_application(settings) as app:
            if take_back:
                done = await listing.take_approval_back(app.database, codes)
            else:
                done = await listing.approve_codes(app.database, codes, who)
            action = "took approvals back" if take_back else "approved products"
            await record_action(app.database, who, action, None, {"codes": codes})
            return done

    done = run_async(mark_and_record())
    if as_json:
        print_json(
            {
                "modifiedCount": done.count,
                "unknownCodes": list(done.unknown),
                "unfinishedCodes": list(done.unfinished),
            }
        )
    else:
        now = "no longer" if take_back else "now"
        asked = counted(len(set(codes)), "product")
        out.print(f"{done.count:,} of {asked} {now} marked as checked.")
    _refuse_missed(done)


def _refuse_missed(done: Approved) -> None:
    """Raises NotFound for codes that nothing was done to, once the others are done."""
    missed = []
    if done.unknown:
        are = "is no product" if len(done.unknown) == 1 else "are no products"
        missed.append(f"There {are} {listed(done.unknown, MOST_NOTES)}.")
    if done.unfinished:
        named = listed(done.unfinished, MOST_NOTES)
        missed.append(f"Not processed yet, so there is no figure to check: {named}.")
    if missed:
        raise NotFound(" ".join(missed))
