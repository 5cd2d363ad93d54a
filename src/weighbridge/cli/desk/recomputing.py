"""`weighbridge recompute`: computes figures from the stored answers again, and says what changed
and why.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from weighbridge.cli.console import (
    DataDirOption,
    FactorsOption,
    JsonOption,
    out,
    print_json,
    run_async,
)
from weighbridge.plain_text import counted, significant
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.service.desk.recomputing import RecomputedProduct, RecomputeSummary

_HEADER: Final = ("code", "beforeKgCo2e", "afterKgCo2e", "change", "causes", "problem")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recompute")(recompute)


def recompute(
    codes: Annotated[
        list[str] | None,
        typer.Argument(help="Only the products with these codes.", show_default="all"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would change, and store nothing.")
    ] = False,
    changes: Annotated[
        Path | None,
        typer.Option(help="CSV file for a list of all figures that changed.", dir_okay=False),
    ] = None,
    factors: FactorsOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute figures from the stored answers: no call is made.

    Figures move if the method, the factors or the corrections have changed.
    """
    from weighbridge.application import open_application
    from weighbridge.service.access.audit import command_line_user
    from weighbridge.service.desk import recomputing

    settings = load_settings(data_dir=data_dir, factors=factors)

    async def act() -> tuple[RecomputeSummary, list[RecomputedProduct]]:
        async with open_application(settings) as app:
            ids = await recomputing.completed_ids(app.database, codes or None)
            by = command_line_user()
            tools = (app.database, app.factors, app.questions.steps)
            portions = recomputing.recompute(*tools, ids, dry_run=dry_run, by=by)
            done = [one async for portion in portions for one in portion]
            summary = recomputing.RecomputeSummary()
            summary.add(done)
            if not dry_run and summary.products:
                await recomputing.record_recomputation(app.database, by, summary)
            return summary, done

    summary, done = run_async(act())
    if changes is not None:
        _write(changes, done)
    if as_json:
        print_json(summary.as_document())
    else:
        _say(summary, dry_run=dry_run)


def _write(path: Path, done: Sequence[RecomputedProduct]) -> None:
    from weighbridge.export.cells import neutral_text
    from weighbridge.export.cells import significant as rounded_to

    def to_ten_digits(value: float | None) -> float | None:
        return None if value is None else rounded_to(value, 10)

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for one in done:
            if one.has_moved or one.problem:
                figures = map(to_ten_digits, (one.before_kg_co2e, one.after_kg_co2e, one.change))
                texts = map(neutral_text, ("; ".join(one.causes), one.problem))
                writer.writerow((neutral_text(one.code), *figures, *texts))


def _say(summary: RecomputeSummary, *, dry_run: bool) -> None:
    """Print the causes, the total, the largest moves, and products that kept their old figure."""
    would = "would move" if dry_run else "moved"
    by_how_much = "by " if summary.moved == 1 else "half of them by at least "
    out.print(
        f"Recomputed {counted(summary.products, 'product')} without a call: "
        f"{counted(summary.moved, 'figure')} {would}, {by_how_much}{summary.median_change:.1%}."
        if summary.moved
        else f"Recomputed {counted(summary.products, 'product')} without a call: no figure {would}."
    )
    for cause, count in summary.causes.most_common():
        out.print(f"  {count:,} by {cause}", highlight=False)
    if summary.moved:
        out.print(
            f"Total: {significant(summary.before_kg_co2e, 3)} → {significant(summary.after_kg_co2e, 3)} kg CO2e "
            "for one unit of each product."
        )
        table = Table("moved most", "before, kg CO2e", "now, kg CO2e", "change")
        for one in summary.largest:
            after = one.after_kg_co2e or 0.0
            table.add_row(
                one.code,
                significant(one.before_kg_co2e, 3),
                significant(after, 3),
                f"{one.change:+.1%}",
            )
        out.print(table)
    if summary.without_figure:
        out.print(
            "Could not be recomputed and kept their footprint: "
            f"{counted(summary.without_figure, 'product')}."
        )
        for problem in summary.problems:
            out.print(f"  {problem}", highlight=False)
