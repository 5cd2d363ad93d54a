"""Operations on stored products: rejected rows and notes of their import, pictures, discarding
answers, deletion.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from weighbridge.errors import NotFound
from weighbridge.ingest.isolation.reading import check_uploaded_picture
from weighbridge.store import products, queue_state
from weighbridge.store.imports import stream_notes, stream_rejected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from weighbridge.domain.products import Picture, RejectedRow, RowNote
    from weighbridge.store.database import Database

__all__ = [
    "attach_picture",
    "choose_what_to_ask",
    "delete_product",
    "rejected_rows",
    "row_notes",
]


async def rejected_rows(database: Database, import_id: UUID) -> AsyncGenerator[RejectedRow, None]:
    """Every rejected row of an import, in file order."""
    async with (
        database.pool.acquire() as connection,
        # A caller that stops early must not leave the transaction open.
        aclosing(stream_rejected(connection, import_id)) as rows,
    ):
        async for row in rows:
            yield row


async def row_notes(database: Database, import_id: UUID) -> AsyncGenerator[RowNote, None]:
    """Every note of an import, in file order."""
    async with (
        database.pool.acquire() as connection,
        aclosing(stream_notes(connection, import_id)) as notes,
    ):
        async for note in notes:
            yield note


async def choose_what_to_ask(
    database: Database, import_id: UUID, *, redo: bool, simulated: bool
) -> None:
    """Before a run, discard the answers of the import's products that must be asked for again.

    With `redo` these are all answers. If the run is not `simulated`, they include simulated ones.
    """
    async with database.transaction() as connection:
        if redo:
            await products.redo(connection, import_id, simulated)
        if not simulated:
            await products.reopen_simulated(connection, import_id)
        await queue_state.announce(connection)


async def attach_picture(database: Database, code: str, data: bytes) -> Picture:
    """Attach a picture to a product, which is pending again if the picture is new.

    Raises:
        NotFound: there is no such product.
        UnreadableFile: not a valid JPEG, PNG, WebP or GIF, or too large.
    """
    picture = await asyncio.to_thread(check_uploaded_picture, data)
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
