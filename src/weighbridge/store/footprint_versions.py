"""The history of footprints: each one that is replaced leaves a row, and a product keeps the last
`KEPT`.

Only what is replaced is copied: a first footprint costs nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.history import Cause, Version
from weighbridge.store.database import LONG_STATEMENT_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    from asyncpg import Record

    from weighbridge.store.database import Connection

KEPT: Final = 20
_FIGURES: Final = (
    "calculated_at, emissions_kg_co2e, low_kg_co2e, high_kg_co2e, mass_kg, subcategory, model, "
    "simulated"
)
_MADE: Final = (
    "jsonb_build_object('cause', f.detail -> 'cause', 'method', f.detail #>> '{provenance,method}',"
    " 'factors', f.detail #>> '{provenance,factors}', 'answered_at', (SELECT max(a ->> "
    "'answered_at') FROM jsonb_array_elements(f.detail #> '{provenance,answers}') a), "
    "'primary_data', coalesce(f.detail #> '{footprint,supplier}', 'null') <> 'null')"
)
_FROM_FOOTPRINT: Final = ", ".join(f"f.{name.strip()}" for name in _FIGURES.split(","))
KEEP_REPLACED: Final = (
    "kept AS (INSERT INTO footprint_versions (product_id, "  # noqa: S608 - constants only
    f"{_FIGURES}, made) SELECT f.product_id, {_FROM_FOOTPRINT}, {_MADE} FROM footprints f WHERE "
    "f.product_id = ANY($1::bigint[]) ON CONFLICT DO NOTHING), trimmed AS (DELETE FROM "
    "footprint_versions v USING unnest($1::bigint[]) AS replaced (id), LATERAL (SELECT "
    "calculated_at FROM footprint_versions WHERE product_id = replaced.id ORDER BY calculated_at "
    f"DESC OFFSET {KEPT - 1} LIMIT 1) AS oldest WHERE v.product_id = replaced.id AND "
    "v.calculated_at <= oldest.calculated_at)"
)
"""SQL that copies the footprints of the products in $1 into their history, for the WITH clause of a
statement that replaces them.
"""
_ALL: Final = (
    f"SELECT product_id, {_FIGURES}, replaced_at, made FROM footprint_versions "  # noqa: S608
    f"UNION ALL SELECT f.product_id, {_FROM_FOOTPRINT}, NULL, {_MADE} FROM footprints f"
)


async def versions_of(connection: Connection, product_id: int) -> list[Version]:
    """Every version that is kept of a product's footprint, the present one among them, earliest
    first.
    """
    rows = await connection.fetch(
        f"SELECT * FROM ({_ALL}) v WHERE product_id = $1 ORDER BY calculated_at",  # noqa: S608
        product_id,
    )
    return [_version(row) for row in rows]


async def stream_versions(
    connection: Connection, until: datetime, batch_size: int = 1_000
) -> AsyncGenerator[tuple[str, float | None, list[Version]], None]:
    """(code, its yearly quantity, its versions up to a moment, earliest first) of every product
    that has any.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = await connection.cursor(
            f"SELECT p.code, (p.facts->>'quantity')::float8 AS quantity, v.* FROM ({_ALL}) v JOIN products p ON p.id = v.product_id "  # noqa: S608
            "WHERE v.calculated_at <= $1 ORDER BY v.product_id, v.calculated_at",
            until,
            timeout=LONG_STATEMENT_S,
        )
        code, quantity, found = "", None, list[Version]()
        while rows := await cursor.fetch(batch_size):
            for row in rows:
                if row["code"] != code and found:
                    yield code, quantity, found
                    found = []
                code, quantity = row["code"], row["quantity"]
                found.append(_version(row))
        if found:
            yield code, quantity, found


def _version(row: Record | Mapping[str, Any]) -> Version:
    """The version in a row of the query."""
    made = row["made"]
    return Version(
        calculated_at=row["calculated_at"],
        replaced_at=row["replaced_at"],
        emissions_kg_co2e=row["emissions_kg_co2e"],
        low_kg_co2e=row["low_kg_co2e"],
        high_kg_co2e=row["high_kg_co2e"],
        mass_kg=row["mass_kg"],
        subcategory=row["subcategory"],
        model=row["model"],
        simulated=row["simulated"],
        method=made["method"],
        factors=made["factors"],
        answered_at=made["answered_at"] or "",
        primary_data=made["primary_data"],
        cause=Cause.from_stored(made["cause"]),
    )
