"""Uploads a file of own factors, with which all processes then compute, and takes it back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from weighbridge.errors import (
    Conflict,
    FactorTableInvalid,
    InputError,
    MissingColumn,
    NotFound,
    UnreadableFile,
)
from weighbridge.factor_sources.own_factors import UploadedFile
from weighbridge.store import audit_log, factor_uploads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.errors import BadCell
    from weighbridge.store.database import Database
    from weighbridge.store.factor_uploads import FactorUpload
    from weighbridge.weighing.factors_in_use import FactorsInUse

UPLOADED: Final = "uploaded factors"
TAKEN_BACK: Final = "took factors back"
UNNAMED: Final = "uploaded.csv"
"""The file name that is recorded for an upload that has none."""
LONGEST_NAME: Final = 100
SHOWN_UPLOADS: Final = 50


class FactorsRefused(InputError):
    """A file of factors has a mistake, so no row of it is used; `rows` are its bad cells."""

    def __init__(self, message: str, rows: Sequence[BadCell] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


@dataclass(frozen=True, slots=True)
class FactorsState:
    """The factors that this process computes with, and the uploads so far, newest first.

    `replaced` and `added` name the bundled factors that the current upload replaces, and the
    factors that it adds.
    """

    name: str
    version: str
    uploads: tuple[FactorUpload, ...]
    replaced: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def current(self) -> FactorUpload | None:
        """The upload in use; None if there is none or it was taken back."""
        newest = self.uploads[0] if self.uploads else None
        return newest if newest is not None and newest.content is not None else None

    def as_document(self) -> dict[str, Any]:
        """The state as JSON for the API and `--json`."""
        return {
            "name": self.name,
            "version": self.version,
            "current": _upload_document(self.current) if self.current else None,
            "replaced": list(self.replaced),
            "added": list(self.added),
            "uploads": [_upload_document(one) for one in self.uploads],
        }


def _upload_document(one: FactorUpload) -> dict[str, Any]:
    return {
        "number": one.id,
        "name": one.name,
        "takenBack": one.content is None,
        "madeBy": one.made_by,
        "madeAt": one.made_at,
    }


async def factors_state(database: Database, in_use: FactorsInUse) -> FactorsState:
    """The factors in use now, and the latest uploads."""
    async with database.pool.acquire() as connection:
        now = await in_use.refresh(connection)
        uploads = await factor_uploads.newest(connection, SHOWN_UPLOADS)
    bundled = await asyncio.to_thread(in_use.load, None)
    before, after = dict(_factors(bundled.table)), dict(_factors(now.table))
    return FactorsState(
        now.table.name,
        now.table.version,
        tuple(uploads),
        tuple(_named(key) for key in after if key in before and _differs(after, before, key)),
        tuple(_named(key) for key in after if key not in before),
    )


def _factors(table: FactorTable) -> Iterator[tuple[tuple[str, str], object]]:
    """((kind, key), factor) of every factor that a file may hold."""
    for key, material in table.materials.items():
        yield ("material", key), material
    for key, process in table.processes.items():
        yield ("process", key), process
    for kind in table.references.values():
        for reference in kind:
            yield ("reference", reference.key), reference


def _differs(
    after: Mapping[tuple[str, str], object],
    before: Mapping[tuple[str, str], object],
    key: tuple[str, str],
) -> bool:
    """Whether the factor with this key is another one than before."""
    return repr(after[key]) != repr(before[key])  # factors are compared by identity


def _named(key: tuple[str, str]) -> str:
    return " ".join(key)


async def upload_factors(
    database: Database, in_use: FactorsInUse, name: str, content: bytes, by: str
) -> FactorsState:
    """Compute with this file from now on, in every process; it replaces an earlier upload.

    Raises:
        FactorsRefused: names every bad cell; the earlier factors stay.
    """
    file = UploadedFile(_file_name(name), content)
    try:
        loaded = await asyncio.to_thread(in_use.load, file)
    except (FactorTableInvalid, MissingColumn, UnreadableFile) as error:
        rows = error.rows if isinstance(error, FactorTableInvalid) else ()
        raise FactorsRefused(
            f"{error}\nNo row of the file was taken. The factors in use stay as they were.", rows
        ) from error
    version = f"{loaded.table.name} {loaded.table.version}"
    async with database.transaction() as connection:
        number = await factor_uploads.insert(connection, file.name, content, by)
        detail = {"number": number, "factors": version}
        await audit_log.add(connection, by, UPLOADED, file.name, detail)
    return await factors_state(database, in_use)


async def take_factors_back(database: Database, by: str) -> FactorUpload:
    """Compute without uploaded factors from now on; returns the upload that was in use.

    Raises:
        Conflict: nothing is uploaded.
    """
    async with database.transaction() as connection:
        number = await factor_uploads.newest_id(connection)
        current = await factor_uploads.load(connection, number)
        if current is None or current.content is None:
            raise Conflict("No factors are uploaded: there is nothing to take back.")
        await factor_uploads.insert(connection, current.name, None, by)
        await audit_log.add(connection, by, TAKEN_BACK, current.name, {"number": current.id})
    return current


async def uploaded_file(database: Database, number: int) -> FactorUpload:
    """An upload with its content.

    Raises:
        NotFound: there is no such upload, or it took the factors back.
    """
    async with database.pool.acquire() as connection:
        found = await factor_uploads.load(connection, number)
    if found is None or found.content is None:
        raise NotFound(
            f"There is no uploaded factors file number {number}. `weighbridge factors` lists the uploads."
        )
    return found


def _file_name(name: str) -> str:
    """The name of an uploaded file without folders and control characters, shortened."""
    shown = "".join(sign for sign in PurePath(name.replace("\\", "/")).name if sign.isprintable())
    shown = shown.encode("utf-8", "replace").decode().strip()
    return shown[-LONGEST_NAME:] or UNNAMED
