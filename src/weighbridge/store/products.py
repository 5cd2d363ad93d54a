"""Products: taken, marked, released, finished, counted. Each function is one statement or two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.calls import Lane
from weighbridge.domain.facts import ProductFacts
from weighbridge.domain.products import (
    Picture,
    ProcessingStatus,
    Product,
    ProductEvent,
    picture_from_stored,
)
from weighbridge.store import earlier_answers
from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.jobs import jobs_table
from weighbridge.store.transitions import may_happen, set_status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from asyncpg import Record

    from weighbridge.store.database import Connection

    Row = Record | Mapping[str, Any]
    """A row whose values are found by column name: a record of the database, or a copy of one for
    another process.
    """

COLUMNS = """p.id, p.code, p.name, p.description, p.weight_kg, p.image_url, p.picture_sha256, p.more_pictures,
    p.country_of_origin, p.facts, p.notes, p.status, p.revision, p.attempts, p.alone, p.variant_of, p.error_kind, p.error, p.job_id, p.spent_usd, p.lane, p.unanswered_batches,
    p.created_at, p.updated_at, p.completed_at, pic.media_type, pic.width_px, pic.height_px, length(pic.data) AS size_bytes"""
FROM = "products p LEFT JOIN pictures pic ON pic.sha256 = p.picture_sha256"
"""The tables that `COLUMNS` are from."""


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A product with what the queue knows of it.

    `revision` grows with every change that matters to the result. `alone`: its calls are not shared
    with other products. `spent_usd` was spent on it in vain.
    """

    id: int
    product: Product
    revision: int
    attempts: int
    alone: bool
    job_id: int | None
    spent_usd: float
    status: ProcessingStatus
    variant_of: int | None = None
    """Id of the product of the same design that the model is asked about instead."""
    lane: Lane = Lane.ONLINE
    unanswered_batches: int = 0


def product_of(row: Row) -> Product:
    """The product in a row that has the columns of `products` joined with `pictures`."""
    picture = None
    if row["picture_sha256"] is not None:
        picture = Picture(
            sha256=row["picture_sha256"],
            media_type=row["media_type"],
            width_px=row["width_px"],
            height_px=row["height_px"],
            size_bytes=row["size_bytes"],
        )
    return Product(
        code=row["code"],
        name=row["name"],
        description=row["description"],
        weight_kg=row["weight_kg"],
        image_url=row["image_url"],
        picture=picture,
        country_of_origin=row["country_of_origin"],
        facts=ProductFacts.from_stored(row["facts"]),
        more_pictures=tuple(picture_from_stored(one) for one in row["more_pictures"]),
    )


def stored_product(row: Row) -> StoredProduct:
    """The product in a row that has `COLUMNS`."""
    return StoredProduct(
        id=row["id"],
        product=product_of(row),
        revision=row["revision"],
        attempts=row["attempts"],
        alone=row["alone"],
        job_id=row["job_id"],
        spent_usd=row["spent_usd"],
        status=ProcessingStatus(row["status"]),
        variant_of=row["variant_of"],
        lane=Lane(row["lane"]),
        unanswered_batches=row["unanswered_batches"],
    )


IN_BATCHES: Final = "p.lane = 'batch'"
AT_ONCE: Final = "p.lane <> 'batch'"
"""SQL condition for the products that are not asked about in batches. A literal, as `IN_BATCHES`
is, so that PostgreSQL can use the partial index.
"""


async def take_pending(
    connection: Connection, limit: int, scope: UUID | None, travels: str = AT_ONCE
) -> list[StoredProduct]:
    """Lock up to `limit` pending products, oldest first; of one import only when `scope` is given.

    Those that wait for another of their design are left out. `travels` is the condition
    `AT_ONCE` or `IN_BATCHES`.
    """
    within = "AND EXISTS (SELECT FROM scopes s WHERE s.import_id = $2 AND s.product_id = p.id)"
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM {FROM} WHERE p.status = 'pending' AND p.variant_of IS NULL"  # noqa: S608
        f" AND {travels} {within if scope else ''} ORDER BY p.id LIMIT $1 FOR UPDATE OF p SKIP LOCKED",
        limit,
        *([scope] if scope else []),
    )
    return [stored_product(row) for row in rows]


