"""`weighbridge what-if`: figures with another material, country or recycled share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json, run_async
from weighbridge.cli.desk.selecting import (
    CategoryOption,
    CodesArgument,
    CodesFromOption,
    SearchOption,
    selected,
)
from weighbridge.errors import InputError
from weighbridge.plain_text import counted, significant
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.service.desk.what_if import Supposed

_SHOWN = 40
"""How many products are printed, at most."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("what-if")(what_if)


def what_if(
    codes: CodesArgument = None,
    materials: Annotated[
        list[str] | None,
        typer.Option(
            "--material",
            metavar="OLD=NEW",
            help="A material of the bill of materials, and the material to put in its place; repeatable.",
        ),
    ] = None,
    country: Annotated[str | None, typer.Option(help="Country of origin, such as DE.")] = None,
    recycled_share: Annotated[
        float | None, typer.Option(help="Share of the mass that is recycled material, 0 to 1.")
    ] = None,
    codes_from: CodesFromOption = None,
    category: CategoryOption = None,
    search: SearchOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute what figures would be with another material, country or recycled share.

    Nothing is stored, and no call is made.
    """
    from weighbridge.application import open_application
    from weighbridge.service.desk.what_if import Supposition, as_document
    from weighbridge.service.desk.what_if import what_if as suppose

    settings = load_settings(data_dir=data_dir)
    supposed = Supposition(_exchanges(materials or []), country, recycled_share)

    async def act() -> Supposed:
        async with open_application(settings) as app:
            wanted = await selected(app.database, app.taxonomy, codes, codes_from, category, search)
            return await suppose(app.database, app.factors, app.questions.steps, wanted, supposed)

    found = run_async(act())
    if as_json:
        print_json(as_document(found))
    else:
        _print_figures(found)


def _exchanges(texts: Sequence[str]) -> dict[str, str]:
    """The new material by old material, from texts OLD=NEW. Raises InputError for other texts."""
    found = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (equals and old.strip() and new.strip()):
            raise InputError(f"--material {text}: write it as OLD=NEW.")
        found[old.strip()] = new.strip()
    return found


def _print_figures(found: Supposed) -> None:
    """Print a table of the first `_SHOWN` products, the totals over all, and the notes."""
    table = Table("product", "now, kg CO2e", "then, kg CO2e", "difference", "change")
    for one in found.products[:_SHOWN]:
        table.add_row(
            one.code,
            significant(one.before_kg_co2e, 3),
            significant(one.after_kg_co2e, 3),
            f"{one.difference_kg_co2e:+.3g}",
            f"{one.change:+.1%}",
        )
    out.print(table)
    if len(found.products) > _SHOWN:
        out.print(
            f"and {counted(len(found.products) - _SHOWN, 'more product')}: --json lists them all"
        )
    difference = found.after_kg_co2e - found.before_kg_co2e
    out.print(
        f"Total of {counted(len(found.products), 'product')}, one unit of each: {significant(found.before_kg_co2e, 3)} → "
        f"{significant(found.after_kg_co2e, 3)} kg CO2e ({significant(difference, 3, signed=True)})."
    )
    yearly = found.yearly_difference_kg_co2e
    if yearly is not None:
        out.print(
            f"In a year, for the {counted(found.with_quantity, 'product')} with a known quantity: "
            f"{significant(yearly, 3, signed=True)} kg CO2e."
        )
    for note in found.notes:
        out.print(note, soft_wrap=True)
    for one in found.products[:_SHOWN]:
        for note in one.notes:
            out.print(f"{one.code}: {note}", soft_wrap=True)
    out.print("Nothing was stored, and no call was made.")
