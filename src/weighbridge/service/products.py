"""Imports catalogues; shows, deletes and illustrates products."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from weighbridge.errors import InputError, NotFound
from weighbridge.ingest.catalogue import check_records, read_catalogue
from weighbridge.ingest.images import check_picture
from weighbridge.store import products, queue_state
from weighbridge.store.imports import ImportResult, import_products, stream_rejected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
    from pathlib import Path
    from uuid import UUID

    from weighbridge.domain.products import FieldLimits, Picture, RejectedRow
    from weighbridge.ingest.columns import Field
    from weighbridge.ingest.rows import CheckedChunk
    from weighbridge.store.database import Database

__all__ = [
    "ImportResult",
    "attach_picture",
    "choose_what_to_ask",
    "delete_product",
    "import_file",
    "import_records",
    "rejected_rows",
]


async def import_file(
    database: Database,
    path: Path,
    *,
    name: str | None = None,
    format_name: str | None = None,
    mapping: Mapping[Field, str] | None = None,
    limits: FieldLimits,
    at_most: int | None = None,
    max_rows: int | None = None,
    pictures_beside: bool = True,
    scoped: bool = False,
) -> ImportResult:
    """Merge a file into the products, all or nothing; usable rows are kept if others are rejected.

    `name` is what the user calls the file where `path` is a temporary copy; uploads set `pictures_beside`
    False, since nothing lies beside them. `scoped` remembers which products the file names. More than
    `max_rows` rows are refused.

    Raises:
        InputError: the file as a whole cannot be used; nothing was changed.
    """
    chunks = read_catalogue(
        path,
        format_name=format_name,
        name=name,
        mapping=mapping,
        limits=limits,
        pictures_beside=pictures_beside,
        at_most=at_most,
    )
    return await _import(database, _bounded(chunks, max_rows), scoped=scoped)


def _bounded(chunks: Iterable[CheckedChunk], max_rows: int | None) -> Iterator[CheckedChunk]:
    rows = 0
    for chunk in chunks:
        rows += chunk.products.height + len(chunk.rejected)
        if max_rows is not None and rows > max_rows:
            raise InputError(
                f"The file has more than {max_rows:,} rows, the limit for one import; split it. Nothing was stored."
            )
        yield chunk


async def import_records(
    database: Database, records: Iterable[object], *, limits: FieldLimits
) -> ImportResult:
    """The same for decoded JSON objects; the first is row 1."""
    return await _import(database, check_records(records, limits=limits), scoped=False)


async def _import(
    database: Database, chunks: Iterable[CheckedChunk], *, scoped: bool
) -> ImportResult:
    async with database.pool.acquire() as connection:
        result = await import_products(connection, chunks, scoped=scoped)
        await queue_state.announce(connection)
    return result


async def rejected_rows(database: Database, import_id: UUID) -> AsyncGenerator[RejectedRow, None]:
    """Every rejected row of an import, in file order."""
    async with (
        database.pool.acquire() as connection,
        # A reader that leaves early must not leave the transaction open.
        aclosing(stream_rejected(connection, import_id)) as rows,
    ):
        async for row in rows:
            yield row


async def choose_what_to_ask(
    database: Database, import_id: UUID, *, redo: bool, simulated: bool
) -> None:
    """Before a run: discard simulated answers for a real provider; with `redo`, all answers."""
    async with database.transaction() as connection:
        if redo:
            await products.redo(connection, import_id, simulated)
        if not simulated:
            await products.reopen_simulated(connection, import_id)
        await queue_state.announce(connection)


async def attach_picture(database: Database, code: str, data: bytes) -> Picture:
    """Attach a picture to a product; a new picture makes it pending again.

    Raises:
        NotFound: there is no such product.
        UnreadableFile: not a valid JPEG, PNG, WebP or GIF, or too large.
    """
    picture = await asyncio.to_thread(check_picture, data)
    async with database.transaction() as connection:
        if not await products.set_picture(connection, code, picture, data):
            raise NotFound(f"There is no product {code!r}.")
        await queue_state.announce(connection)
    return picture


async def delete_product(database: Database, code: str) -> None:
    """Remove a product with its answers and footprint.

    Raises:
        NotFound: there is no such product.
    """
    async with database.transaction() as connection:
        if not await products.delete(connection, code):
            raise NotFound(f"There is no product {code!r}.")
