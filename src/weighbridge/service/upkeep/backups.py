"""Writes and restores backups: ZIP files with each table as PostgreSQL's COPY writes it, and a
manifest.

A restore checks the whole file before it changes anything, and changes everything or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from anyio.to_thread import run_sync

from weighbridge import __version__
from weighbridge.errors import Conflict, SchemaTooNew, UnreadableFile
from weighbridge.store import backups, products
from weighbridge.store.schema import migrations
from weighbridge.zip_archives import ZIP_DAMAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

FORMAT: Final = 1
"""The version of the layout of a backup."""
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 20
"""How many bytes are read at a time."""
LARGEST_MANIFEST: Final = 1 << 20
"""The most bytes that are read of a manifest."""


@dataclass(frozen=True, slots=True)
class BackedUpTable:
    """One table of a backup."""

    name: str
    columns: list[str]
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        """The name of the table's member in the ZIP file."""
        return f"tables/{self.name}.copy"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup contains, and which schema and program it is from."""

    schema: int
    program: str
    created_at: str
    tables: list[BackedUpTable]

    def rows_of(self, table: str) -> int:
        """How many rows of a table the backup has."""
        return next((one.rows for one in self.tables if one.name == table), 0)


async def write_backup(
    database: Database, file: Path, clock: Clock, *, overwrite: bool = False
) -> Manifest:
    """Write all tables into one file; processes may use the database meanwhile.

    Raises:
        Conflict: the file exists, and `overwrite` is not set.
    """
    if not overwrite and await run_sync(file.exists):
        raise Conflict(f"{file} exists. Choose another name, or add --yes to replace it.")
    partial = file.with_name(f"{file.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with (
            os.fdopen(descriptor, "wb") as raw,
            zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            manifest = await _write_tables(database, archive, clock)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


async def _write_tables(database: Database, archive: zipfile.ZipFile, clock: Clock) -> Manifest:
    """Write each table as of one moment, then the manifest with rows and SHA-256 of each."""
    tables: list[BackedUpTable] = []
    async with backups.snapshot(database) as connection:
        schema = await backups.schema_number(connection)
        for name in backups.our_tables():
            columns = await backups.columns_of(connection, name)
            digest = hashlib.sha256()
            with archive.open(f"tables/{name}.copy", "w", force_zip64=True) as member:

                async def write_and_digest(data: bytes) -> None:
                    digest.update(data)  # noqa: B023 - called within this turn of the loop
                    member.write(data)

                rows = await backups.copy_out(connection, name, columns, write_and_digest)
            tables.append(BackedUpTable(name, columns, rows, digest.hexdigest()))
    manifest = Manifest(schema, __version__, clock.now().isoformat(), tables)
    archive.writestr(MANIFEST, json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1))
    return manifest


async def restore_backup(database: Database, file: Path, *, overwrite: bool = False) -> Manifest:
    """Replace everything in the database by what is in the backup.

    Products that were being processed are pending again.

    Raises:
        UnreadableFile: the file is not a whole backup of ours.
        SchemaTooNew: a newer program wrote it.
        Conflict: the database is in use, or has data and `overwrite` is not set.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _verified_manifest(archive, file)
            names = [table.name for table in manifest.tables]
            async with backups.replacing(database, names, overwrite=overwrite) as connection:
                for table in manifest.tables:
                    await backups.copy_in(
                        connection, table.name, table.columns, _chunks(archive, table.member)
                    )
    except ZIP_DAMAGE as error:
        raise UnreadableFile(f"{file} cannot be read: {error}") from error
    async with database.transaction() as connection:
        await products.release_stuck(connection)
    return manifest


def _verified_manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    """The manifest of a backup whose every byte was compared with it.

    Raises:
        SchemaTooNew: a newer program wrote it.
        UnreadableFile: it is damaged, or no backup of ours.
    """
    manifest = _manifest(archive, file)
    newest = migrations()[-1].number
    serving = [m for m in migrations() if manifest.schema < m.number and m.serves > manifest.schema]
    if manifest.schema > newest or serving:
        raise SchemaTooNew(
            f"{file} has schema {manifest.schema} and was written by Weighbridge "
            f"{manifest.program}; this version restores up to {newest}. Restore it with that version, "
            "then upgrade."
        )
    ours = set(backups.our_tables())
    for table in manifest.tables:
        if table.name not in ours:
            raise UnreadableFile(
                f"{file} is not a backup of Weighbridge: it has an unknown table {table.name!r}."
            )
        digest = hashlib.sha256()
        with archive.open(table.member) as member:
            while data := member.read(CHUNK):
                digest.update(data)
        if digest.hexdigest() != table.sha256:
            raise UnreadableFile(
                f"{file} is damaged: {table.member} has changed since it was written. Use another copy."
            )
    return manifest


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    """The manifest in the archive. Raises UnreadableFile for a file that is no backup."""
    try:
        with archive.open(MANIFEST) as member:
            document: dict[str, Any] = json.loads(member.read(LARGEST_MANIFEST))
        _check_format(document["format"])
        return Manifest(
            schema=int(document["schema"]),
            program=str(document["program"]),
            created_at=str(document["created_at"]),
            tables=[BackedUpTable(**table) for table in document["tables"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{file} is not a backup of Weighbridge: {error}") from error


def _check_format(found: object) -> None:
    """Raises ValueError unless this program reads backups of this format."""
    if found != FORMAT:
        raise ValueError(f"its format is {found!r}; this version reads only {FORMAT!r}")


async def _chunks(archive: zipfile.ZipFile, name: str) -> AsyncIterator[bytes]:
    with archive.open(name) as member:
        while data := member.read(CHUNK):
            yield data
