"""What is done to all products that a filter finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.domain.products import ProcessingStatus
from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.listing import where_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.store.database import Connection
    from weighbridge.store.listing import Filter, Where


@dataclass(frozen=True, slots=True)
class FoundCounts:
    """How many products a filter finds: all, the completed and the failed ones."""

    products: int
    completed: int
    failed: int


def _found_ids_sql(where: Where) -> str:
    """A subquery for the ids of the products that the conditions find."""
    return (
        "SELECT p.id FROM products p LEFT JOIN footprints f ON f.product_id = p.id "  # noqa: S608
        f"WHERE {where}"
    )


async def count(connection: Connection, wanted: Filter) -> FoundCounts:
    """How many products the filter finds."""
    where = where_of(wanted)
    rows = await connection.fetch(
        "SELECT count(*) AS products, count(*) FILTER (WHERE p.status = 'completed') AS completed, "  # noqa: S608
        "count(*) FILTER (WHERE p.status = 'failed') AS failed FROM products p "
        f"LEFT JOIN footprints f ON f.product_id = p.id WHERE {where}",
        *where.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return FoundCounts(**dict(rows[0]))


async def retry(connection: Connection, wanted: Filter) -> int:
    """failed → pending for what the filter finds, with attempts and error cleared; returns how
    many.
    """
    where = where_of(wanted)
    tag = await connection.execute(
        "UPDATE products SET status = 'pending', attempts = 0, alone = false, error = NULL, "  # noqa: S608
        "error_kind = NULL, updated_at = now() WHERE status = 'failed' "
        f"AND id IN ({_found_ids_sql(where)})",
        *where.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return int(tag.split()[-1])


async def delete(connection: Connection, wanted: Filter) -> int:
    """Remove what the filter finds with answers and footprints; returns how many."""
    where = where_of(wanted)
    tag = await connection.execute(
        f"DELETE FROM products WHERE id IN ({_found_ids_sql(where)})",  # noqa: S608
        *where.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return int(tag.split()[-1])


async def check(connection: Connection, wanted: Filter, by: str) -> int:
    """Mark the completed products that the filter finds as checked by somebody; returns how
    many.
    """
    where = where_of(wanted)
    where.arguments.append(by)
    tag = await connection.execute(
        "INSERT INTO product_checks (product_id, revision, checked_by) SELECT id, revision, "  # noqa: S608
        f"${len(where.arguments)} FROM products WHERE status = 'completed' "
        f"AND id IN ({_found_ids_sql(where)}) ON CONFLICT "
        "(product_id) DO UPDATE SET revision = excluded.revision, checked_by = "
        "excluded.checked_by, checked_at = now()",
        *where.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return int(tag.split()[-1])


async def uncheck_codes(connection: Connection, codes: Sequence[str]) -> int:
    """Remove the marks of these products; returns how many had one."""
    tag = await connection.execute(
        "DELETE FROM product_checks c USING products p WHERE p.id = c.product_id AND p.code = "
        "ANY($1::text[])",
        codes,
    )
    return int(tag.split()[-1])


async def states_of(connection: Connection, codes: Sequence[str]) -> dict[str, ProcessingStatus]:
    """The states of these products, by code; codes that no product has are not among them."""
    rows = await connection.fetch(
        "SELECT code, status FROM products WHERE code = ANY($1::text[])", list(codes)
    )
    return {row["code"]: ProcessingStatus(row["status"]) for row in rows}


async def codes_of(connection: Connection, wanted: Filter) -> list[str]:
    """The codes of all products that the filter finds, in order of arrival."""
    where = where_of(wanted)
    rows = await connection.fetch(
        "SELECT p.code FROM products p LEFT JOIN footprints f ON f.product_id = p.id"  # noqa: S608
        f" WHERE {where} ORDER BY p.id",
        *where.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return [row["code"] for row in rows]


async def uncheck(connection: Connection, product_ids: Sequence[int]) -> None:
    """Remove the marks of these products, because their figures have changed."""
    await connection.execute(
        "DELETE FROM product_checks WHERE product_id = ANY($1::bigint[])", list(product_ids)
    )
