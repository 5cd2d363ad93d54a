"""`weighbridge history` and `compare`: earlier figures of a product, and changed figures with their
causes.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from weighbridge.clock import SystemClock
from weighbridge.errors import InputError
from weighbridge.plain_text import counted, listed, significant
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.desk.history import PastFootprint
    from weighbridge.service.desk.movements import Movements

_MOST_CAUSES = 10
"""How many causes of changed footprints are printed, at most."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("history")(history)
    app.command("compare")(compare)


def history(
    code: Annotated[
        str,
        typer.Argument(
            help="The product's code; one that begins with a hyphen goes behind --.",
            show_default=False,
        ),
    ],
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a product's footprints, newest first, and why each differs from the one before."""
    from weighbridge.api.schemas.history import ProductHistory
    from weighbridge.application import open_application
    from weighbridge.service.desk.history import history_of

    settings = load_settings(data_dir=data_dir)

    async def act() -> list[PastFootprint]:
        async with open_application(settings) as app:
            return await history_of(app.database, code)

    found = run_async(act())
    if as_json:
        print_json(ProductHistory.of(code, found).model_dump(mode="json", by_alias=True))
    elif not found:
        out.print(f"{code} has no footprint yet: it is not processed.")
    else:
        out.print(_table(found))


def _table(found: list[PastFootprint]) -> Table:
    """A table with a row for each version; the change is relative to the version before it."""
    table = Table("since (UTC)", "kg CO2e", "95 % range", "change", "why")
    for one in found:
        version = one.version
        since = f"{version.calculated_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        why = ", ".join(one.causes)
        if version.cause.reason:
            why += f" ({version.cause.reason})"
        if version.cause.remark:
            why += f". {version.cause.remark}"
        if version.simulated:
            why += " [SIMULATED]"
        table.add_row(
            since,
            significant(version.emissions_kg_co2e, 3),
            f"{significant(version.low_kg_co2e)} to {significant(version.high_kg_co2e)}",
            "" if one.change is None else f"{one.change:+.1%}",
            why,
        )
    return table


def compare(
    context: typer.Context,
    before: Annotated[
        Path | None,
        typer.Argument(help="An earlier export (CSV, XLSX, JSONL or Parquet).", show_default=False),
    ] = None,
    after: Annotated[
        Path | None, typer.Argument(help="A later export.", show_default=False)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Instead of two files: the earlier moment, such as 2026-11-01T10:00."
        ),
    ] = None,
    end: Annotated[str, typer.Option("--to", help="With --from: the later moment.")] = "now",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which figures changed between two exports, or two moments, by how much and why."""
    from weighbridge.application import open_application
    from weighbridge.service.desk.exported_figures import compare_exports, read_export
    from weighbridge.service.desk.history import compare_moments, read_moment

    settings = load_settings(data_dir=data_dir)

    async def compare_since(start: str) -> Movements:
        now = SystemClock().now()
        moments = read_moment(start, now), read_moment(end, now)
        async with open_application(settings) as app:
            return await compare_moments(app.database, *moments)

    if start is not None and before is None and after is None:
        moved = run_async(compare_since(start))
    elif start is None and before is not None and after is not None:
        refuse_ignored(context, "Between two files", "end")
        moved = compare_exports(read_export(before), read_export(after))
    else:
        raise InputError("Give two export files, or --from and --to without files.")
    if as_json:
        print_json(moved.as_document())
    else:
        _print_movements(moved)


def _print_movements(moved: Movements) -> None:
    """Print counts, total, causes and the largest changes; only counts if no figure has changed."""
    out.print(
        f"{counted(moved.products, 'product')} with a figure before and after; {len(moved.moved):,} "
        f"of these figures changed. {_count_sentence(moved.added, 'is new', 'are new')}"
        f"{_count_sentence(moved.gone, 'is gone', 'are gone')}"
        f"{_count_sentence(moved.unknown, 'has no history that old', 'have no history that old')}"
    )
    if not moved.moved:
        return
    change = moved.after_kg_co2e - moved.before_kg_co2e
    out.print(
        f"Total: {significant(moved.before_kg_co2e, 3)} → {significant(moved.after_kg_co2e, 3)} kg CO2e "
        f"({significant(change, 3, signed=True)}){_compared(moved)}"
    )
    causes = moved.as_document()["causes"]
    by_cause = Table("cause", "products", "moved by, kg CO2e")
    for each in causes[:_MOST_CAUSES]:
        by_cause.add_row(
            ", ".join(each["causes"]),
            f"{each['products']:,}",
            significant(each["movedKgCo2e"], 3, signed=True),
        )
    out.print(by_cause)
    if len(causes) > _MOST_CAUSES:
        out.print(f"and {counted(len(causes) - _MOST_CAUSES, 'more cause')}: --json lists them all")
    table = Table("moved most", "before, kg CO2e", "now, kg CO2e", "change", "why")
    for one in moved.largest:
        table.add_row(
            one.code,
            significant(one.before_kg_co2e or 0.0, 3),
            significant(one.after_kg_co2e or 0.0, 3),
            f"{one.change:+.1%}",
            ", ".join(one.causes) + (f". {one.remark}" if one.remark else ""),
        )
    out.print(table)


def _compared(moved: Movements) -> str:
    """The end of the sentence on the totals: what they add up."""
    if moved.without_quantity == moved.products:
        return " for one unit of each product (none of them has a quantity)."
    uncounted = f"; {moved.without_quantity:,} without a quantity count as one piece"
    return (
        ": the figure of one unit times the yearly quantity, which is the same for both"
        f"{uncounted if moved.without_quantity else ''}."
    )


def _count_sentence(codes: list[str], singular: str, plural: str) -> str:
    """Such as "2 are new (A-1, A-2). ", with the words for one code or for several; empty without
    codes.
    """
    if not codes:
        return ""
    return f"{len(codes):,} {singular if len(codes) == 1 else plural} ({listed(codes, 5)}). "
