"""What the page Insights shows of all results: the totals of `totals.py`, the distribution of
footprints, the footprint per kilogram, and what to find out next.

What needs the details of each footprint (proxies, inferred masses, routes that disagree) is worked
out only for the products with the largest totals; `looked_into_share` says which share of the total
these have.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import RouteName
from weighbridge.domain.totals import TotalBy
from weighbridge.service.views.totals import totals_within
from weighbridge.store import footprints, totals
from weighbridge.store.totals import CategoryTraits, Within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.results import Contribution, Footprint
    from weighbridge.domain.totals import CatalogueTotals
    from weighbridge.service.opening import Database

HEAVIEST: Final = 1_000
"""How many products, those with the largest totals, are looked at in detail."""
SHOWN: Final = 12
"""How many groups, how many hotspots and how many disagreements are shown, at most."""
TAKEN_APART: Final = 100_000
"""The most completed products for which there are totals by material.

These need every contribution of every footprint, which takes too long for a page.
"""
DISAGREE: Final = 2.0
"""Two routes disagree if the figure of one is so many times that of the other."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the total, and how many products it is of."""

    name: str
    emissions_kg_co2e: float
    products: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A product whose two routes are far apart."""

    code: str
    name: str
    times: float
    emissions_kg_co2e: float


@dataclass(frozen=True, slots=True)
class Advice:
    """Something worth finding out: what, why, and the emissions and products it concerns."""

    what: str
    why: str
    emissions_kg_co2e: float
    products: int


@dataclass(frozen=True, slots=True)
class Insights:
    """What the page shows. Emissions are each footprint times its product's quantity.

    `totals` has no groups by material if there are more than `TAKEN_APART` completed products.
    `distribution` counts footprints by half decade of kg CO2e. `looked_into` products were looked
    at in detail; `looked_into_share` is their share of the total.
    """

    totals: CatalogueTotals
    traits: Mapping[str, CategoryTraits]
    distribution: dict[int, int]
    disagreements: list[Disagreement]
    advice: list[Advice]
    looked_into: int
    looked_into_share: float

    @property
    def mass_kg(self) -> float:
        """The mass of all pieces of all products."""
        return sum(one.mass_kg for one in self.traits.values())


@dataclass(frozen=True, slots=True)
class _DetailedProduct:
    """A product that is looked at in detail: one of those with the largest totals."""

    code: str
    name: str
    pieces: float
    footprint: Footprint

    @property
    def total_kg_co2e(self) -> float:
        """Its footprint times its quantity."""
        return self.footprint.emissions_kg_co2e * self.pieces


async def read_insights(database: Database, factors: FactorTable) -> Insights:
    """Work out the insights from the database as of one moment."""
    async with (
        database.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        counted = await totals.counts(connection, Within())
        is_small = counted["completed"] <= TAKEN_APART
        by = [one for one in TotalBy if is_small or one is not TotalBy.MATERIAL]
        added = await totals_within(connection, factors, Within(), by, SHOWN)
        traits = await totals.category_traits(connection)
        distribution = await totals.distribution(connection)
        rows = await totals.heaviest(connection, HEAVIEST)
        stored = [row["detail"] for row in rows]
        details = await footprints.read_details(connection, stored, {})
    detailed = [
        _DetailedProduct(row["code"], row["name"], row["pieces"], detail.footprint)
        for row, detail in zip(rows, details, strict=True)
    ]
    return await asyncio.to_thread(_insights_of, added, traits, distribution, detailed)


def _insights_of(
    added: CatalogueTotals,
    traits: Mapping[str, CategoryTraits],
    distribution: dict[int, int],
    detailed: Sequence[_DetailedProduct],
) -> Insights:
    """The insights from the totals and the products looked at in detail."""
    covered = sum(one.total_kg_co2e for one in detailed)
    return Insights(
        totals=added,
        traits=traits,
        distribution=distribution,
        disagreements=_disagreements(detailed),
        advice=_advice(detailed),
        looked_into=len(detailed),
        looked_into_share=min(1.0, covered / added.total_kg_co2e) if added.total_kg_co2e else 0.0,
    )


def _proxies(detailed: Iterable[_DetailedProduct]) -> list[Share]:
    """Contributions computed with a proxy factor, added up by factor, the largest first."""
    sums: dict[str, float] = defaultdict(float)
    products: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for one in detailed:
        for part in one.footprint.contributions:
            if _is_bill_proxy(part):
                sums[part.factor_key] += part.emissions_kg_co2e * one.pieces
                products[part.factor_key].add(one.code)
                names.setdefault(part.factor_key, _without_component(part.label))
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return [Share(names[key], value, len(products[key])) for key, value in ranked]


def _without_component(label: str) -> str:
    """The label without the component of the product that it names: `Oak wood (seat)` → `Oak
    wood`.
    """
    head, bracket, _ = label.rpartition(" (")
    return head if bracket and label.endswith(")") else label


def _disagreements(detailed: Iterable[_DetailedProduct]) -> list[Disagreement]:
    """The products whose two routes disagree most, at most SHOWN, the worst first."""
    found = [
        Disagreement(one.code, one.name, times, one.total_kg_co2e)
        for one in detailed
        if (times := one.footprint.disagreement) is not None and times >= DISAGREE
    ]
    return sorted(found, key=lambda one: -one.times)[:SHOWN]


def _advice(detailed: Sequence[_DetailedProduct]) -> list[Advice]:
    """Everything worth finding out, what concerns the most kg CO2e first."""
    found = []
    inferred = [one for one in detailed if one.footprint.mass.origin is Origin.INFERRED]
    if inferred:
        found.append(
            Advice(
                "Weigh the products whose mass the model inferred",
                "The footprint is calculated from the mass; weighing one unit narrows its range at once.",
                sum(one.total_kg_co2e for one in inferred),
                len(inferred),
            )
        )
    found += [
        Advice(
            f"Find a factor for {share.name}",
            "The factor in use is a proxy: it was published for a similar material or process.",
            share.emissions_kg_co2e,
            share.products,
        )
        for share in _proxies(detailed)[:5]
    ]
    apart = [one for one in detailed if (one.footprint.disagreement or 0) >= DISAGREE]
    if apart:
        found.append(
            Advice(
                "Check products whose two calculations disagree",
                "Their bill of materials and published figures of such products give different results: a part may be missing, or the product is unusual for its kind.",
                sum(one.total_kg_co2e for one in apart),
                len(apart),
            )
        )
    return sorted(found, key=lambda one: -one.emissions_kg_co2e)


def _is_bill_proxy(part: Contribution) -> bool:
    return part.is_proxy and part.route is RouteName.BILL
