"""What the results say together: totals and hotspots, how footprints are distributed, and what to
find out next.

Sums by category are over all products. What needs every contribution (materials, proxies, inferred
masses, routes that disagree) is taken from the heaviest products, and says how much of the total
these are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import ContributionKind, RouteName
from weighbridge.store import footprints, totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weighbridge.clock import Clock
    from weighbridge.domain.results import Contribution, Footprint
    from weighbridge.service.opening import Database
    from weighbridge.store.totals import CategoryTotal

HEAVIEST: Final = 1_000
SHOWN: Final = 12
FRESH_FOR_S: Final = 10.0
PATIENCE_S: Final = 0.5
"""Whoever opens the page waits no longer than this."""
COST_FACTOR: Final = 20.0
"""A look that took t seconds is kept for 20 t."""
DISAGREE: Final = 2.0
"""Routes that are this far apart are worth a look."""


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a total."""

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
    """Something worth finding out, and how much it bears on."""

    what: str
    why: str
    emissions_kg_co2e: float
    products: int


@dataclass(frozen=True, slots=True)
class Insights:
    """One look. Emissions are of one unit of each product."""

    categories: list[CategoryTotal]
    distribution: dict[int, int]
    heaviest: list[Share]
    materials: list[Share]
    disagreements: list[Disagreement]
    advice: list[Advice]
    looked_into: int
    looked_into_share: float

    @property
    def products(self) -> int:
        """Products with a figure."""
        return sum(one.products for one in self.categories)

    @property
    def emissions_kg_co2e(self) -> float:
        """Of one unit of each."""
        return sum(one.emissions_kg_co2e for one in self.categories)

    @property
    def mass_kg(self) -> float:
        """Of one unit of each."""
        return sum(one.mass_kg for one in self.categories)

    @property
    def simulated(self) -> int:
        """Products whose answers the simulator made up."""
        return sum(one.simulated for one in self.categories)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A heavy product, and its footprint."""

    code: str
    name: str
    footprint: Footprint


class InsightsReader:
    """One per server; a look serves everybody for a while."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: Insights | None = None
        self._known_until_s = 0.0
        self._looking: asyncio.Task[Insights] | None = None

    async def look(self) -> Insights:
        """The present insights; some seconds old at most, more when there are very many
        products.
        """
        async with self._lock:
            began_s = self._clock.monotonic_s()
            if self._known is None or began_s >= self._known_until_s:
                self._known = await self._read()
                ended_s = self._clock.monotonic_s()
                self._known_until_s = ended_s + max(FRESH_FOR_S, (ended_s - began_s) * COST_FACTOR)
            return self._known

    async def look_soon(self) -> Insights | None:
        """The last look, at once; None while the first one over very many products is still being
        worked out.
        """
        if self._known is not None and self._clock.monotonic_s() < self._known_until_s:
            return self._known
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.look(), name="insights")
        await asyncio.wait({self._looking}, timeout=PATIENCE_S)
        if self._looking.done():
            return self._looking.result()
        return self._known

    async def _read(self) -> Insights:
        async with self._database.pool.acquire() as connection:
            categories = await totals.by_category(connection)
            distribution = await totals.distribution(connection)
            rows = await totals.heaviest(connection, HEAVIEST)
            stored = [row["detail"] for row in rows]
            details = await footprints.read_details(connection, stored, {})
        looked = [
            _Looked(row["code"], row["name"], detail.footprint)
            for row, detail in zip(rows, details, strict=True)
        ]
        return await asyncio.to_thread(_put_together, categories, distribution, looked)


def _put_together(
    categories: list[CategoryTotal], distribution: dict[int, int], looked: Sequence[_Looked]
) -> Insights:
    total = sum(one.emissions_kg_co2e for one in categories)
    covered = sum(one.footprint.emissions_kg_co2e for one in looked)
    return Insights(
        categories=categories,
        distribution=distribution,
        heaviest=[Share(one.code, one.footprint.emissions_kg_co2e, 1) for one in looked[:SHOWN]],
        materials=_by_factor(looked, lambda one: one.kind is ContributionKind.MATERIAL)[:SHOWN],
        disagreements=_disagreements(looked),
        advice=_advice(looked),
        looked_into=len(looked),
        looked_into_share=min(1.0, covered / total) if total else 0.0,
    )


def _by_factor(looked: Iterable[_Looked], wanted: Callable[[Contribution], bool]) -> list[Share]:
    """Contributions that are wanted, added up by the factor behind them, the heaviest first."""
    sums: dict[str, float] = defaultdict(float)
    products: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for one in looked:
        for part in one.footprint.contributions:
            if wanted(part):
                sums[part.factor_key] += part.emissions_kg_co2e
                products[part.factor_key].add(one.code)
                names.setdefault(part.factor_key, _without_component(part.label))
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return [Share(names[key], value, len(products[key])) for key, value in ranked]


def _without_component(label: str) -> str:
    """`Oak wood (seat)` → `Oak wood`: the last bracket says what it is in one product."""
    head, bracket, _ = label.rpartition(" (")
    return head if bracket and label.endswith(")") else label


def _disagreements(looked: Iterable[_Looked]) -> list[Disagreement]:
    found = [
        Disagreement(one.code, one.name, times, one.footprint.emissions_kg_co2e)
        for one in looked
        if (times := one.footprint.disagreement) is not None and times >= DISAGREE
    ]
    return sorted(found, key=lambda one: -one.times)[:SHOWN]


def _advice(looked: Sequence[_Looked]) -> list[Advice]:
    found = []
    inferred = [one for one in looked if one.footprint.mass.origin is Origin.INFERRED]
    if inferred:
        found.append(
            Advice(
                "Weigh the products whose mass the model inferred",
                "Mass multiplies everything; a kitchen scale narrows the range at once.",
                sum(one.footprint.emissions_kg_co2e for one in inferred),
                len(inferred),
            )
        )
    found += [
        Advice(
            f"Find a factor for {share.name}",
            "The one in use is a proxy: published for something similar.",
            share.emissions_kg_co2e,
            share.products,
        )
        for share in _by_factor(looked, _is_proxy)[:5]
    ]
    apart = [one for one in looked if (one.footprint.disagreement or 0) >= DISAGREE]
    if apart:
        found.append(
            Advice(
                "Look at products whose two routes disagree",
                "Either the bill of materials misses something, or the product is not a usual one of its kind.",
                sum(one.footprint.emissions_kg_co2e for one in apart),
                len(apart),
            )
        )
    return sorted(found, key=lambda one: -one.emissions_kg_co2e)


def _is_proxy(part: Contribution) -> bool:
    return part.is_proxy and part.route is RouteName.BILL
