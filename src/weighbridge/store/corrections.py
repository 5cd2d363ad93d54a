"""Corrections: who overrides which value of an answer, and what to recompute for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.corrections import Change, Correction
from weighbridge.store.database import LONG_STATEMENT_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from weighbridge.store.database import Connection


_WEIGHABLE: Final = (
    "SELECT p.*, pic.media_type, pic.width_px, pic.height_px, length(pic.data) AS size_bytes,"
    " f.detail::text AS detail, f.cost_usd FROM products p"
    " LEFT JOIN footprints f ON f.product_id = p.id"
    " LEFT JOIN pictures pic ON pic.sha256 = p.picture_sha256"
)
"""SQL that selects what is needed to compute the footprints of products again; `detail` is JSON as
text, so that it can be handed to another process.
"""


_NOT_YET: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """A correction on its way into the table."""

    product_id: int
    change: Change
    anchor: str | None
    before: Any
    after: Any
    made_by: str
    reason: str

    @property
    def provisional(self) -> Correction:
        """The correction as it will be once it is recorded."""
        return Correction(
            0,
            self.change,
            self.anchor,
            self.before,
            self.after,
            self.made_by,
            self.reason,
            _NOT_YET,
        )


@dataclass(frozen=True, slots=True)
class RecordedCorrection:
    """A stored correction: in force, or taken back by somebody at some time."""

    correction: Correction
    withdrawn_at: datetime | None
    withdrawn_by: str | None


async def insert(connection: Connection, corrections: Sequence[NewCorrection]) -> None:
    """Store the corrections, in this order."""
    await connection.execute(
        "INSERT INTO corrections (product_id, step, path, anchor, value, before, after, made_by, "
        "reason) SELECT c.product_id, c.step, string_to_array(c.path, '.'), c.anchor, c.value -> "
        "'is', c.before -> 'is', c.after -> 'is', c.made_by, c.reason FROM unnest($1::bigint[], "
        "$2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::jsonb[], $8::text[], "
        "$9::text[]) AS c (product_id, step, path, anchor, value, before, after, made_by, reason)",
        [each.product_id for each in corrections],
        [each.change.step for each in corrections],
        [".".join(each.change.path) for each in corrections],
        [each.anchor for each in corrections],
        # Wrapped: a null of JSON is no NULL of SQL, and a list of lists would be an array of two
        # dimensions.
        [{"is": each.change.value} for each in corrections],
        [{"is": each.before} for each in corrections],
        [{"is": each.after} for each in corrections],
        [each.made_by for each in corrections],
        [each.reason for each in corrections],
        timeout=LONG_STATEMENT_S,
    )


async def active(connection: Connection, product_ids: Sequence[int]) -> dict[int, list[Correction]]:
    """The corrections that hold, by product, the earliest first."""
    rows = await connection.fetch(
        "SELECT * FROM corrections WHERE product_id = ANY($1::bigint[]) AND withdrawn_at IS NULL "
        "ORDER BY id",
        list(product_ids),
    )
    found: dict[int, list[Correction]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(_correction(row))
    return found


async def made(connection: Connection, product_ids: Sequence[int]) -> dict[int, list[Correction]]:
    """All corrections by product, those that were taken back among them."""
    rows = await connection.fetch(
        "SELECT * FROM corrections WHERE product_id = ANY($1::bigint[])", list(product_ids)
    )
    found: dict[int, list[Correction]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(_correction(row))
    return found


async def recorded(connection: Connection, product_id: int) -> list[RecordedCorrection]:
    """All corrections of a product, those that were taken back among them, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM corrections WHERE product_id = $1 ORDER BY id DESC", product_id
    )
    return [
        RecordedCorrection(_correction(row), row["withdrawn_at"], row["withdrawn_by"])
        for row in rows
    ]


async def withdraw(connection: Connection, ids: Sequence[int], by: str) -> None:
    """Mark these corrections as taken back by `by`, unless they are already."""
    await connection.execute(
        "UPDATE corrections SET withdrawn_at = now(), withdrawn_by = $2"
        " WHERE id = ANY($1::bigint[]) AND withdrawn_at IS NULL",
        list(ids),
        by,
    )


async def sharing_answers(
    connection: Connection, product_ids: Sequence[int]
) -> dict[int, list[str]]:
    """By product: the codes of its variants, which have its answers."""
    rows = await connection.fetch(
        "SELECT variant_of, array_agg(code ORDER BY id) AS codes FROM products"
        " WHERE variant_of = ANY($1::bigint[]) AND status = 'completed' GROUP BY variant_of",
        list(product_ids),
    )
    return {row["variant_of"]: row["codes"] for row in rows}


async def lock_completed(connection: Connection, codes: Sequence[str]) -> list[Record]:
    """The products with their stored footprints. They are locked: nobody else can change them until
    the transaction ends.
    """
    return await connection.fetch(
        f"{_WEIGHABLE} WHERE p.code = ANY($1::text[]) ORDER BY p.id FOR UPDATE OF p",
        list(codes),
        timeout=LONG_STATEMENT_S,
    )


async def weighable(connection: Connection, codes: Sequence[str]) -> list[Record]:
    """As `lock_completed`, but only to be read: nothing is locked."""
    return await connection.fetch(
        f"{_WEIGHABLE} WHERE p.code = ANY($1::text[]) ORDER BY p.id",
        list(codes),
        timeout=LONG_STATEMENT_S,
    )


async def weighed(connection: Connection, codes: Sequence[str] | None) -> dict[str, int]:
    """The completed products, code → id in order of id: all, or those of these codes."""
    chosen = "" if codes is None else " AND code = ANY($1::text[])"
    rows = await connection.fetch(
        f"SELECT code, id FROM products WHERE status = 'completed'{chosen} ORDER BY id",  # noqa: S608
        *(() if codes is None else (list(codes),)),
        timeout=LONG_STATEMENT_S,
    )
    return {row["code"]: row["id"] for row in rows}


async def lock_weighed(connection: Connection, ids: Sequence[int]) -> list[Record]:
    """As `lock_completed`, by id: those of the products that are still completed."""
    return await connection.fetch(
        f"{_WEIGHABLE} WHERE p.id = ANY($1::bigint[]) AND p.status = 'completed'"
        " AND f.detail IS NOT NULL ORDER BY p.id FOR UPDATE OF p",
        list(ids),
        timeout=LONG_STATEMENT_S,
    )


def _correction(row: Mapping[str, Any]) -> Correction:
    """The correction in a row of the table."""
    return Correction(
        row["id"],
        Change(row["step"], tuple(row["path"]), row["value"]),
        row["anchor"],
        row["before"],
        row["after"],
        row["made_by"],
        row["reason"],
        row["made_at"],
    )
