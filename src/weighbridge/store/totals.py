"""What products add up to, by SQL: a figure times the quantity, or times one where none is known.

Only the groups by material read the contributions in the stored footprints, which count as in
`Footprint.counted_kg_co2e`; everything else reads columns alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.recordings import RECORDED
from weighbridge.domain.results import ContributionKind, RouteName
from weighbridge.domain.totals import TotalBy
from weighbridge.store.database import LONG_STATEMENT_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from asyncpg import Record

    from weighbridge.store.database import Connection

_PIECES: Final = "coalesce((p.facts->>'quantity')::float8, 1)"
"""SQL for how many pieces of a product are sold or bought in a year; 1 where that is not stated."""
_TOTAL: Final = f"f.emissions_kg_co2e * {_PIECES}"
_LOW: Final = f"f.low_kg_co2e * {_PIECES}"
_HIGH: Final = f"f.high_kg_co2e * {_PIECES}"
_RANGE: Final = f"(f.high_kg_co2e - f.low_kg_co2e) * {_PIECES}"
_KEYS: Final = {
    TotalBy.CATEGORY: "f.category",
    TotalBy.SUPPLIER: "p.facts->>'supplier'",
    TotalBy.COUNTRY: "p.country_of_origin",
}
BY_TOTAL: Final = f"{_TOTAL} DESC NULLS LAST, p.id"
"""Order: the products that add most to the total first."""
BY_RANGE: Final = f"{_RANGE} DESC NULLS LAST, p.id"
"""Order: the products with the widest range, times the quantity, first."""


@dataclass(frozen=True, slots=True)
class CategoryTraits:
    """What is known of a category besides its total: the mass of its pieces, and the mean data
    quality.
    """

    mass_kg: float
    data_quality: float


@dataclass(frozen=True, slots=True)
class Within:
    """Which products count: those of one import, those with these codes, or all."""

    scope: UUID | None = None
    codes: Sequence[str] | None = None

    @property
    def arguments(self) -> list[Any]:
        """The arguments that the SQL below refers to, in their order."""
        found: list[Any] = [] if self.scope is None else [self.scope]
        return found if self.codes is None else [*found, list(self.codes)]

    @property
    def scope_join(self) -> str:
        """SQL to be put after `products p`."""
        return (
            ""
            if self.scope is None
            else "JOIN scopes s ON s.product_id = p.id AND s.import_id = $1"
        )

    @property
    def condition(self) -> str:
        """SQL to be put after WHERE."""
        if self.codes is None:
            return "true"
        return f"p.code = ANY(${1 if self.scope is None else 2}::text[])"


def _from_completed(within: Within) -> str:
    """SQL that selects completed products with their footprints, from FROM to the condition."""
    return (
        f"FROM products p {within.scope_join} JOIN footprints f ON f.product_id = p.id "
        f"WHERE p.status = 'completed' AND {within.condition}"
    )


async def counts(connection: Connection, within: Within) -> Mapping[str, Any]:
    """The number of products in all and of each kind, and the total with its range, by the names of
    `CatalogueTotals`.
    """
    found = await connection.fetch(
        "SELECT count(*) AS products, count(f.product_id) AS completed, "  # noqa: S608
        "count(*) FILTER (WHERE p.status = 'failed') AS failed, "
        "count(*) FILTER (WHERE f.product_id IS NOT NULL AND p.facts->'quantity' IS NULL) "
        "AS without_quantity, "
        "count(*) FILTER (WHERE f.detail #>> '{footprint,mass,origin}' = 'inferred') "
        "AS mass_inferred, "
        "count(*) FILTER (WHERE f.simulated) AS simulated, "
        f"count(*) FILTER (WHERE strpos(f.provider, '{RECORDED}') > 0) AS recorded, "
        f"coalesce(sum({_TOTAL}), 0) AS total_kg_co2e, coalesce(sum({_LOW}), 0) AS low_kg_co2e, "
        f"coalesce(sum({_HIGH}), 0) AS high_kg_co2e FROM products p {within.scope_join} "
        "LEFT JOIN footprints f ON f.product_id = p.id AND p.status = 'completed' "
        f"WHERE {within.condition}",
        *within.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return dict(found[0])


async def groups(connection: Connection, by: TotalBy, within: Within) -> list[Record]:
    """A row per group of completed products, the largest total first.

    It has the group's `name` (None: not stated), how many `products` it has, and the sums of their
    footprints and of both ends of their ranges in kg CO2e.
    """
    return await connection.fetch(
        f"SELECT {_KEYS[by]} AS name, count(*) AS products, sum({_TOTAL}) AS total_kg_co2e, "
        f"sum({_LOW}) AS low_kg_co2e, sum({_HIGH}) AS high_kg_co2e {_from_completed(within)} "
        "GROUP BY 1 ORDER BY 3 DESC, 1",
        *within.arguments,
        timeout=LONG_STATEMENT_S,
    )


_PLACES: Final = {
    name: f"array_position(names.list, '{name}') - 1"
    for name in ("rate", "activity", "emissions_kg_co2e", "kind", "factor_key", "activity_unit")
}
"""Field of a contribution → SQL for its place in the list, where the footprint names the fields
once.
"""


def _field_sql(name: str) -> str:
    """SQL for a field of a contribution, however the footprint stores it."""
    return (
        f"CASE jsonb_typeof(one) WHEN 'object' THEN one->>'{name}' ELSE one->>({_PLACES[name]}) END"
    )


async def materials(connection: Connection, within: Within) -> list[Record]:
    """kind, factor_key, products, total and mass of each material, and of each other kind of
    contribution together.
    """
    routes = ", ".join(
        f"max(CASE WHEN route->>'name' = '{name.replace(chr(39), chr(39) * 2)}' THEN CASE "
        "WHEN (route->>'weight')::float8 >= 1 THEN 1 "
        "WHEN (route->>'emissions_kg_co2e')::float8 > 0 THEN (route->>'weight')::float8 * "
        "f.emissions_kg_co2e / (route->>'emissions_kg_co2e')::float8 ELSE 0 END END) "
        f"AS per_kg_{name.name.lower()}"
        for name in RouteName
    )
    return await connection.fetch(
        "WITH terms AS (SELECT f.product_id, "  # noqa: S608
        f"{_PIECES} AS pieces, routes.*, "
        f"({_field_sql('rate')})::bigint AS rate, {_field_sql('kind')} AS kind, "
        f"{_field_sql('factor_key')} AS factor_key, {_field_sql('activity_unit')} AS activity_unit, "
        f"({_field_sql('activity')})::float8 AS activity, "
        f"({_field_sql('emissions_kg_co2e')})::float8 AS emissions "
        f"FROM products p {within.scope_join} JOIN footprints f ON f.product_id = p.id "
        "CROSS JOIN LATERAL (SELECT coalesce(array_agg(word), ARRAY['rate', 'label', 'activity', "
        "'emissions_kg_co2e', 'low_kg_co2e', 'high_kg_co2e']) AS list FROM "
        "jsonb_array_elements_text(f.detail #> '{footprint,contribution_fields}') AS words (word)) names "
        f"CROSS JOIN LATERAL (SELECT count(*) AS routes, {routes} FROM jsonb_array_elements("
        "f.detail #> '{footprint,routes}') AS each (route)) routes "
        "CROSS JOIN LATERAL jsonb_array_elements(f.detail #> '{footprint,contributions}') AS terms (one) "
        f"WHERE p.status = 'completed' AND {within.condition}), "
        "known AS (SELECT t.*, coalesce(r.kind, t.kind) AS the_kind, "
        "coalesce(r.factor_key, t.factor_key) AS the_key, "
        "coalesce(r.activity_unit, t.activity_unit) AS the_unit "
        "FROM terms t LEFT JOIN rates r ON r.id = t.rate) "
        "SELECT the_kind AS kind, "
        f"CASE WHEN the_kind = '{ContributionKind.MATERIAL}' THEN the_key ELSE '' END AS "
        "factor_key, count(DISTINCT product_id) AS products, "
        "sum(emissions * pieces * CASE WHEN routes = 0 THEN 1 ELSE coalesce(CASE the_kind "
        f"WHEN '{ContributionKind.CLASS_REFERENCE}' THEN per_kg_class "
        "WHEN 'supplier''s figure' THEN per_kg_supplier ELSE per_kg_bill END, 0) END) "
        "AS total_kg_co2e, "
        "sum(CASE WHEN the_unit = 'kg' THEN activity * pieces END) AS mass_kg "
        "FROM known GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2",
        *within.arguments,
        timeout=LONG_STATEMENT_S,
    )


async def ranked(connection: Connection, order: str, within: Within, limit: int) -> list[Record]:
    """The first completed products in this order (BY_TOTAL or BY_RANGE), with what each adds to the
    total.
    """
    return await connection.fetch(
        "SELECT p.code, p.name, f.category, f.emissions_kg_co2e, f.low_kg_co2e, f.high_kg_co2e, "
        f"(p.facts->>'quantity')::float8 AS quantity, {_TOTAL} AS total_kg_co2e, "
        f"{_RANGE} AS range_kg_co2e {_from_completed(within)} ORDER BY {order} LIMIT {int(limit)}",
        *within.arguments,
        timeout=LONG_STATEMENT_S,
    )


async def failed(connection: Connection, within: Within, limit: int) -> list[Record]:
    """The first failed products, by code."""
    return await connection.fetch(
        f"SELECT p.code, p.name, p.error FROM products p {within.scope_join} "  # noqa: S608
        f"WHERE p.status = 'failed' AND {within.condition} ORDER BY p.code LIMIT {int(limit)}",
        *within.arguments,
        timeout=LONG_STATEMENT_S,
    )


async def category_traits(connection: Connection) -> dict[str, CategoryTraits]:
    """Category → the mass of its pieces and the mean data quality."""
    rows = await connection.fetch(
        f"SELECT {_KEYS[TotalBy.CATEGORY]} AS name, coalesce(sum(f.mass_kg * {_PIECES}), 0) "
        f"AS mass_kg, avg(f.data_quality) AS data_quality {_from_completed(Within())} GROUP BY 1",
        timeout=LONG_STATEMENT_S,
    )
    return {row["name"]: CategoryTraits(row["mass_kg"], row["data_quality"]) for row in rows}


async def distribution(connection: Connection) -> dict[int, int]:
    """How many products have a footprint in each half decade: key k is from 10^(k/2) to
    10^((k+1)/2) kg CO2e of one unit.
    """
    rows = await connection.fetch(
        "SELECT floor(2 * log(greatest(f.emissions_kg_co2e, 1e-6)::numeric))::int AS bin, "
        f"count(*) AS n {_from_completed(Within())} GROUP BY 1",
        timeout=LONG_STATEMENT_S,
    )
    return {row["bin"]: row["n"] for row in rows}


async def heaviest(connection: Connection, limit: int) -> Sequence[Record]:
    """The products that add most to the total, with what they were computed from."""
    return await connection.fetch(
        f"SELECT p.code, p.name, {_PIECES} AS pieces, f.detail {_from_completed(Within())} "
        f"ORDER BY {BY_TOTAL} LIMIT $1",
        limit,
        timeout=LONG_STATEMENT_S,
    )
