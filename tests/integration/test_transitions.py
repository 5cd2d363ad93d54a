"""The table of transitions decides: without a row, that change of state does not happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import pytest

from weighbridge.domain.products import TRANSITIONS, ProcessingStatus, ProductEvent
from weighbridge.ingest.catalogue import check_records
from weighbridge.store import products
from weighbridge.store.imports import import_products

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Connection = asyncpg.Connection[Any]

pytestmark = pytest.mark.anyio

CHAIR: Final = {"code": "A", "name": "Chair", "description": "A wooden chair"}
JOB: Final = 7
SCOPE: Final = UUID(int=1)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def put_in(connection: Connection, state: ProcessingStatus) -> int:
    """One product in this state, with whatever belongs to it there; returns its id."""
    await import_products(connection, check_records([CHAIR]))
    product_id: int = await connection.fetchval(
        "UPDATE products SET status = $1, job_id = $2 RETURNING id",
        state.value,
        JOB if state is ProcessingStatus.PROCESSING else None,
    )
    await connection.execute("DELETE FROM scopes")
    await connection.execute(
        "INSERT INTO scopes (import_id, product_id) VALUES ($1, $2)", SCOPE, product_id
    )
    return product_id


async def let_happen(connection: Connection, event: ProductEvent, product_id: int) -> None:
    """Every statement of the program that stands for this event."""
    match event:
        case ProductEvent.CHANGED:
            await import_products(connection, check_records([CHAIR | {"name": "Stool"}]))
        case ProductEvent.ENQUEUED:
            await products.mark_processing(connection, {product_id: JOB})
        case ProductEvent.RELEASED:
            await products.release_jobs(connection, [JOB])
            await products.release_stuck(connection)
        case ProductEvent.CALCULATED:
            await products.complete(connection, {product_id: JOB})
        case ProductEvent.GAVE_UP:
            await products.give_up(connection, JOB, {product_id: ("Kind", "reason")}, {})
        case ProductEvent.RESET:
            await products.reset_failed(connection)
        case ProductEvent.REDONE:
            await products.redo(connection, SCOPE, simulated=True)
        case ProductEvent.REOPENED:
            await connection.execute(
                "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, "
                "high_kg_co2e,"
                " mass_kg, data_quality, category, subcategory, provider, model, simulated, "
                "cost_usd, detail)"
                " SELECT id, 1, 1, 1, 1, 1, 1, '', '', '', '', true, 0, '{}' FROM products"
            )
            await products.reopen_simulated(connection, SCOPE)


async def state_of(connection: Connection) -> str:
    return str(await connection.fetchval("SELECT status FROM products"))


@pytest.mark.parametrize(("row", "after"), TRANSITIONS.items(), ids=str)
async def test_a_product_moves_as_the_table_says_and_stays_where_a_row_is_missing(
    connection: Connection,
    row: tuple[ProcessingStatus, ProductEvent],
    after: ProcessingStatus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, event = row
    product_id = await put_in(connection, before)
    await let_happen(connection, event, product_id)
    assert await state_of(connection) == after

    await connection.execute("TRUNCATE products CASCADE")
    product_id = await put_in(connection, before)
    revision = await connection.fetchval("SELECT revision FROM products")
    monkeypatch.delitem(TRANSITIONS, row)
    if event in {known for _, known in TRANSITIONS}:
        await let_happen(connection, event, product_id)
    else:
        with pytest.raises(ValueError, match="unpack"):
            await let_happen(connection, event, product_id)
    assert await state_of(connection) == before
    assert await connection.fetchval("SELECT revision FROM products") == revision
