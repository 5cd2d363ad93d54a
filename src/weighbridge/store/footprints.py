"""Footprints: the result of a product, with everything that it was computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from weighbridge.domain.recordings import RECORDED
from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.footprint_versions import KEEP_REPLACED
from weighbridge.store.rates import insert_rates, load_rates
from weighbridge.store.stored_detail import StoredDetail, rates_named, read_detail, write_detail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from uuid import UUID

    from asyncpg import Record

    from weighbridge.domain.history import Cause
    from weighbridge.store.database import Connection
    from weighbridge.store.rates import Rate


BY_ID: Final = "p.id"


@dataclass(frozen=True, slots=True)
class StoredFootprint:
    """A footprint on its way into the table.

    Category and subcategory are columns so that lists can show them.
    """

    product_id: int
    revision: int
    detail: StoredDetail
    category: str | None
    subcategory: str | None
    cost_usd: float

    def made_by(self, cause: Cause) -> StoredFootprint:
        """The same footprint, with the cause for which it was computed."""
        return replace(self, detail=replace(self.detail, cause=cause))


class FootprintRows(NamedTuple):
    """Rows for the tables of footprints and rates: plain data, which may come from another
    process.
    """

    rows: list[tuple[Any, ...]]
    rates: dict[int, Rate]

    @staticmethod
    def of(footprints: Sequence[StoredFootprint]) -> FootprintRows:
        """The rows for these footprints, and the rates that they refer to."""
        rates: dict[int, Rate] = {}
        return FootprintRows([_row(stored, rates) for stored in footprints], rates)


async def upsert_footprints(connection: Connection, footprints: Sequence[StoredFootprint]) -> None:
    """The newest result of each product replaces the one before, which goes into its history.

    Pass at most one footprint per product.
    """
    await upsert_rows(connection, FootprintRows.of(footprints))


async def upsert_rows(connection: Connection, made: FootprintRows) -> None:
    """As `upsert_footprints`, with rows that are made already."""
    if not made.rows:
        return
    if made.rates:
        await insert_rates(connection, made.rates)
    *columns, details = zip(*made.rows, strict=True)
    await connection.execute(
        f"WITH {KEEP_REPLACED} "  # noqa: S608 - constants only
        "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, "
        "high_kg_co2e, mass_kg, data_quality, category, subcategory, provider, model, simulated, "
        "cost_usd, detail) SELECT * FROM unnest($1::bigint[], $2::int[], $3::float8[], "
        "$4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::text[], $9::text[], "
        "$10::text[], $11::text[], $12::boolean[], $13::float8[], $14::jsonb[]) ON CONFLICT "
        "(product_id) DO UPDATE SET revision = excluded.revision, emissions_kg_co2e = "
        "excluded.emissions_kg_co2e, low_kg_co2e = excluded.low_kg_co2e, high_kg_co2e = "
        "excluded.high_kg_co2e, mass_kg = excluded.mass_kg, data_quality = "
        "excluded.data_quality, category = excluded.category, subcategory = "
        "excluded.subcategory, provider = excluded.provider, model = excluded.model, simulated = "
        "excluded.simulated, cost_usd = excluded.cost_usd, detail = excluded.detail, "
        "calculated_at = now()",
        *columns,
        [orjson.Fragment(detail) for detail in details],
    )


def _row(stored: StoredFootprint, rates: dict[int, Rate]) -> tuple[Any, ...]:
    """The values of a new row. The rates that it names are put into `rates`."""
    footprint, provenance = stored.detail.footprint, stored.detail.provenance
    return (
        stored.product_id,
        stored.revision,
        footprint.emissions_kg_co2e,
        footprint.low_kg_co2e,
        footprint.high_kg_co2e,
        footprint.mass.value,
        footprint.data_quality.overall,
        stored.category,
        stored.subcategory,
        provenance.provider,
        provenance.model,
        provenance.simulated,
        stored.cost_usd,
        orjson.dumps(write_detail(stored.detail, rates)),
    )


async def stream_results(
    connection: Connection,
    scope: UUID | None,
    codes: Sequence[str] | None = None,
    batch_size: int = 1_000,
    order: str = BY_ID,
) -> AsyncGenerator[list[Mapping[str, Any]], None]:
    """Every product with its footprint, by default in order of id, `batch_size` rows at a time.

    Reads one snapshot through a server-side cursor: memory does not grow, and changes made
    meanwhile do not show. With `scope` only the products of that import, with `codes` only those
    with these codes.
    """
    within = "JOIN scopes s ON s.product_id = p.id AND s.import_id = $1" if scope else ""
    chosen = f"WHERE p.code = ANY(${2 if scope else 1}::text[])" if codes is not None else ""
    arguments = ([scope] if scope else []) + ([list(codes)] if codes is not None else [])
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = await connection.cursor(
            "SELECT p.id, p.code, p.name, p.description, p.weight_kg, p.image_url, p.picture_sha256, p.more_pictures, pic.media_type,"  # noqa: S608
            " p.country_of_origin, p.facts, p.notes, p.status, p.error, p.error_kind, "
            "p.completed_at, f.category, f.subcategory, f.provider, f.model, f.simulated, "
            f"f.cost_usd, coalesce(f.figure_since, f.calculated_at) AS figure_since, f.detail FROM products p {within} LEFT JOIN footprints f ON "
            "f.product_id = p.id AND p.status = 'completed' LEFT JOIN pictures pic ON pic.sha256 "
            f"= p.picture_sha256 {chosen} ORDER BY {order}",
            *arguments,
            timeout=LONG_STATEMENT_S,
        )
        rates: dict[int, Rate] = {}
        while rows := await cursor.fetch(batch_size):
            stored = [row["detail"] for row in rows if row["detail"] is not None]
            details = iter(await read_details(connection, stored, rates))
            yield [
                {**row, "detail": None if row["detail"] is None else next(details)} for row in rows
            ]


async def read_details(
    connection: Connection, stored: Sequence[Mapping[str, Any]], rates: dict[int, Rate]
) -> list[StoredDetail]:
    """What `footprints.detail` says; rates that are not in `rates` yet are read and put there."""
    if unknown := rates_named(stored) - rates.keys():
        rates.update(await load_rates(connection, unknown))
    return [read_detail(detail, rates) for detail in stored]


async def detail_of(connection: Connection, row: Record) -> StoredDetail | None:
    """The footprint in a row that has the column `detail`; None where there is none."""
    if row["detail"] is None:
        return None
    (detail,) = await read_details(connection, [row["detail"]], {})
    return detail


async def not_asked_for(connection: Connection) -> tuple[bool, bool]:
    """Whether there are footprints from the simulator, and whether there are any from recorded
    answers: (simulated, recorded).
    """
    simulated: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM footprints WHERE simulated)"
    )
    # The order is what the index of these has and no other: PostgreSQL takes one row in three for
    # recorded, and would look for the first of them through the whole table.
    recorded = await connection.fetchval(
        f"SELECT provider FROM footprints WHERE strpos(provider, '{RECORDED}') > 0"  # noqa: S608
        " ORDER BY provider LIMIT 1"
    )
    return simulated, recorded is not None
