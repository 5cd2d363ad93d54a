"""Footprints: the result of a product, with everything that it was computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.domain.results import Footprint
from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.rates import insert_rates, lengthen, load_rates, shorten

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from uuid import UUID

    from asyncpg import Record

    from weighbridge.domain.answers import Classification
    from weighbridge.domain.results import Provenance
    from weighbridge.store.database import Connection
    from weighbridge.store.rates import Rate


@dataclass(frozen=True, slots=True)
class StoredFootprint:
    """A footprint on its way into the table; `answers` is the storage form by step name."""

    product_id: int
    revision: int
    footprint: Footprint
    classification: Classification
    answers: Mapping[str, Any]
    provenance: Provenance
    cost_usd: float


async def upsert_footprints(connection: Connection, footprints: Sequence[StoredFootprint]) -> None:
    """The newest result of each product replaces the one before. At most one footprint a product."""
    if not footprints:
        return
    rates: dict[int, Rate] = {}
    rows = [_row(stored, rates) for stored in footprints]
    if rates:
        await insert_rates(connection, rates)
    await connection.execute(
        "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, high_kg_co2e, mass_kg,"
        " data_quality, category, subcategory, provider, model, simulated, cost_usd, detail)"
        " SELECT * FROM unnest($1::bigint[], $2::int[], $3::float8[], $4::float8[], $5::float8[], $6::float8[],"
        " $7::float8[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[], $13::float8[], $14::jsonb[])"
        " ON CONFLICT (product_id) DO UPDATE SET revision = excluded.revision,"
        " emissions_kg_co2e = excluded.emissions_kg_co2e, low_kg_co2e = excluded.low_kg_co2e,"
        " high_kg_co2e = excluded.high_kg_co2e, mass_kg = excluded.mass_kg, data_quality = excluded.data_quality,"
        " category = excluded.category, subcategory = excluded.subcategory, provider = excluded.provider,"
        " model = excluded.model, simulated = excluded.simulated, cost_usd = excluded.cost_usd,"
        " detail = excluded.detail, calculated_at = now()",
        *zip(*rows, strict=True),
    )


def _row(stored: StoredFootprint, rates: dict[int, Rate]) -> tuple[Any, ...]:
    footprint, provenance = stored.footprint, stored.provenance
    detail = {
        "footprint": {
            # Not `asdict`: it takes four times as long as all the rest.
            **{name: getattr(footprint, name) for name in Footprint.__dataclass_fields__},
            "contributions": [shorten(one, rates) for one in footprint.contributions],
        },
        "answers": stored.answers,
        "provenance": provenance,
    }
    return (
        stored.product_id,
        stored.revision,
        footprint.emissions_kg_co2e,
        footprint.low_kg_co2e,
        footprint.high_kg_co2e,
        footprint.mass.value,
        footprint.data_quality.overall,
        stored.classification.category,
        stored.classification.subcategory,
        provenance.provider,
        provenance.model,
        provenance.simulated,
        stored.cost_usd,
        detail,
    )


async def stream_results(
    connection: Connection, scope: UUID | None, batch_size: int = 1_000
) -> AsyncGenerator[list[Mapping[str, Any]], None]:
    """Every product with its footprint, in order of id, `batch_size` rows at a time.

    Reads one snapshot through a server-side cursor: memory does not grow, and what changes meanwhile
    does not tear the file. Of one import's products only when `scope` is given.
    """
    within = "JOIN scopes s ON s.product_id = p.id AND s.import_id = $1" if scope else ""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = await connection.cursor(
            "SELECT p.code, p.name, p.description, p.weight_kg, p.image_url, p.picture_sha256, pic.media_type,"  # noqa: S608
            " p.country_of_origin, p.status, p.error, p.error_kind, p.completed_at, f.category, f.subcategory,"
            " f.provider, f.model, f.simulated, f.cost_usd, f.detail"
            f" FROM products p {within}"
            " LEFT JOIN footprints f ON f.product_id = p.id AND p.status = 'completed'"
            " LEFT JOIN pictures pic ON pic.sha256 = p.picture_sha256 ORDER BY p.id",
            *([scope] if scope else []),
            timeout=LONG_STATEMENT_S,
        )
        rates: dict[int, Rate] = {}
        while rows := await cursor.fetch(batch_size):
            await _learn_rates(connection, rows, rates)
            yield [{**row, "detail": _in_full(row["detail"], rates)} for row in rows]


async def detail_in_full(connection: Connection, row: Record) -> dict[str, Any] | None:
    """What `row["detail"]` says, with every contribution by field; None where there is no footprint."""
    rates: dict[int, Rate] = {}
    await _learn_rates(connection, [row], rates)
    return _in_full(row["detail"], rates)


async def _learn_rates(
    connection: Connection, rows: Sequence[Record], rates: dict[int, Rate]
) -> None:
    """Read the rates that the footprints of `rows` name and that are not known yet."""
    named = {
        one[0] for row in rows for one in _contributions(row["detail"]) if isinstance(one, list)
    }
    if unknown := named - rates.keys():
        rates.update(await load_rates(connection, unknown))


def _in_full(detail: Mapping[str, Any] | None, rates: Mapping[int, Rate]) -> dict[str, Any] | None:
    if detail is None:
        return None
    # By field already: a program before schema 8 wrote it.
    contributions = [
        one if isinstance(one, dict) else lengthen(one, rates) for one in _contributions(detail)
    ]
    return {**detail, "footprint": {**detail["footprint"], "contributions": contributions}}


def _contributions(detail: Mapping[str, Any] | None) -> list[Any]:
    return detail["footprint"]["contributions"] if detail else []
