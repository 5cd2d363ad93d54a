"""`weighbridge budget`: the caps on spending."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json
from weighbridge.cli.queue import with_database
from weighbridge.clock import SystemClock
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.budgets import Budget
    from weighbridge.store.database import Database


class Removable(StrEnum):
    """Caps on spending that can be removed."""

    DAY = "day"
    MONTH = "month"
    CATALOGUES = "catalogues"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("budget")(budget)


def budget(
    per_day: Annotated[
        float | None, typer.Option(min=0, help="Most to spend in a day (UTC), in USD.")
    ] = None,
    per_month: Annotated[
        float | None, typer.Option(min=0, help="Most to spend in a month (UTC), in USD.")
    ] = None,
    remove: Annotated[
        list[Removable] | None,
        typer.Option(
            help="Cap to remove; catalogues: all caps that interrupted runs with `run --budget` left behind."
        ),
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change the caps on spending. They hold for every process from its next call on."""
    from weighbridge.service.access.audit import record_command
    from weighbridge.service.budgets import (
        read_budgets,
        remove_catalogue_budgets,
        set_budgets,
    )

    caps = _caps(remove or (), {"day": per_day, "month": per_month})

    async def change_and_read(database: Database) -> list[Budget]:
        if caps:
            await set_budgets(database, caps)
        if Removable.CATALOGUES in (remove or ()):
            await remove_catalogue_budgets(database)
        if caps or remove:
            await record_command(database, "changed the budget", detail={**caps})
        return await read_budgets(database, SystemClock())

    found = with_database(data_dir, change_and_read)
    if as_json:
        print_json(
            {
                "budgets": [
                    {
                        "name": budget.name,
                        "capUsd": budget.cap_usd,
                        "committedUsd": budget.committed_usd,
                        "leftUsd": budget.left_usd,
                    }
                    for budget in found
                ]
            }
        )
    elif found:
        out.print(_budgets_table(found))
    else:
        out.print("No budget is set: only the provider's own limits cap the spending.")


def _caps(
    remove: Sequence[Removable], new_caps_usd: Mapping[str, float | None]
) -> dict[str, float | None]:
    """The changes to make: a cap in USD by period, None to remove it.

    Raises:
        InputError: a cap is to be set and removed.
    """
    caps: dict[str, float | None] = {
        period.value: None for period in remove if period is not Removable.CATALOGUES
    }
    for period, cap in new_caps_usd.items():
        if cap is not None and period in caps:
            raise InputError(
                f"--per-{period} and --remove {period} contradict each other. Give only one of them."
            )
        if cap is not None:
            caps[period] = cap
    return caps


def _budgets_table(found: list[Budget]) -> Table:
    table = Table.grid(padding=(0, 2))
    for budget in found:
        table.add_row(
            f"{budget.name}",
            f"${budget.committed_usd:,.4f} of ${budget.cap_usd:,.2f}",
            f"${budget.left_usd:,.4f} left",
        )
    return table
