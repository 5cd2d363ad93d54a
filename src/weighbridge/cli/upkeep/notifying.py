"""`weighbridge notices`: lists the notices sent by webhook or command, or sends a test notice."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from weighbridge.cli.console import DataDirOption, JsonOption, err, out, print_json
from weighbridge.cli.queue import with_database
from weighbridge.clock import SystemClock
from weighbridge.errors import SettingsError
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.domain.notices import Channel
    from weighbridge.service.upkeep.notices import Sent
    from weighbridge.store.database import Database


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("notices")(notices)


def notices(
    test: Annotated[
        bool,
        typer.Option(
            "--test",
            help="Send a test notice now, to the webhook and the notify command that are set.",
        ),
    ] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the notices that were sent (work finished or paused, a budget used up), or send a test
    notice (exit code 1 if it does not arrive).
    """
    if test:
        _send_test(data_dir, as_json)
        return
    from weighbridge.service.upkeep.notices import newest_notices

    found = with_database(data_dir, newest_notices)
    if as_json:
        print_json({"notices": [{**asdict(sent), "state": sent.state} for sent in found]})
    elif found:
        out.print(_notices_table(found))
    else:
        out.print(
            "No notice was sent so far. To get notices, set WEIGHBRIDGE_WEBHOOK_URL or "
            "WEIGHBRIDGE_NOTIFY_COMMAND."
        )


def _notices_table(found: list[Sent]) -> Table:
    table = Table.grid(padding=(0, 2))
    for sent in found:
        table.add_row(
            f"{sent.happened_at:%Y-%m-%d %H:%M:%S}Z",
            sent.kind.value,
            sent.channel.value,
            f"{sent.state} ({counted(sent.attempts, 'try', 'tries')})",
            sent.last_error or "",
        )
    return table


def _send_test(data_dir: DataDirOption, as_json: bool) -> None:
    """Send a test notice over every channel, and print for each whether it was delivered.

    Raises:
        SettingsError: no receiver is configured.
        typer.Exit: code 1, when a channel did not deliver.
    """
    from weighbridge.service.upkeep.notices import send_test
    from weighbridge.wiring import carriers_of

    carriers = carriers_of(load_settings(data_dir=data_dir), SystemClock())
    if not carriers:
        raise SettingsError(
            "No receiver of notices is set. Set WEIGHBRIDGE_WEBHOOK_URL and "
            "WEIGHBRIDGE_WEBHOOK_SECRET, or WEIGHBRIDGE_NOTIFY_COMMAND."
        )

    async def send(database: Database) -> dict[Channel, str | None]:
        return await send_test(database, carriers, SystemClock())

    outcome = with_database(data_dir, send)
    if as_json:
        print_json({channel.value: error or "delivered" for channel, error in outcome.items()})
    else:
        for channel, error in outcome.items():
            (err if error else out).print(f"{channel.value}: {error or 'delivered'}")
    if any(outcome.values()):
        raise typer.Exit(1)