async def mark_processing(connection: Connection, job_of: Mapping[int, int]) -> None:
    """pending → processing; `job_of`: product id → the job that has it."""
    await connection.execute(
        f"UPDATE products p SET {set_status(ProductEvent.ENQUEUED)}, job_id = j.job_id, updated_at = now()"  # noqa: S608
        " FROM unnest($1::bigint[], $2::bigint[]) AS j (id, job_id) WHERE p.id = j.id AND "
        f"{may_happen(ProductEvent.ENQUEUED, 'p')}",
        list(job_of.keys()),
        list(job_of.values()),
    )


async def load_job_products(connection: Connection, job_ids: Sequence[int]) -> list[StoredProduct]:
    """The products that still belong to these jobs and are not finished, in order of id."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM {FROM} WHERE p.job_id = ANY($1::bigint[]) AND p.status = 'processing' ORDER BY p.id",  # noqa: S608
        job_ids,
    )
    return [stored_product(row) for row in rows]


async def load_products(connection: Connection, ids: Sequence[int]) -> list[StoredProduct]:
    """These products, whatever their state, in order of id; deleted ones are missing."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM {FROM} WHERE p.id = ANY($1::bigint[]) ORDER BY p.id",  # noqa: S608
        ids,
    )
    return [stored_product(row) for row in rows]


async def load_picture(connection: Connection, sha256: str) -> bytes:
    """The bytes of a stored picture."""
    return bytes(await connection.fetchval("SELECT data FROM pictures WHERE sha256 = $1", sha256))


async def complete(
    connection: Connection, job_of: Mapping[int, int], variants: Collection[int] = ()
) -> None:
    """processing → completed, for those that still belong to their job. `job_of`: product id → job
    id.

    The caller has locked them and checked that they do. `variants` got the answers of another
    product.
    """
    await connection.execute(
        f"UPDATE products SET {set_status(ProductEvent.CALCULATED)}, job_id = NULL, error = NULL, error_kind = NULL,"  # noqa: S608
        # Only products in processing have a job. A condition on the status, or a join, would make
        # PostgreSQL read all products, or all in processing, instead of looking each one up.
        " completed_at = now(), updated_at = now(), variant_of = CASE WHEN id = "
        "ANY($3::bigint[]) THEN variant_of END WHERE id = ANY($1::bigint[]) AND job_id = "
        "ANY($2::bigint[])",
        list(job_of.keys()),
        list(set(job_of.values())),
        list(variants),
    )


async def forgive(connection: Connection, ids: Sequence[int]) -> None:
    """Count the attempts of these products from 0 again: the model has answered about them."""
    await connection.execute(
        "UPDATE products SET attempts = 0 WHERE id = ANY($1::bigint[]) AND attempts > 0", ids
    )


async def add_spent(connection: Connection, wasted_usd: Mapping[int, float]) -> None:
    """Add money that was spent on products in vain to their records; their state stays."""
    await connection.execute(
        "UPDATE products p SET spent_usd = spent_usd + w.usd FROM unnest($1::bigint[], "
        "$2::float8[]) AS w (id, usd) WHERE p.id = w.id",
        list(wasted_usd.keys()),
        list(wasted_usd.values()),
    )


async def give_up(
    connection: Connection,
    job_id: int,
    reasons: Mapping[int, tuple[str, str]],
    wasted_usd: Mapping[int, float],
) -> None:
    """processing → failed, with (error kind, reason) per product id; `wasted_usd` was spent on it
    in vain.
    """
    await connection.execute(
        f"UPDATE products p SET {set_status(ProductEvent.GAVE_UP)}, job_id = NULL, error_kind = r.kind, error = r.reason,"  # noqa: S608
        " attempts = attempts + 1, spent_usd = spent_usd + r.usd, variant_of = NULL, updated_at "
        "= now() FROM unnest($1::bigint[], $2::text[], $3::text[], $5::float8[]) AS r (id, kind, "
        "reason, usd) WHERE p.id = r.id AND p.job_id = $4 AND "
        f"{may_happen(ProductEvent.GAVE_UP, 'p')}",
        list(reasons.keys()),
        [kind for kind, _ in reasons.values()],
        [reason for _, reason in reasons.values()],
        job_id,
        [wasted_usd.get(product_id, 0.0) for product_id in reasons],
    )


