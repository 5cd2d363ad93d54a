"""`status`, `start`, `stop`, `reset-failed`, `config`: the queue, from the command line."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json, run_async
from weighbridge.clock import SystemClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import InputError
from weighbridge.service import queue as service
from weighbridge.service.status_view import status_document
from weighbridge.settings import Settings, load_settings
from weighbridge.wiring import open_application


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("start")(start)
    app.command("stop")(stop)
    app.command("reset-failed")(reset_failed)
    app.command("config")(config)


def status(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show what the queue is doing."""
    settings = load_settings(data_dir=data_dir)
    look = run_async(_status(settings))
    if as_json:
        print_json(status_document(look))
        return
    table = Table.grid(padding=(0, 2))
    state = look.state
    table.add_row("queue", "running" if state.running else "stopped")
    if state.paused_reason:
        table.add_row("paused", state.paused_reason)
    for name in ProcessingStatus:
        table.add_row(name.value, f"{look.counts[name]:,}")
    table.add_row("total", f"{look.total_products:,}")
    table.add_row("pacing", state.pacing)
    table.add_row("requests/min", f"{look.used.requests:,} of {look.limits.requests_per_minute:,}")
    table.add_row("tokens/min", f"{look.used.tokens:,} of {look.limits.tokens_per_minute:,}")
    out.print(table)


async def _status(settings: Settings) -> service.QueueStatus:
    async with open_application(settings) as app:
        return await service.queue_status(app.database, SystemClock())


def start(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Let processing go on (a server or a worker must be running to do it)."""
    settings = load_settings(data_dir=data_dir)

    async def act() -> int:
        async with open_application(settings) as app:
            return await service.start_queue(app.database)

    waiting = run_async(act())
    _say(
        {"addedToQueue": waiting, "message": f"The queue runs; {waiting:,} products wait."}, as_json
    )


def stop(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Begin no further call; calls in flight finish and are stored. It lasts until `start`."""
    settings = load_settings(data_dir=data_dir)

    async def act() -> int:
        async with open_application(settings) as app:
            return await service.stop_queue(app.database)

    released = run_async(act())
    _say(
        {
            "releasedProducts": released,
            "message": f"The queue is stopped; {released:,} products wait again.",
        },
        as_json,
    )


def reset_failed(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Give failed products another try."""
    settings = load_settings(data_dir=data_dir)

    async def act() -> int:
        async with open_application(settings) as app:
            return await service.reset_failed(app.database)

    count = run_async(act())
    _say({"modifiedCount": count, "message": f"{count:,} failed products wait again."}, as_json)


def config(
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="What to change; nothing: show."),
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change the queue's configuration; takes effect while running."""
    settings = load_settings(data_dir=data_dir)
    values = dict(_assignment(text) for text in assignments or [])

    async def act() -> dict[str, Any]:
        async with open_application(settings) as app:
            if values:
                _, current = await service.configure(app.database, values)
                return current
            return await service.read_config(app.database)

    current = run_async(act())
    if as_json:
        print_json(current)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in current.items():
        table.add_row(name, f"{value}")
    out.print(table)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text} is not NAME=VALUE, for example batchSize=200.")
    if name == "pacing":
        return name, value
    try:
        return name, int(value)
    except ValueError:
        return name, value  # refused with the allowed range by the service


def _say(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        out.print(document["message"], highlight=False)
