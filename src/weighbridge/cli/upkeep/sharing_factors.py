"""`weighbridge factors`: uploads the user's own emission factors for all processes on a
database.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from weighbridge.cli.console import DataDirOption, JsonOption, err, out, print_json
from weighbridge.cli.queue import with_database
from weighbridge.errors import InputError, UnreadableFile
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.upkeep.own_factors import FactorsState
    from weighbridge.store.database import Database
    from weighbridge.store.factor_uploads import FactorUpload


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("factors")(factors)


def factors(
    file: Annotated[
        Path | None,
        typer.Argument(help="A CSV file of your own factors.", show_default="show what counts"),
    ] = None,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Compute without uploaded factors again.")
    ] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload your own factors for every process on this database, or show the factors in use.

    The file replaces an earlier one; if a row is wrong, nothing is changed. `recompute` then shows
    what it changes.
    """
    if take_back and file is not None:
        raise InputError("Give a file or --take-back, not both.")
    if take_back:
        # The factors are not loaded for this: it must work when the uploaded file no longer fits.
        gone = with_database(data_dir, _take_back)
        err.print(f"Taken back: {gone.name}.", markup=False, soft_wrap=True)
    found = _upload_or_show(file, data_dir)
    if as_json:
        print_json(found.as_document())
    else:
        _print_state(found)


async def _take_back(database: Database) -> FactorUpload:
    """Withdraw the uploaded factors; returns that upload."""
    from weighbridge.service.access.audit import command_line_user
    from weighbridge.service.upkeep.own_factors import take_factors_back

    return await take_factors_back(database, command_line_user())


def _upload_or_show(file: Path | None, data_dir: Path | None) -> FactorsState:
    """Upload the file, if one is given; returns the factors that are then in use."""
    from weighbridge.application import factors_in_use
    from weighbridge.service.access.audit import command_line_user
    from weighbridge.service.upkeep.own_factors import factors_state, upload_factors

    in_use = factors_in_use(load_settings(data_dir=data_dir))

    async def upload_or_show(database: Database) -> FactorsState:
        if file is None:
            return await factors_state(database, in_use)
        content = _read(file)
        return await upload_factors(database, in_use, file.name, content, command_line_user())

    return with_database(data_dir, upload_or_show)


def _read(file: Path) -> bytes:
    """The content of the file. Raises UnreadableFile."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{file} cannot be read: {error.strerror}.") from error


def _print_state(found: FactorsState) -> None:
    """Print which factors are in use, how many are the user's own, and the uploads."""
    out.print(Text(f"Factors: {found.name} {found.version}", style="bold"), soft_wrap=True)
    if found.current is None:
        out.print("No factors are uploaded.")
    else:
        out.print(
            f"{counted(len(found.replaced), 'factor')} replaced, {len(found.added):,} added. "
            "`weighbridge recompute --dry-run` shows which footprints that changes."
        )
    if not found.uploads:
        return
    table = Table("number", "file", "by", "at")
    for one in found.uploads:
        name = f"{one.name} (taken back)" if one.content is None else one.name
        at = f"{one.made_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(str(one.id), Text(name), Text(one.made_by), at)
    out.print(table)