async def leave_group(
    connection: Connection,
    job_id: int,
    reasons: Mapping[int, tuple[str, str]],
    wasted_usd: Mapping[int, float],
) -> list[int]:
    """Detach products from the job, to be retried alone; returns those that were still in it.

    They stay `processing`: the caller gives each its own job in the same transaction.
    """
    rows = await connection.fetch(
        "UPDATE products p SET job_id = NULL, alone = true, attempts = attempts + 1, error_kind "
        "= r.kind, error = r.reason, spent_usd = spent_usd + r.usd, updated_at = now() FROM "
        "unnest($1::bigint[], $2::text[], $3::text[], $5::float8[]) AS r (id, kind, reason, usd) "
        "WHERE p.id = r.id AND p.job_id = $4 AND p.status = 'processing' RETURNING p.id",
        list(reasons.keys()),
        [kind for kind, _ in reasons.values()],
        [reason for _, reason in reasons.values()],
        job_id,
        [wasted_usd.get(product_id, 0.0) for product_id in reasons],
    )
    return [row["id"] for row in rows]


async def move_to_jobs(connection: Connection, job_of: Mapping[int, int]) -> None:
    """Give products that are being processed another job (after `leave_group` or a split)."""
    await connection.execute(
        "UPDATE products p SET job_id = j.job_id, updated_at = now() FROM unnest($1::bigint[], "
        "$2::bigint[]) AS j (id, job_id) WHERE p.id = j.id AND p.status = 'processing'",
        list(job_of.keys()),
        list(job_of.values()),
    )


async def release_jobs(connection: Connection, job_ids: Sequence[int]) -> int:
    """processing → pending for the products that still belong to these jobs; returns how many."""
    tag = await connection.execute(
        f"UPDATE products SET {set_status(ProductEvent.RELEASED)}, job_id = NULL, updated_at = now()"  # noqa: S608
        f" WHERE job_id = ANY($1::bigint[]) AND {may_happen(ProductEvent.RELEASED)}",
        job_ids,
    )
    return int(tag.split()[-1])


async def release_stuck(connection: Connection) -> int:
    """processing → pending for products whose job is gone; returns how many.

    PgQueuer keeps a job that crashed with status `failed`: it counts as gone.
    """
    tag = await connection.execute(
        "WITH stuck AS (SELECT p.id FROM products p"  # noqa: S608
        # Not NOT EXISTS: PostgreSQL assumes an empty table of jobs, and would read all of it for
        # each product.
        f" WHERE {may_happen(ProductEvent.RELEASED, 'p')} AND (p.job_id IS NULL OR p.job_id NOT IN"
        f" (SELECT j.id FROM {jobs_table()} j WHERE j.status IN ('queued', 'picked')))"
        # Whoever holds a lock is moving the product right now.
        " ORDER BY p.id FOR NO KEY UPDATE OF p SKIP LOCKED) UPDATE products p SET "
        f"{set_status(ProductEvent.RELEASED)}, job_id = NULL, updated_at = now() FROM stuck WHERE "
        "p.id = stuck.id"
    )
    return int(tag.split()[-1])


async def reset_failed(connection: Connection) -> int:
    """failed → pending, error and attempts cleared; returns how many."""
    tag = await connection.execute(
        f"UPDATE products SET {set_status(ProductEvent.RESET)}, attempts = 0, alone = false, variant_of = NULL, error = NULL,"  # noqa: S608
        f" error_kind = NULL, updated_at = now() WHERE {may_happen(ProductEvent.RESET)}",
        timeout=LONG_STATEMENT_S,
    )
    return int(tag.split()[-1])


async def take_back(connection: Connection, product_ids: Sequence[int]) -> None:
    """Undo failures that were not the products' fault: failed → pending, and attempts count from 0.

    Those asked alone stay alone: one of them may make the calls of the others fail.
    """
    ids = sorted(product_ids)
    # In the order in which records of calls lock them.
    await connection.execute(
        "SELECT FROM products WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE", ids
    )
    await connection.execute(
        f"UPDATE products SET {set_status(ProductEvent.RESET)}, error = NULL, error_kind = NULL, updated_at = now()"  # noqa: S608
        f" WHERE id = ANY($1::bigint[]) AND status = 'failed' AND {may_happen(ProductEvent.RESET)}",
        ids,
    )
    await connection.execute(
        "UPDATE products SET attempts = 0 WHERE id = ANY($1::bigint[]) AND attempts > 0 AND "
        "status <> 'completed'",
        ids,
    )


