"""`weighbridge backup` and `weighbridge restore`: the whole database in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json
from weighbridge.cli.queue import with_database
from weighbridge.clock import SystemClock
from weighbridge.errors import InputError
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from weighbridge.service.upkeep.backups import Manifest
    from weighbridge.store.database import Database

FileArgument = Annotated[Path, typer.Argument(help="The backup file, such as weighbridge.backup.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: FileArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the file if it exists.")] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write products, answers, footprints, calls, pictures and settings into one file. Processing
    may go on meanwhile: the file has the state of one moment.
    """
    from weighbridge.service.upkeep.backups import write_backup

    if not file.absolute().parent.is_dir():
        raise InputError(
            f"{file.absolute().parent} is not a folder. Choose an existing one; nothing was written."
        )

    async def write_file(database: Database) -> Manifest:
        return await write_backup(database, file, SystemClock(), overwrite=yes)

    _print_manifest("Backed up", file, with_database(data_dir, write_file), as_json)


def restore(
    file: FileArgument,
    yes: Annotated[
        bool, typer.Option("--yes", help="Replace everything that the database holds.")
    ] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace everything in the database by a backup: all of it, or nothing."""
    from weighbridge.service.access.audit import record_command
    from weighbridge.service.upkeep.backups import restore_backup

    if not file.is_file():
        raise InputError(f"{file} does not exist. Give a file that `weighbridge backup` wrote.")

    async def restore_and_record(database: Database) -> Manifest:
        manifest = await restore_backup(database, file, overwrite=yes)
        await record_command(database, "restored a backup", file.name)
        return manifest

    _print_manifest("Restored", file, with_database(data_dir, restore_and_record), as_json)


def _print_manifest(done: str, file: Path, manifest: Manifest, as_json: bool) -> None:
    """Print what a backup holds; `done` is "Backed up" or "Restored"."""
    rows = {table.name: table.rows for table in manifest.tables}
    if as_json:
        document = {"file": str(file), "schema": manifest.schema, "program": manifest.program}
        print_json({**document, "createdAt": manifest.created_at, "rows": rows})
        return
    out.print(
        f"{done}: {counted(rows.get('products', 0), 'product')}, "
        f"{counted(rows.get('answers', 0), 'answer')}, {counted(rows.get('calls', 0), 'call')} "
        f"({file})",
        soft_wrap=True,
    )
