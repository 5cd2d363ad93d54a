"""The totals of a catalogue by category, material, supplier and country, and the products to look
at first. The command line, the API, the workbook's Summary and the page Insights all show this.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from weighbridge.domain.results import ContributionKind
from weighbridge.domain.totals import (
    NOT_STATED,
    CatalogueTotals,
    GroupTotal,
    MissingProduct,
    RankedProduct,
    TotalBy,
)
from weighbridge.store import totals as stored
from weighbridge.store.totals import BY_RANGE, BY_TOTAL, Within

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from asyncpg import Record

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.store.database import Connection, Database

NAMED: Final = 10
"""How many hotspots, how many products to check first and how many missing products are listed, at
most.
"""
_NO_MATERIAL: Final = {
    ContributionKind.PROCESS_ELECTRICITY: "Electricity in manufacturing",
    ContributionKind.PROCESS_HEAT: "Heat in manufacturing",
    ContributionKind.PROCESS_DIRECT: "Process emissions",
    ContributionKind.COMPONENT: "Chips, displays and other parts calculated from their size",
    ContributionKind.CLASS_REFERENCE: "Published figures of whole products",
    ContributionKind.SUPPLIER_FIGURE: "Suppliers' own figures",
}


async def catalogue_totals(
    database: Database,
    factors: FactorTable,
    *,
    by: Collection[TotalBy] = tuple(TotalBy),
    scope: UUID | None = None,
    codes: Sequence[str] | None = None,
    named: int = NAMED,
) -> CatalogueTotals:
    """The totals of all products as of one moment.

    `by` are the groups to add up. `scope`: only products of this import; `codes`: only those with
    these codes. `named` is how many hotspots and so on are listed.
    """
    async with (
        database.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await totals_within(connection, factors, Within(scope, codes), by, named)


async def totals_within(
    connection: Connection,
    factors: FactorTable,
    within: Within,
    by: Collection[TotalBy] = tuple(TotalBy),
    named: int = NAMED,
) -> CatalogueTotals:
    """The totals of the products `within`, read in the transaction of this connection.

    So they agree with what else it reads.
    """
    counted = await stored.counts(connection, within)
    total = counted["total_kg_co2e"]
    groups = {one: await _groups(connection, one, within, factors, total) for one in by}
    hotspots = await stored.ranked(connection, BY_TOTAL, within, named)
    check_first = await stored.ranked(connection, BY_RANGE, within, named)
    missing = await stored.failed(connection, within, named)
    return CatalogueTotals(
        **counted,
        waiting=counted["products"] - counted["completed"] - counted["failed"],
        groups=groups,
        hotspots=tuple(_ranked(row, total) for row in hotspots),
        check_first=tuple(_ranked(row, total) for row in check_first),
        missing=tuple(MissingProduct(**row) for row in missing),
    )


async def _groups(
    connection: Connection, by: TotalBy, within: Within, factors: FactorTable, total: float
) -> tuple[GroupTotal, ...]:
    """The totals of one kind of groups, with each group's share of `total`."""
    if by is TotalBy.MATERIAL:
        found = [_material(row, factors) for row in await stored.materials(connection, within)]
    else:
        rows = await stored.groups(connection, by, within)
        found = [GroupTotal(**{**row, "name": row["name"] or NOT_STATED}) for row in rows]
    return tuple(replace(group, share=_share(group.total_kg_co2e, total)) for group in found)


def _material(row: Record, factors: FactorTable) -> GroupTotal:
    """The total of a material, or of contributions that are no material, such as electricity."""
    kind = ContributionKind(row["kind"])
    if kind is not ContributionKind.MATERIAL:
        return GroupTotal(_NO_MATERIAL[kind], row["products"], row["total_kg_co2e"])
    known = factors.materials.get(row["factor_key"])
    name = row["factor_key"] if known is None else known.name
    return GroupTotal(name, row["products"], row["total_kg_co2e"], mass_kg=row["mass_kg"])


def _ranked(row: Record, total: float) -> RankedProduct:
    return RankedProduct(**row, share=_share(row["total_kg_co2e"], total))


def _share(part: float, total: float) -> float | None:
    """The part divided by the total; None if the total is not a number above 0."""
    return part / total if total > 0 and math.isfinite(total) else None