async def redo(connection: Connection, scope: UUID, simulated: bool) -> int:
    """Forget the answers of an import's products, so that all are asked again; returns how many."""
    await earlier_answers.forget_of(connection, scope)
    await connection.execute(
        "DELETE FROM answers a USING scopes s WHERE s.import_id = $1 AND a.product_id = "
        "s.product_id AND a.simulated = $2",
        scope,
        simulated,
        timeout=LONG_STATEMENT_S,
    )
    # Products of the same designs in other catalogues keep their results, and do not answer for
    # these.
    await connection.execute(
        "UPDATE products other SET design = NULL FROM scopes s JOIN products p ON p.id = "
        "s.product_id WHERE s.import_id = $1 AND other.design = p.design AND other.status = "
        "'completed'",
        scope,
        timeout=LONG_STATEMENT_S,
    )
    tag = await connection.execute(
        f"UPDATE products p SET {set_status(ProductEvent.REDONE)}, attempts = 0, alone = false, variant_of = NULL, error = NULL,"  # noqa: S608
        " error_kind = NULL, updated_at = now() FROM scopes s WHERE s.import_id = $1 AND "
        f"s.product_id = p.id AND {may_happen(ProductEvent.REDONE, 'p')}",
        scope,
        timeout=LONG_STATEMENT_S,
    )
    return int(tag.split()[-1])


async def reopen_simulated(connection: Connection, scope: UUID) -> int:
    """completed → pending for an import's products whose footprint rests on the simulator, because
    a real provider takes over; returns how many.
    """
    tag = await connection.execute(
        f"UPDATE products p SET {set_status(ProductEvent.REOPENED)}, attempts = 0, alone = false, variant_of = NULL, updated_at = now()"  # noqa: S608
        " FROM scopes s, footprints f WHERE s.import_id = $1 AND s.product_id = p.id"
        f" AND f.product_id = p.id AND f.simulated AND {may_happen(ProductEvent.REOPENED, 'p')}",
        scope,
        timeout=LONG_STATEMENT_S,
    )
    return int(tag.split()[-1])


COUNTS: Final = (
    "SELECT coalesce(sum(pending), 0)::bigint AS pending, coalesce(sum(processing), 0)::bigint AS "
    "processing, coalesce(sum(completed), 0)::bigint AS completed, coalesce(sum(failed), "
    "0)::bigint AS failed FROM product_count_changes"
)
"""SQL for the number of products in each state. Triggers record each change of these numbers
(migration 2), so that the cost does not grow with the catalogue.
"""


def counts_of_row(row: Record) -> dict[ProcessingStatus, int]:
    """The numbers in a row of `COUNTS`, which may have other columns too."""
    return {status: row[status.value] for status in ProcessingStatus}


async def counts(connection: Connection, scope: UUID | None = None) -> dict[ProcessingStatus, int]:
    """How many products are in each state; every state is present."""
    if scope is None:
        row = await connection.fetchrow(COUNTS)
        assert row is not None  # noqa: S101 - an aggregate always has a row
        return counts_of_row(row)
    rows = await connection.fetch(
        "SELECT p.status, count(*) AS n FROM products p JOIN scopes s ON s.product_id = p.id AND "
        "s.import_id = $1 GROUP BY p.status",
        scope,
    )
    found = {row["status"]: row["n"] for row in rows}
    return {status: found.get(status, 0) for status in ProcessingStatus}


async def any_processing(connection: Connection, travels: str = "true") -> bool:
    """Whether some product has a job. `travels` is a condition as in `take_pending`."""
    found = await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM products p WHERE p.status = 'processing' AND {travels})"  # noqa: S608
    )
    return bool(found)


async def any_pending(
    connection: Connection, scope: UUID | None = None, travels: str = "true"
) -> bool:
    """Whether some product is pending; of one import only when `scope` is given. `travels` is a
    condition as in `take_pending`.
    """
    within = "AND EXISTS (SELECT FROM scopes s WHERE s.import_id = $1 AND s.product_id = p.id)"
    # The first one, not EXISTS: for that PostgreSQL reads the whole table while its statistics say
    # that nearly all products are pending.
    first = await connection.fetchval(
        f"SELECT p.id FROM products p WHERE p.status = 'pending' AND {travels} {within if scope else ''} ORDER BY p.id LIMIT 1",  # noqa: S608
        *([scope] if scope else []),
    )
    return first is not None


