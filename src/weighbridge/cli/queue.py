"""The commands for the queue: `status`, `start`, `stop`, `reset-failed` and `config`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.table import Table

from weighbridge.cli.console import (
    DataDirOption,
    JsonOption,
    batch_words,
    money,
    out,
    print_json,
    run_async,
)
from weighbridge.clock import SystemClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import InputError
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.queue import QueueStatus
    from weighbridge.store.database import Database

T = TypeVar("T")

ANSWER_FORMS: Final = {
    "strict": "strict schema",
    "schema": "schema",
    "object": "JSON mode, with the schema in the prompt",
    "text": "plain text, with the schema in the prompt",
}
"""`AnswerForm` → words for it: how the model is told the form of its answer."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("start")(start)
    app.command("stop")(stop)
    app.command("reset-failed")(reset_failed)
    app.command("config")(config)


def status(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show what the queue is doing."""
    from weighbridge.service.queue import queue_status
    from weighbridge.service.status_view import status_document

    async def status_now(database: Database) -> QueueStatus:
        return await queue_status(database, SystemClock())

    look = with_database(data_dir, status_now)
    if as_json:
        print_json(status_document(look))
    else:
        out.print(_status_table(look))


def _status_table(look: QueueStatus) -> Table:
    """A table of label and value; rows on batches and the provider only if there are any."""
    table = Table.grid(padding=(0, 2))
    state = look.state
    table.add_row("queue", "running" if state.running else "stopped")
    if state.paused_reason:
        table.add_row("paused" if state.running else "because", state.paused_reason)
    for name in ProcessingStatus:
        table.add_row(name.value, f"{look.counts[name]:,}")
    table.add_row("total", f"{look.total_products:,}")
    if look.batches.batches:
        table.add_row("at the provider", batch_words(look.batches, look.as_of))
    table.add_row("pacing", state.pacing)
    table.add_row("steps", "together" if state.ask_together else "apart")
    table.add_row("requests/min", f"{look.used.requests:,} of {look.limits.requests_per_minute:,}")
    table.add_row("tokens/min", f"{look.used.tokens:,} of {look.limits.tokens_per_minute:,}")
    if provider := look.provider:
        table.add_row("provider", f"{provider.name}, {provider.model}")
        table.add_row("answers by", ANSWER_FORMS.get(provider.learned.get("form", ""), "unknown"))
        table.add_row("caching", _caching(provider.learned))
        for notice in look.notices:
            table.add_row("notice", notice)
    return table


def _caching(learned: Mapping[str, Any]) -> str:
    """What the prompt cache has saved or cost, as a text."""
    saving = learned.get("cache_saving_usd") or 0.0
    if not learned.get("writes_cache", True):
        return f"off: it cost {money(-saving)} more than it saved"
    return f"saved {money(saving)} so far" if saving >= 0 else f"cost {money(-saving)} so far"


def start(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Start or resume processing. A server or worker must be running to do it."""
    from weighbridge.service.queue import start_queue

    waiting = with_database(data_dir, _with_audit_entry("started the queue", start_queue))
    message = f"The queue is running; {counted(waiting, 'pending product')}."
    _print_document({"addedToQueue": waiting, "message": message}, as_json)


def stop(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Stop processing until `start`. Calls in flight finish and are stored."""
    from weighbridge.service.queue import stop_queue

    released = with_database(data_dir, _with_audit_entry("stopped the queue", stop_queue))
    message = f"The queue is stopped; {counted(released, 'product')} set to pending again."
    _print_document({"releasedProducts": released, "message": message}, as_json)


def reset_failed(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Set all failed products to pending again."""
    from weighbridge.service.queue import reset_failed as reset

    count = with_database(data_dir, _with_audit_entry("retried failed products", reset))
    _print_document(
        {
            "modifiedCount": count,
            "message": f"{counted(count, 'failed product')} set to pending again.",
        },
        as_json,
    )


def config(
    assignments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...", help="Settings to change; leave out to show all."
        ),
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change the queue's configuration; a change takes effect at once."""
    from weighbridge.service.access.audit import record_command
    from weighbridge.service.queue import check_config, configure, read_config

    values = dict(_assignment(text) for text in assignments or [])
    if values:
        check_config(values)

    async def change_and_read(database: Database) -> dict[str, Any]:
        if not values:
            return await read_config(database)
        previous, current = await configure(database, values)
        changed = {name: [previous[name], current[name]] for name in values}
        await record_command(database, "changed the configuration", detail=changed)
        return current

    current = with_database(data_dir, change_and_read)
    if as_json:
        print_json(current)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in current.items():
        table.add_row(name, str(value).lower() if isinstance(value, bool) else f"{value}")
    out.print(table)


def with_database(data_dir: Path | None, act: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """The result of `act` with the opened database, which is closed afterwards."""
    from weighbridge.service.opening import opened_database

    settings = load_settings(data_dir=data_dir)

    async def open_and_act() -> T:
        async with opened_database(settings) as database:
            return await act(database)

    return run_async(open_and_act())


def _with_audit_entry(
    action: str, act: Callable[[Database], Coroutine[Any, Any, T]]
) -> Callable[[Database], Coroutine[Any, Any, T]]:
    """A function that does what `act` does, and then writes `action` into the audit log."""
    from weighbridge.service.access.audit import record_command

    async def act_and_record(database: Database) -> T:
        result = await act(database)
        await record_command(database, action)
        return result

    return act_and_record


def _assignment(text: str) -> tuple[str, Any]:
    """(name, value) of NAME=VALUE; the value as a bool or int if it is one (never for `pacing`).

    Raises:
        InputError: there is no "=".
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text} is not NAME=VALUE, for example batchSize=200.")
    if name == "pacing":
        return name, value
    if value.casefold() in {"true", "false"}:
        return name, value.casefold() == "true"
    try:
        return name, int(value)
    except ValueError:
        return name, value  # refused with the allowed range by the service


def _print_document(document: dict[str, Any], as_json: bool) -> None:
    """Print the document as JSON, or only its message."""
    if as_json:
        print_json(document)
    else:
        out.print(document["message"])
