"""What all footprints together say.

Each function is one statement over an index that holds what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.store.database import LONG_STATEMENT_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class CategoryTotal:
    """The products of one category: sums over one unit of each."""

    category: str
    products: int
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    mass_kg: float
    data_quality: float
    simulated: int


async def by_category(connection: Connection) -> list[CategoryTotal]:
    """Every category, the heaviest first."""
    rows = await connection.fetch(
        "SELECT category, count(*) AS products, sum(emissions_kg_co2e) AS emissions_kg_co2e, "
        "sum(low_kg_co2e) AS low_kg_co2e, sum(high_kg_co2e) AS high_kg_co2e, sum(mass_kg) AS "
        "mass_kg, avg(data_quality) AS data_quality, count(*) FILTER (WHERE simulated) AS "
        "simulated FROM footprints GROUP BY category ORDER BY emissions_kg_co2e DESC",
        timeout=LONG_STATEMENT_S,
    )
    return [CategoryTotal(**dict(row)) for row in rows]


async def distribution(connection: Connection) -> dict[int, int]:
    """How many products have a footprint in each half decade: key k is from 10^(k/2) to
    10^((k+1)/2) kg CO2e.
    """
    rows = await connection.fetch(
        "SELECT floor(2 * log(greatest(emissions_kg_co2e, 1e-6)::numeric))::int AS bin, count(*) "
        "AS n FROM footprints GROUP BY 1",
        timeout=LONG_STATEMENT_S,
    )
    return {row["bin"]: row["n"] for row in rows}


async def heaviest(connection: Connection, limit: int) -> Sequence[Record]:
    """The products with the largest footprints, with what they were computed from."""
    return await connection.fetch(
        "SELECT p.id, p.code, p.name, p.status, f.category, f.emissions_kg_co2e, f.low_kg_co2e, "
        "f.high_kg_co2e, f.mass_kg, f.data_quality, f.simulated, f.detail FROM footprints f JOIN "
        "products p ON p.id = f.product_id AND p.status = 'completed' ORDER BY "
        "f.emissions_kg_co2e DESC, f.product_id DESC LIMIT $1",
        limit,
        timeout=LONG_STATEMENT_S,
    )