async def page(
    connection: Connection,
    *,
    status: ProcessingStatus | None,
    search: str | None,
    after_id: int,
    limit: int,
    where: Sequence[str] = (),
) -> list[Record]:
    """One page of products with their figures, in order of id.

    `search` looks into code and name. `where` are more conditions, on `products p`.
    """
    conditions, arguments = ["p.id > $1", *where], [after_id, limit]
    values: list[Any] = list(arguments)
    if status is not None:
        # A literal, not a parameter: with a parameter a prepared plan cannot use the partial index
        # of the state.
        conditions.append(f"p.status = '{status.value}'")
    if search:
        values.append(f"%{_like(search)}%")
        conditions.append(f"(p.code ILIKE ${len(values)} OR p.name ILIKE ${len(values)})")
    # The page first, then its footprints: joined before the limit, PostgreSQL reads all footprints
    # up to a page far down the list.
    rows: list[Record] = await connection.fetch(
        f"SELECT {COLUMNS}, f.emissions_kg_co2e, f.low_kg_co2e, f.high_kg_co2e, f.category, f.subcategory,"  # noqa: S608
        " f.data_quality, f.simulated FROM (SELECT * FROM products p WHERE "
        f"{' AND '.join(conditions)} ORDER BY p.id LIMIT $2) p LEFT JOIN pictures pic ON "
        "pic.sha256 = p.picture_sha256 LEFT JOIN footprints f ON f.product_id = p.id ORDER BY "
        "p.id",
        *values,
    )
    return rows


def _like(text: str) -> str:
    """A LIKE pattern for exactly this text: LIKE's special characters in it are escaped."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


async def find(connection: Connection, code: str) -> Record | None:
    """One product with its figures, or None."""
    return await connection.fetchrow(
        f"SELECT {COLUMNS}, f.emissions_kg_co2e, f.low_kg_co2e, f.high_kg_co2e, f.category, f.subcategory,"  # noqa: S608
        " f.data_quality, f.simulated, f.detail, f.provider, f.model, f.cost_usd, "
        f"f.calculated_at, f.mass_kg FROM {FROM} LEFT JOIN footprints f ON f.product_id = p.id "
        "WHERE p.code = $1",
        code,
    )


async def delete(connection: Connection, code: str) -> bool:
    """Remove a product with its answers and footprint; False when there is none.

    Its calls stay on record: they were paid for.
    """
    return await connection.execute("DELETE FROM products WHERE code = $1", code) == "DELETE 1"


async def set_picture(connection: Connection, code: str, picture: Picture, data: bytes) -> bool:
    """Store a picture and give it to a product, which is then pending again; False when there is
    none.

    A product that has this very picture already is left as it is.
    """
    await connection.execute(
        "INSERT INTO pictures (sha256, media_type, width_px, height_px, data) VALUES ($1, $2, "
        "$3, $4, $5) ON CONFLICT DO NOTHING",
        picture.sha256,
        picture.media_type,
        picture.width_px,
        picture.height_px,
        data,
    )
    await connection.execute(
        "UPDATE products SET picture_sha256 = $2, image_url = NULL, revision = revision + 1,"  # noqa: S608
        f" {set_status(ProductEvent.CHANGED)}, attempts = 0, alone = false, error_kind = NULL, "
        "error = NULL, job_id = NULL, completed_at = NULL, updated_at = now() WHERE code = $1 "
        f"AND picture_sha256 IS DISTINCT FROM $2 AND {may_happen(ProductEvent.CHANGED)}",
        code,
        picture.sha256,
    )
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM products WHERE code = $1)", code)
    )


async def correct(
    connection: Connection,
    code: str,
    name: str,
    description: str,
    weight_kg: float | None,
    country_of_origin: str | None,
) -> None:
    """Overwrite a product's fields with what a person entered, and queue it again."""
    await connection.execute(
        "UPDATE products SET name = $2, description = $3, weight_kg = $4, country_of_origin = "
        "$5, revision = revision + 1, status = 'pending', attempts = 0, alone = false, "
        "error_kind = NULL, error = NULL, job_id = NULL, completed_at = NULL, updated_at = now() "
        "WHERE code = $1",
        code,
        name,
        description,
        weight_kg,
        country_of_origin,
    )


async def begin_anew(connection: Connection, product_ids: Sequence[int]) -> None:
    """processing → pending for products of which something that matters to the result has changed;
    their answers stay valid.
    """
    await connection.execute(
        f"UPDATE products SET {set_status(ProductEvent.CHANGED)}, revision = revision + 1, "  # noqa: S608
        "job_id = NULL, updated_at = now() WHERE id = ANY($1::bigint[]) AND status = 'processing'",
        list(product_ids),
    )
